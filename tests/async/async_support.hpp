// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/asio.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <utility>

namespace async_test {

namespace asio = boost::asio;

/// Begins a coroutine whose result cannot be made out of nothing, as `co_spawn` would have to.
template <class Where, class T, class Done, class Token = asio::detached_t>
void spawn(Where&& where, asio::awaitable<T> body, Done done, Token&& token = {}) {
    asio::co_spawn(
        where,
        [](asio::awaitable<T> what, Done then) -> asio::awaitable<void> {
            // What has been cancelled meanwhile is told of, too.
            then(co_await std::move(what));
        }(std::move(body), std::move(done)),
        std::forward<Token>(token));
}

/// Runs a coroutine to its end on a context of its own, and gives what it gives, or throws what it throws.
template <class T>
T run(asio::awaitable<T> body) {
    asio::io_context context;
    std::optional<T> found;
    spawn(
        context, std::move(body), [&](T value) { found.emplace(std::move(value)); },
        [](std::exception_ptr const& thrown) {
            if (thrown) std::rethrow_exception(thrown);
        });
    context.run();
    return *std::move(found);
}

inline asio::awaitable<void> sleep(std::chrono::nanoseconds span) {
    asio::steady_timer timer{co_await asio::this_coro::executor};
    timer.expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(span));
    co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace async_test
