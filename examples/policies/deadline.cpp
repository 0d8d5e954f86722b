// SPDX-License-Identifier: BSL-1.0
// Bounds the whole operation: it gives up at once where the next attempt could not begin in time.
// prints: network_timeout: Connection timed out (generic:110); 1 attempt, stopped: deadline
// prints: waited for the next attempt: no
#include <recoup/recoup.hpp>

#include <chrono>
#include <iostream>
#include <system_error>

using namespace std::chrono_literals;

int main() {
    auto const call = recoup::with_recovery(
        []() -> recoup::result<int> { return std::make_error_code(std::errc::timed_out); },
        recoup::retry{.backoff = recoup::constant(1h)}, recoup::deadline{10s});
    auto const begun = std::chrono::steady_clock::now();
    std::cout << call().error() << '\n';
    auto const waited = std::chrono::steady_clock::now() - begun > 5s;
    std::cout << "waited for the next attempt: " << (waited ? "yes" : "no") << '\n';
}
