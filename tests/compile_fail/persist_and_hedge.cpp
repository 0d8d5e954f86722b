// SPDX-License-Identifier: BSL-1.0
// expect: recoup: persist keeps the progress of one attempt at a time
#include <recoup/async/asio.hpp>
#include <recoup/recoup.hpp>
#include <recoup/store/memory_store.hpp>

#include <boost/asio/awaitable.hpp>

boost::asio::awaitable<int> later(int);

recoup::memory_store store;
recoup::hedge hedges;
auto const memory = recoup::persist(store, "call", [](int key) { return key; });

auto control() { return recoup::with_recovery(later, memory)(1); }

#ifdef MISUSE
auto misuse() { return recoup::with_recovery(later, memory, hedges)(1); }
#endif
