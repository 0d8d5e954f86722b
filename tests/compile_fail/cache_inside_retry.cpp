// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a cache answers in place of the whole operation, and so comes first in in_order
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>

int fetch(int);

recoup::cache<int, int> pages;

auto const control = recoup::with_recovery(fetch, recoup::in_order(pages, recoup::retry{}));

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fetch, recoup::in_order(recoup::retry{}, pages));
#endif
