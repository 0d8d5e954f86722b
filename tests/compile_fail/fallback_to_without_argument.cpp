// SPDX-License-Identifier: BSL-1.0
// expect: recoup: fallback_to replaces the first argument of a call; this one has none
#include <recoup/recoup.hpp>

int fetch(int);
int fetch_all();

auto const control = recoup::with_recovery(fetch, recoup::fallback_to({1, 2}))(0);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fetch_all, recoup::fallback_to({1, 2}))();
#endif
