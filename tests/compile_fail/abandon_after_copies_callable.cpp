// SPDX-License-Identifier: BSL-1.0
// expect: recoup: abandon_after gives every attempt a copy of the callable, and this one cannot
#include <recoup/guard/abandon_after.hpp>
#include <recoup/recoup.hpp>

#include <chrono>
#include <memory>
#include <string>

struct copied {
    int operator()(std::string&&) const;  // its argument is moved into the only attempt
};
struct moved {
    std::unique_ptr<int> held;
    int operator()(std::string&&) const;
};

using namespace std::chrono_literals;

recoup::abandon_pool pool;
auto const limit = recoup::abandon_after{5s, pool};

auto const control = recoup::with_recovery(copied{}, limit)(std::string{});

#ifdef MISUSE
auto const misuse = recoup::with_recovery(moved{}, limit)(std::string{});
#endif
