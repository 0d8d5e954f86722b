// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a hedge of a plain call needs threads to run on: name an abandon_pool beside it
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/recoup.hpp>

int plain();

recoup::hedge hedges;
recoup::abandon_pool pool;
auto const control = recoup::with_recovery(plain, hedges, pool)();

#ifdef MISUSE
auto const misuse = recoup::with_recovery(plain, hedges)();
#endif
