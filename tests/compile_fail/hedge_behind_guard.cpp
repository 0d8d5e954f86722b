// SPDX-License-Identifier: BSL-1.0
// expect: recoup: each hedge asks the guards, and so hedge stands right behind retry
#include <recoup/async/asio.hpp>
#include <recoup/recoup.hpp>

#include <boost/asio/awaitable.hpp>

boost::asio::awaitable<int> coroutine();

recoup::hedge hedges;
recoup::bulkhead pool;
auto const control =
    recoup::with_recovery(coroutine, recoup::in_order(recoup::retry{}, hedges, pool))();

#ifdef MISUSE
auto const misuse =
    recoup::with_recovery(coroutine, recoup::in_order(recoup::retry{}, pool, hedges))();
#endif
