// SPDX-License-Identifier: BSL-1.0
// Counts and times calls, and says so when too many of them fail: once, and once when that is over.
// prints: raised: success of fetch-page is 0.5, below 0.9
// prints: cleared: success of fetch-page, now 1
// prints: 300 operations, 400 attempts, 50 failed, 100 retries
#include <recoup/observe/metrics.hpp>
#include <recoup/recoup.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

int main() {
    recoup::metrics metrics;
    metrics.alert({.success_below = 0.9, .window = 1s, .minimum_calls = 100},
                  [](recoup::alert const& shown) {
                      if (shown.raised)
                          std::cout << "raised: success of " << shown.name << " is " << shown.value
                                    << ", below " << shown.bound << '\n';
                      else
                          std::cout << "cleared: success of " << shown.name << ", now "
                                    << shown.value << '\n';
                  });
    auto is_flaky = true;
    auto const fetch = recoup::with_recovery(
        [&](bool works) -> recoup::result<int> {
            if (is_flaky && !works) return recoup::failure{recoup::category::network_connection};
            return 1;
        },
        recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ms)},
        metrics.watch("fetch-page"));

    // Every other call fails, in spite of its retries. Operations look at alerts at most every 100 ms.
    for (auto i = 0; i < 100; ++i) static_cast<void>(fetch(i % 2 == 0));
    static_cast<void>(metrics.snapshot());  // looks at once

    is_flaky = false;
    recoup::real_clock clock;
    clock.wait_until(clock.now() + 1100ms, {});
    for (auto i = 0; i < 200; ++i) static_cast<void>(fetch(true));
    auto const seen = metrics.snapshot();
    auto const& page = *seen.find("fetch-page");
    std::cout << page.operations << " operations, " << page.attempts << " attempts, " << page.failed
              << " failed, " << page.retries << " retries\n";
    std::cerr << seen;  // the whole table, which differs from run to run
}
