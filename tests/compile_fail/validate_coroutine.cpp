// SPDX-License-Identifier: BSL-1.0
// expect: recoup: validate calls plain callables: validate what the coroutine calls
#include <recoup/async/asio.hpp>
#include <recoup/validation.hpp>

#include <boost/asio/awaitable.hpp>

boost::asio::awaitable<int> coroutine();
int plain();

auto const control = recoup::validation::validate(plain);

#ifdef MISUSE
auto const misuse = recoup::validation::validate(coroutine);
#endif
