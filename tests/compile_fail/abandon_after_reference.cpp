// SPDX-License-Identifier: BSL-1.0
// expect: recoup: with abandon_after a callable returns no reference, which may be to one of
#include <recoup/guard/abandon_after.hpp>
#include <recoup/recoup.hpp>

#include <chrono>

int larger(int const&, int const&);
int const& largest(int const&, int const&);

using namespace std::chrono_literals;

recoup::abandon_pool pool;
auto const limit = recoup::abandon_after{5s, pool};

auto const control = recoup::with_recovery(larger, limit)(1, 2);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(largest, limit)(1, 2);
#endif
