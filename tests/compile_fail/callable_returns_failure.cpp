// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a callable must not return recoup::failure as its value
#include <recoup/recoup.hpp>

recoup::result<int> value_or_failure(int);
recoup::failure only_a_failure(int);

auto const control = recoup::with_recovery(value_or_failure)(1);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(only_a_failure)(1);
#endif
