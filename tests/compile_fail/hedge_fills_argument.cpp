// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a hedge calls several times at a time with the same arguments
#include <recoup/async/asio.hpp>
#include <recoup/recoup.hpp>

#include <boost/asio/awaitable.hpp>

boost::asio::awaitable<int> reads(int const& from);
boost::asio::awaitable<int> fills(int& into);

recoup::hedge hedges;
int argument = 0;
auto const control = recoup::with_recovery(reads, hedges)(argument);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fills, hedges)(argument);
#endif
