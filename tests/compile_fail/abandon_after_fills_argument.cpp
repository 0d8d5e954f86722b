// SPDX-License-Identifier: BSL-1.0
// expect: recoup: abandon_after gives every attempt a copy of the arguments, which cannot be
#include <recoup/guard/abandon_after.hpp>
#include <recoup/recoup.hpp>

#include <chrono>
#include <functional>

void fill(int&);

int number = 0;

using namespace std::chrono_literals;

recoup::abandon_pool pool;
auto const limit = recoup::abandon_after{5s, pool};

auto const control = recoup::with_recovery(fill, limit)(std::ref(number));

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fill, limit)(number);
#endif
