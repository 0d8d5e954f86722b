// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a hedge of a plain call has a copy of the callable, and this one cannot
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/recoup.hpp>

#include <memory>

struct copied {
    int operator()() const;
};
struct moved {
    std::unique_ptr<int> held;
    int operator()() const;
};

recoup::hedge hedges;
recoup::abandon_pool pool;

auto const control = recoup::with_recovery(copied{}, hedges, pool)();

#ifdef MISUSE
auto const misuse = recoup::with_recovery(moved{}, hedges, pool)();
#endif
