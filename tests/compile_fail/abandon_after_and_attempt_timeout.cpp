// SPDX-License-Identifier: BSL-1.0
// expect: recoup: attempt_timeout is for an attempt that ends when it is told to, abandon_after
#include <recoup/guard/abandon_after.hpp>
#include <recoup/recoup.hpp>

#include <chrono>

int call();

using namespace std::chrono_literals;

recoup::abandon_pool pool;
auto const limit = recoup::abandon_after{5s, pool};

auto const control = recoup::with_recovery(call, limit)();

#ifdef MISUSE
auto const misuse = recoup::with_recovery(call, limit, recoup::attempt_timeout{5s})();
#endif
