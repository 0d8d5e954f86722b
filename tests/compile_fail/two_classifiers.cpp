// SPDX-License-Identifier: BSL-1.0
// expect: recoup: there are two classifiers; put all rules into one
#include <recoup/recoup.hpp>

int fetch(int);

auto const control = recoup::with_recovery(fetch, recoup::default_rules());

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fetch, recoup::default_rules(), recoup::default_rules());
#endif
