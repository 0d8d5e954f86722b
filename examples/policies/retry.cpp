// SPDX-License-Identifier: BSL-1.0
// Tries again what is worth it, and stops at once for what is not.
// prints: attempt 1
// prints: attempt 2
// prints: attempt 3
// prints: page
// prints: attempt 1
// prints: permission: Permission denied (generic:13); 1 attempt, stopped: not_retryable
#include <recoup/recoup.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

int main() {
    auto const fetch = recoup::with_recovery(
        [](recoup::attempt& attempt, std::errc error) -> recoup::result<std::string> {
            std::cout << "attempt " << attempt.number() << '\n';
            if (attempt.number() < 3) return std::make_error_code(error);
            return "page";
        },
        recoup::retry{.max_attempts = 5, .backoff = recoup::exponential(1ms, 1s)});
    std::cout << fetch(std::errc::connection_reset).value() << '\n';
    std::cout << fetch(std::errc::permission_denied).error() << '\n';
}
