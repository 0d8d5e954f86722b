// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a fallback stands in for the whole operation, and so comes first in in_order
#include <recoup/recoup.hpp>

int fetch(int);

auto const control =
    recoup::with_recovery(fetch, recoup::in_order(recoup::fallback(1), recoup::retry{}));

#ifdef MISUSE
auto const misuse =
    recoup::with_recovery(fetch, recoup::in_order(recoup::retry{}, recoup::fallback(1)));
#endif
