// SPDX-License-Identifier: BSL-1.0
// expect: recoup: there are two hedges, which would multiply
#include <recoup/async/asio.hpp>
#include <recoup/recoup.hpp>

#include <boost/asio/awaitable.hpp>

boost::asio::awaitable<int> coroutine();

recoup::hedge hedges;
auto const control = recoup::with_recovery(coroutine, hedges)();

#ifdef MISUSE
recoup::hedge others;
auto const misuse = recoup::with_recovery(coroutine, hedges, others)();
#endif
