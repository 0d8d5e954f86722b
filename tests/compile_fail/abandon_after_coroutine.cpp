// SPDX-License-Identifier: BSL-1.0
// expect: recoup: abandon_after lets go of plain calls; a coroutine can be cancelled: use
#include <recoup/async/asio.hpp>
#include <recoup/guard/abandon_after.hpp>
#include <recoup/recoup.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>

boost::asio::awaitable<int> later(int);

using namespace std::chrono_literals;

recoup::abandon_pool pool;

auto control() { return recoup::with_recovery(later, recoup::attempt_timeout{5s})(1); }

#ifdef MISUSE
auto misuse() { return recoup::with_recovery(later, recoup::abandon_after{5s, pool})(1); }
#endif
