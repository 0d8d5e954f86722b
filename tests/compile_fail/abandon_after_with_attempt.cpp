// SPDX-License-Identifier: BSL-1.0
// expect: recoup: abandon_after lets go of callables that cannot be told to end; one that takes
#include <recoup/guard/abandon_after.hpp>
#include <recoup/recoup.hpp>

#include <chrono>

int deaf(int);
int cooperates(recoup::attempt&, int);

using namespace std::chrono_literals;

recoup::abandon_pool pool;
auto const limit = recoup::abandon_after{5s, pool};

auto const control = recoup::with_recovery(deaf, limit)(1);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(cooperates, limit)(1);
#endif
