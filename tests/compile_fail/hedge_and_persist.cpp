// SPDX-License-Identifier: BSL-1.0
// expect: recoup: persist keeps the progress of one attempt at a time, and a hedge runs
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/recoup.hpp>
#include <recoup/store/memory_store.hpp>

#include <string>

int search(std::string const&);

recoup::hedge hedges;
recoup::abandon_pool pool;
recoup::memory_store store;
auto const key = [](std::string const& text) { return text; };
auto const control = recoup::with_recovery(search, hedges, pool)(std::string{});

#ifdef MISUSE
auto const misuse = recoup::with_recovery(search, hedges, pool,
                                          recoup::persist(store, "search", key))(std::string{});
#endif
