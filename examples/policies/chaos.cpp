// SPDX-License-Identifier: BSL-1.0
// Makes attempts fail, be slow or be wrong on purpose, to see what a program does then.
// prints: of 1000 calls 997 succeed
// prints: 454 attempts were made to fail
// prints: switched off: 42
#include <recoup/chaos.hpp>
#include <recoup/recoup.hpp>
#include <recoup/testing.hpp>

#include <iostream>

int main() {
    recoup::testing::manual_clock clock;  // no real waits here
    recoup::chaos monkey{{.failure_rate = 0.3, .seed = 7}};
    auto const fetch = recoup::with_recovery(monkey.wrap([] { return 42; }),
                                             recoup::retry{.max_attempts = 5}, recoup::on(clock));
    auto good = 0;
    for (auto i = 0; i != 1000; ++i) good += fetch() ? 1 : 0;
    std::cout << "of 1000 calls " << good << " succeed\n";
    std::cout << monkey.snapshot().failed << " attempts were made to fail\n";
    monkey.disable();
    std::cout << "switched off: " << fetch().value() << '\n';
}
