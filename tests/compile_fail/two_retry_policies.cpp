// SPDX-License-Identifier: BSL-1.0
// expect: recoup: there are two retry policies, which would multiply; keep one
#include <recoup/recoup.hpp>

int fetch(int);

auto const control = recoup::with_recovery(fetch, recoup::retry{.max_attempts = 2});

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fetch, recoup::retry{.max_attempts = 2},
                                          recoup::retry{.max_attempts = 3});
#endif
