// SPDX-License-Identifier: BSL-1.0
// expect: recoup: in_order needs a retry policy
#include <recoup/recoup.hpp>

#include <chrono>

using namespace std::chrono_literals;

int fetch(int);

auto const control =
    recoup::with_recovery(fetch, recoup::in_order(recoup::deadline{1s}, recoup::retry{}));

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fetch, recoup::in_order(recoup::deadline{1s}));
#endif
