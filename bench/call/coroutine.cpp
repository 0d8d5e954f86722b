// SPDX-License-Identifier: BSL-1.0
// What a wrapper adds to a coroutine of Boost.Asio that succeeds at once: beside the bare `co_await`, and
// beside a loop written by hand, which is a coroutine of its own, too.
#include "call/hand_written.hpp"
#include "call/measure.hpp"

#include <recoup/async/asio.hpp>
#include <recoup/guard/hedge.hpp>
#include <recoup/retry/retry.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <system_error>
#include <variant>

namespace bench {

namespace {

namespace asio = boost::asio;

/// Gives its answer without a suspension: nothing but a frame.
asio::awaitable<std::uint64_t> answer_at_once(std::uint64_t question) {
    co_return answer(question);
}

/// Suspends once, and goes on by way of the executor: the least that any operation of Asio's costs.
asio::awaitable<std::uint64_t> answer_later(std::uint64_t question) {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    co_return answer(question);
}

/// A question and an answer over a local socket, whose other end is served by the same thread: the least that
/// a request to another process costs, and less.
class exchange {
  public:
    explicit exchange(asio::io_context& context) : here_{context}, there_{context} {
        asio::local::connect_pair(here_, there_);
        asio::co_spawn(context, serve(), asio::detached);
    }

    asio::awaitable<std::uint64_t> ask(std::uint64_t question) {
        co_await asio::async_write(here_, asio::buffer(&question, sizeof question),
                                   asio::use_awaitable);
        std::uint64_t found = 0;
        co_await asio::async_read(here_, asio::buffer(&found, sizeof found), asio::use_awaitable);
        co_return found;
    }

    void close() { here_.close(); }

  private:
    asio::awaitable<void> serve() {
        for (;;) {
            std::uint64_t asked = 0;
            co_await asio::async_read(there_, asio::buffer(&asked, sizeof asked),
                                      asio::use_awaitable);
            auto const found = answer(asked);
            co_await asio::async_write(there_, asio::buffer(&found, sizeof found),
                                       asio::use_awaitable);
        }
    }

    asio::local::stream_protocol::socket here_;
    asio::local::stream_protocol::socket there_;
};

/// The loop that a good engineer writes by hand.
template <class F>
asio::awaitable<hand_written::result> retried(F& call, std::uint64_t question,
                                              hand_written::options const& chosen) {
    for (std::uint32_t attempt = 1;; ++attempt) {
        auto failed = hand_written::error{};
        try {
            co_return hand_written::result{co_await call(question)};
        } catch (...) {
            failed = hand_written::caught();
        }
        failed.attempts = attempt;
        failed.what = hand_written::classify(failed.code);
        if (!hand_written::worth_retrying(failed.what) || attempt >= chosen.max_attempts)
            co_return hand_written::result{std::move(failed)};
        asio::steady_timer timer{co_await asio::this_coro::executor};
        timer.expires_after(hand_written::backoff(chosen, attempt, question));
        co_await timer.async_wait(asio::use_awaitable);
    }
}

using reply = recoup::result<std::uint64_t>;

/// Fails at the first attempt of each call.
struct failing_once {
    std::uint64_t calls = 0;
    asio::awaitable<reply> operator()(std::uint64_t question) {
        if (++calls % 2 != 0) co_return std::make_error_code(std::errc::connection_reset);
        co_return answer(question);
    }
};

/// The same loop for errors that are values, without a wait.
asio::awaitable<reply> retried_at_once(failing_once& call, std::uint64_t question,
                                       hand_written::options const& chosen) {
    for (std::uint32_t attempt = 1;; ++attempt) {
        auto got = co_await call(question);
        if (got || attempt >= chosen.max_attempts ||
            !hand_written::worth_retrying(hand_written::classify(got.assume_error().code())))
            co_return got;
    }
}

/// As `measure`, in a coroutine.
template <class Call>
asio::awaitable<void> measure_awaited(benchmark::State& state, Call& call) {
    std::uint64_t question = 0;
    // Asio keeps memory for the next frame: what is allocated once is no cost of a call.
    for (; question != 100; ++question) {
        auto outcome = co_await call(question);
        benchmark::DoNotOptimize(outcome);
    }
    auto const allocated = support::allocations();
    auto const begin = std::chrono::steady_clock::now();
    for (auto _ : state) {
        auto outcome = co_await call(question++);
        benchmark::DoNotOptimize(outcome);
    }
    record(state, begin, allocated);
}

template <class Call>
void run(benchmark::State& state, Call call) {
    asio::io_context context{1};
    asio::co_spawn(context, measure_awaited(state, call), asio::detached);
    context.run();
}

/// Bare, by hand and by recoup; `names` are those of the three.
template <class Callee>
void add_three(char const* bare, char const* by_hand, char const* recovered, Callee callee) {
    add(bare, 1, [callee](benchmark::State& state) { run(state, callee); });
    add(by_hand, 1, [callee](benchmark::State& state) {
        hand_written::options const chosen;
        run(state, [callee, &chosen](std::uint64_t question) {
            return retried(callee, question, chosen);
        });
    });
    add(recovered, 1, [callee](benchmark::State& state) {
        run(state, recoup::with_recovery(callee, recoup::retry{}));
    });
}

template <class Callee>
void run_hedged(benchmark::State& state, Callee callee) {
    static recoup::hedge hedges{{.delay = std::chrono::hours{1}}};
    run(state, recoup::with_recovery(callee, recoup::retry{}, hedges));
    if (hedges.snapshot().begun != 0) std::abort();
}

/// The same by hand: what Asio offers to run two beside each other, of which one waits for its moment.
template <class Callee>
asio::awaitable<std::uint64_t> hedged_by_hand(Callee callee, std::uint64_t question) {
    using namespace asio::experimental::awaitable_operators;
    auto const later = [callee](std::uint64_t asked) -> asio::awaitable<std::uint64_t> {
        asio::steady_timer timer{co_await asio::this_coro::executor, std::chrono::hours{1}};
        co_await timer.async_wait(asio::use_awaitable);
        co_return co_await callee(asked);
    };
    auto const first = co_await (callee(question) || later(question));
    co_return std::visit([](std::uint64_t found) { return found; }, first);
}

template <class Wrap>
void run_exchange(benchmark::State& state, Wrap wrap) {
    asio::io_context context{1};
    exchange line{context};
    auto const ask = [&line](std::uint64_t question) { return line.ask(question); };
    auto call = wrap(ask);
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            co_await measure_awaited(state, call);
            line.close();
        },
        asio::detached);
    context.run();
}

}  // namespace

void add_coroutine() {
    add("call/coroutine_failed_once/hand_written", 1, [](benchmark::State& state) {
        hand_written::options const chosen;
        failing_once callee;
        run(state,
            [&](std::uint64_t question) { return retried_at_once(callee, question, chosen); });
    });
    add("call/coroutine_failed_once/recoup", 1, [](benchmark::State& state) {
        failing_once callee;
        run(state,
            recoup::with_recovery(std::ref(callee),
                                  recoup::retry{.backoff = recoup::constant(recoup::duration{})}));
    });
    add_three("call/coroutine_ready/bare", "call/coroutine_ready/hand_written",
              "call/coroutine_ready/recoup", answer_at_once);
    // A hedge that does not begin: what watches over each call for it.
    add("call/coroutine_ready/recoup_hedge", 1,
        [](benchmark::State& state) { run_hedged(state, answer_at_once); });
    add("call/coroutine_post/recoup_hedge", 1,
        [](benchmark::State& state) { run_hedged(state, answer_later); });
    add("call/coroutine_post/hand_written_hedge", 1, [](benchmark::State& state) {
        run(state, [](std::uint64_t question) { return hedged_by_hand(answer_later, question); });
    });
    add_three("call/coroutine_post/bare", "call/coroutine_post/hand_written",
              "call/coroutine_post/recoup", answer_later);
    add("call/coroutine_socket/bare", 1,
        [](benchmark::State& state) { run_exchange(state, [](auto const& ask) { return ask; }); });
    add("call/coroutine_socket/hand_written", 1, [](benchmark::State& state) {
        hand_written::options const chosen;
        run_exchange(state, [&chosen](auto const& ask) {
            return
                [ask, &chosen](std::uint64_t question) { return retried(ask, question, chosen); };
        });
    });
    add("call/coroutine_socket/recoup", 1, [](benchmark::State& state) {
        run_exchange(state,
                     [](auto const& ask) { return recoup::with_recovery(ask, recoup::retry{}); });
    });
}

}  // namespace bench
