// SPDX-License-Identifier: BSL-1.0
// expect: recoup: these arguments are not the key of the cache
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>

int fetch(long number);

recoup::cache<long, int> all;
recoup::cache<int, int> some;

auto const control = recoup::with_recovery(fetch, all)(1L);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fetch, some)(1L);
#endif
