// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a hedge lets go of attempts that lose by itself, and does not go with
#include <recoup/guard/abandon_after.hpp>
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/recoup.hpp>

#include <chrono>

int plain();

recoup::hedge hedges;
recoup::abandon_pool pool;

auto const control = recoup::with_recovery(plain, hedges, pool)();

#ifdef MISUSE
auto const misuse = recoup::with_recovery(plain, hedges, pool,
                                          recoup::abandon_after{std::chrono::seconds{5}, pool})();
#endif
