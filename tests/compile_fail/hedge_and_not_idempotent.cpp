// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a hedge calls twice at a time what not_idempotent says must not happen twice
#include <recoup/async/asio.hpp>
#include <recoup/recoup.hpp>

#include <boost/asio/awaitable.hpp>

boost::asio::awaitable<int> order();

recoup::hedge hedges;
auto const control = recoup::with_recovery(order, hedges)();

#ifdef MISUSE
auto const misuse = recoup::with_recovery(order, hedges, recoup::not_idempotent{})();
#endif
