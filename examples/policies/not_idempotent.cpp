// SPDX-License-Identifier: BSL-1.0
// What must not happen twice is tried again only where nothing has happened.
// prints: connection refused: 3 attempts
// prints: connection reset: 1 attempt
// prints: connection reset, token handed on: 3 attempts
#include <recoup/recoup.hpp>

#include <chrono>
#include <iostream>
#include <system_error>

using namespace std::chrono_literals;

int main() {
    auto const thrice = recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ms)};
    auto const pay = recoup::with_recovery(
        [](recoup::attempt& attempt, std::errc error, bool with_token) -> recoup::result<int> {
            if (with_token)
                static_cast<void>(attempt.idempotency_token());  // goes with the request
            return std::make_error_code(error);
        },
        thrice, recoup::not_idempotent{});
    std::cout << "connection refused: "
              << pay(std::errc::connection_refused, false).error().attempts() << " attempts\n"
              << "connection reset: " << pay(std::errc::connection_reset, false).error().attempts()
              << " attempt\n"
              << "connection reset, token handed on: "
              << pay(std::errc::connection_reset, true).error().attempts() << " attempts\n";
}
