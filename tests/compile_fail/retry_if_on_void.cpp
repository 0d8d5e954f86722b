// SPDX-License-Identifier: BSL-1.0
// expect: recoup: retry_if has no value to look at: the callable returns void
#include <recoup/recoup.hpp>

int answer();
void no_answer();

auto const again = recoup::retry_if([](int value) { return value < 0; });
auto const control = recoup::with_recovery(answer, again)();

#ifdef MISUSE
auto const misuse = recoup::with_recovery(no_answer, again)();
#endif
