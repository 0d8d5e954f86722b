// SPDX-License-Identifier: BSL-1.0
// expect: recoup: there are two retry budgets; keep the one that all calls share
#include <recoup/recoup.hpp>

int fetch(int);
recoup::retry_budget one;
recoup::retry_budget other;

auto const control = recoup::with_recovery(fetch, one);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fetch, one, other);
#endif
