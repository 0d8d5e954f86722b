// SPDX-License-Identifier: BSL-1.0
// expect: recoup: with a hedge a plain call returns no reference, which may be to one of
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/recoup.hpp>

int larger(int const&, int const&);
int const& largest(int const&, int const&);

recoup::hedge hedges;
recoup::abandon_pool pool;

auto const control = recoup::with_recovery(larger, hedges, pool)(1, 2);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(largest, hedges, pool)(1, 2);
#endif
