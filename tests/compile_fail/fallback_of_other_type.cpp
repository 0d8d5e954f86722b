// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a fallback is a value of the type that the callable returns, or a callable
#include <recoup/recoup.hpp>

int fetch(int);

auto const control = recoup::with_recovery(fetch, recoup::fallback(2))(1);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fetch, recoup::fallback("two"))(1);
#endif
