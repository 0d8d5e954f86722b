// SPDX-License-Identifier: BSL-1.0
// Coroutines (plain calls: hedge_plain.cpp): where an answer takes long, the same is asked once more, and the first
// answer is taken.
// prints: the slow replica is cancelled
// prints: the quick replica answers
// prints: hedges: 1, of which 1 won
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

/// Replicas in turn; the first of them hangs.
class replicas {
  public:
    asio::awaitable<std::string> ask() {
        auto const slow = asked_++ == 0;
        asio::steady_timer answer{co_await asio::this_coro::executor};
        answer.expires_after(slow ? 1h : 0h);
        try {
            co_await answer.async_wait(asio::use_awaitable);
        } catch (boost::system::system_error const&) {
            std::cout << "the slow replica is cancelled\n";
            throw;
        }
        co_return std::string{slow ? "the slow" : "the quick"} + " replica answers";
    }

  private:
    int asked_ = 0;
};

asio::awaitable<void> call(recoup::hedge& hedges) {
    auto searched = replicas{};
    auto const search = recoup::with_recovery([&] { return searched.ask(); }, hedges);
    auto const answer = co_await search();
    std::cout << answer.value() << '\n';
}

}  // namespace

int main() {
    recoup::hedge hedges{{.delay = 20ms, .percentile = 0.95, .ratio = 0.05}};
    asio::io_context context;
    asio::co_spawn(context, call(hedges), asio::detached);
    context.run();
    auto const seen = hedges.snapshot();
    std::cout << "hedges: " << seen.begun << ", of which " << seen.won << " won\n";
}
