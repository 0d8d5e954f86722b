// SPDX-License-Identifier: BSL-1.0
// expect: recoup: abandon_after gives every attempt a copy of the arguments, and one cannot be
#include <recoup/guard/abandon_after.hpp>
#include <recoup/recoup.hpp>

#include <chrono>
#include <memory>

int take(std::unique_ptr<int>);
int look(std::unique_ptr<int> const&);

using namespace std::chrono_literals;

recoup::abandon_pool pool;
auto const limit = recoup::abandon_after{5s, pool};

auto const control = recoup::with_recovery(take, limit)(std::make_unique<int>(1));

#ifdef MISUSE
auto const misuse = recoup::with_recovery(look, limit)(std::make_unique<int>(1));
#endif
