// SPDX-License-Identifier: BSL-1.0
// No more calls than are allowed: those that come too early wait for their turn.
// prints: 6 calls at 100 a second, in bursts of 2, took 40 ms at least: yes
// prints: without waiting: rate_limited: the rate limit of this caller is reached (recoup:25); 0 attempts, stopped: rejected
#include <recoup/recoup.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

int main() {
    recoup::rate_limiter patient{recoup::token_bucket(100, 1s, 2).waiting(1s)};
    auto const call = recoup::with_recovery([] { return 1; }, patient);
    auto const begun = std::chrono::steady_clock::now();
    for (auto i = 0; i < 6; ++i) static_cast<void>(call());
    auto const slow = std::chrono::steady_clock::now() - begun >= 40ms;
    std::cout << "6 calls at 100 a second, in bursts of 2, took 40 ms at least: "
              << (slow ? "yes" : "no") << '\n';

    recoup::rate_limiter strict{recoup::sliding_window(1, 1min)};
    auto const once = recoup::with_recovery([] { return 1; }, strict);
    static_cast<void>(once());
    std::cout << "without waiting: " << once().error() << '\n';
}
