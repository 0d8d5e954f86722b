// SPDX-License-Identifier: BSL-1.0
// expect: recoup: with_recovery does not know one of these policies
#include <recoup/recoup.hpp>

int fetch(int);

auto const control = recoup::with_recovery(fetch);

#ifdef MISUSE
struct not_a_policy {};
auto const misuse = recoup::with_recovery(fetch, not_a_policy{});
#endif
