// SPDX-License-Identifier: BSL-1.0
// expect: recoup: validate takes the bare callable and its policies
#include <recoup/validation.hpp>

int plain();

auto const control = recoup::validation::validate(plain);

#ifdef MISUSE
auto const misuse = recoup::validation::validate(recoup::with_recovery(plain));
#endif
