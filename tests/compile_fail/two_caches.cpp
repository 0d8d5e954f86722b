// SPDX-License-Identifier: BSL-1.0
// expect: recoup: there are two caches
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>

int fetch(int);

recoup::cache<int, int> pages;

auto const control = recoup::with_recovery(fetch, pages);

#ifdef MISUSE
recoup::cache<int, int> others;
auto const misuse = recoup::with_recovery(fetch, pages, others);
#endif
