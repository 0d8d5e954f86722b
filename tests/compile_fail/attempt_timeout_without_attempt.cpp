// SPDX-License-Identifier: BSL-1.0
// expect: recoup: attempt_timeout cannot end a plain call from outside: take recoup::attempt& and
#include <recoup/recoup.hpp>

#include <chrono>

int cooperates(recoup::attempt&, int);
int deaf(int);

using namespace std::chrono_literals;

auto const control = recoup::with_recovery(cooperates, recoup::attempt_timeout{5s})(1);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(deaf, recoup::attempt_timeout{5s})(1);
#endif
