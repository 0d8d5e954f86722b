// SPDX-License-Identifier: BSL-1.0
// expect: recoup: an abandon_pool does nothing by itself: name a hedge beside it, or give it
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/recoup.hpp>

int plain();

recoup::hedge hedges;
recoup::abandon_pool pool;

auto const control = recoup::with_recovery(plain, hedges, pool)();

#ifdef MISUSE
auto const misuse = recoup::with_recovery(plain, pool)();
#endif
