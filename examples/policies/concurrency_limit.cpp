// SPDX-License-Identifier: BSL-1.0
// Finds out how many calls at a time are good for what is called.
// prints: the limit begins at 10
// prints: an overload lowers it: yes
// prints: successes raise it again: yes
#include <recoup/recoup.hpp>

#include <iostream>

int main() {
    using options = recoup::concurrency_limit_options;
    recoup::concurrency_limit limit{
        {.found_by = options::algorithm::aimd, .initial = 10, .most = 20, .decrease = 0.5}};
    std::cout << "the limit begins at " << limit.limit() << '\n';
    auto overloaded = true;
    auto const call = recoup::with_recovery(
        [&]() -> recoup::result<int> {
            if (overloaded) return recoup::failure{recoup::category::network_timeout};
            return 1;
        },
        recoup::retry{.max_attempts = 1}, limit);
    for (auto i = 0; i < 4; ++i) static_cast<void>(call());
    auto const low = limit.limit();
    std::cout << "an overload lowers it: " << (low < 10 ? "yes" : "no") << '\n';
    overloaded = false;
    for (auto i = 0; i < 40; ++i) static_cast<void>(call());
    std::cout << "successes raise it again: " << (limit.limit() > low ? "yes" : "no") << '\n';
}
