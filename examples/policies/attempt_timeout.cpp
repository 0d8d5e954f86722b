// SPDX-License-Identifier: BSL-1.0
// Coroutines: an attempt that takes too long is cancelled, really, and tried again.
// prints: attempt 1 is cancelled
// prints: attempt 2 answers
#include <recoup/async/asio.hpp>
#include <recoup/recoup.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

asio::awaitable<std::string> ask(recoup::attempt& attempt) {
    asio::steady_timer answer{co_await asio::this_coro::executor};
    answer.expires_after(attempt.number() == 1 ? 1h : 0h);
    try {
        co_await answer.async_wait(asio::use_awaitable);
    } catch (boost::system::system_error const&) {
        std::cout << "attempt " << attempt.number() << " is cancelled\n";
        throw;
    }
    co_return "attempt " + std::to_string(attempt.number()) + " answers";
}

asio::awaitable<void> call() {
    auto const safe = recoup::with_recovery(ask, recoup::retry{.backoff = recoup::constant(1ms)},
                                            recoup::attempt_timeout{20ms});
    auto const answer = co_await safe();
    std::cout << answer.value() << '\n';
}

}  // namespace

int main() {
    asio::io_context context;
    asio::co_spawn(context, call(), asio::detached);
    context.run();
}
