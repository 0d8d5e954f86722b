// SPDX-License-Identifier: BSL-1.0
// expect: recoup: the callable takes its arguments with it, and leaves none for a fallback
#include <recoup/guard/abandon_after.hpp>
#include <recoup/recoup.hpp>

#include <chrono>
#include <memory>

int take(std::unique_ptr<int>);

using namespace std::chrono_literals;

recoup::abandon_pool pool;
auto const limit = recoup::abandon_after{5s, pool};

auto const control = recoup::with_recovery(take, limit)(std::make_unique<int>(1));

#ifdef MISUSE
auto const misuse =
    recoup::with_recovery(take, limit, recoup::fallback(0))(std::make_unique<int>(1));
#endif
