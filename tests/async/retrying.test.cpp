// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include "async/async_support.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/fallback.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/retry/not_idempotent.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/retry/retry_budget.hpp>
#include <recoup/retry/retry_if.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/system/system_error.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace async_test;
using recoup::attempt;
using recoup::category;
using recoup::failure;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::manual_clock;

auto const soon = retry{.max_attempts = 3, .backoff = recoup::constant(1ms)};
auto const at_once = retry{.max_attempts = 3, .backoff = recoup::constant(0ms)};

/// Fails so often with a reset connection, and then gives the text.
struct flaky {
    std::shared_ptr<int> failures;
    asio::awaitable<std::string> operator()(std::string text) const {
        co_await sleep(0ms);
        if (*failures > 0) {
            --*failures;
            throw boost::system::system_error{asio::error::connection_reset};
        }
        co_return "got " + text;
    }
};

flaky fails(int times) { return {std::make_shared<int>(times)}; }

/// Goes on for an hour, unless it is cancelled; counts both.
struct endless {
    int& begun;
    int& cancelled;
    asio::awaitable<int> operator()() const {
        ++begun;
        try {
            co_await sleep(1h);
        } catch (boost::system::system_error const&) {
            ++cancelled;
            throw;
        }
        co_return 1;
    }
};

}  // namespace

TEST_CASE("a coroutine is tried again, and its last failure is whole", "[async]") {
    static_assert(std::is_same_v<decltype(with_recovery(fails(1))("x")),
                                 asio::awaitable<result<std::string>>>);
    CHECK(run(with_recovery(fails(2), soon)("x")).value() == "got x");
    auto const ended = run(with_recovery(fails(9), soon)("x"));
    REQUIRE_FALSE(ended);
    CHECK(ended.error().category() == category::network_connection);
    CHECK(ended.error().code() == std::errc::connection_reset);
    CHECK(ended.error().attempts() == 3);
    CHECK(ended.error().stopped() == stop_reason::attempts_exhausted);
    CHECK_THROWS_AS(ended.value(), boost::system::system_error);
}

TEST_CASE("what a coroutine gives is flattened, as of a plain call", "[async]") {
    auto const nothing = with_recovery([]() -> asio::awaitable<void> { co_return; });
    static_assert(std::is_same_v<decltype(nothing()), asio::awaitable<result<void>>>);
    CHECK(run(nothing()));
    auto const gives_result = with_recovery(
        []() -> asio::awaitable<result<int>> { co_return failure{category::permission}; });
    static_assert(std::is_same_v<decltype(gives_result()), asio::awaitable<result<int>>>);
    CHECK(run(gives_result()).error().stopped() == stop_reason::not_retryable);
    auto const moves = with_recovery(
        [](std::unique_ptr<int> what) -> asio::awaitable<std::unique_ptr<int>> { co_return what; });
    CHECK(*run(moves(std::make_unique<int>(3))).value() == 3);
}

TEST_CASE("the coroutine owns what it needs: the wrapper and the arguments may be gone",
          "[async]") {
    asio::io_context context;
    auto found = std::string{};
    auto body = [&] {
        auto const text = std::string(100, 'x');
        return with_recovery(fails(1), soon)(text);
    }();
    spawn(context, std::move(body), [&](result<std::string> got) { found = got.value(); });
    context.run();
    CHECK(found == "got " + std::string(100, 'x'));
}

TEST_CASE("each attempt gets the attempt and the arguments as they were", "[async]") {
    std::vector<std::string> seen;
    auto const call = with_recovery(
        [&](attempt& current, std::string& text) -> asio::awaitable<int> {
            seen.push_back(std::to_string(current.number()) + text);
            if (current.previous_failure())
                seen.push_back(std::string{to_string(current.previous_failure()->category())});
            co_await sleep(0ms);
            if (current.number() < 2) throw boost::system::system_error{asio::error::timed_out};
            co_return 1;
        },
        soon);
    CHECK(run(call(std::string{"a"})));
    CHECK(seen == std::vector<std::string>{"1a", "2a", "network_timeout"});
}

TEST_CASE("waits are timers: other coroutines of the thread go on meanwhile", "[async]") {
    asio::io_context context;
    auto ticks = 0;
    auto done = false;
    auto const slow = with_recovery(fails(1), retry{.backoff = recoup::constant(50ms)});
    spawn(context, slow("x"), [&](auto&&...) { done = true; });
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            while (!done) {
                co_await sleep(1ms);
                ++ticks;
            }
        },
        asio::detached);
    context.run();
    CHECK(ticks > 5);
}

TEST_CASE("on a manual clock nothing waits, and events are as of a plain call", "[async]") {
    manual_clock clock;
    recoup::testing::event_recorder events;
    auto const call =
        with_recovery(fails(1), retry{.backoff = recoup::constant(1h)}, events, recoup::on(clock));
    CHECK(run(call("x")));
    CHECK(clock.waits() == std::vector<recoup::duration>{1h});
    CHECK(events.trace() == std::vector<std::string>{"operation_started", "attempt_started 1",
                                                     "attempt_failed 1 network_connection",
                                                     "retry_scheduled 1 network_connection 3600s",
                                                     "attempt_started 2", "operation_succeeded 2"});
}

TEST_CASE("the deadline ends it where the next attempt would begin behind it", "[async]") {
    manual_clock clock;
    auto const call =
        with_recovery(fails(9), retry{.max_attempts = 9, .backoff = recoup::constant(10s)},
                      recoup::deadline{25s}, recoup::on(clock));
    auto const ended = run(call("x"));
    CHECK(ended.error().stopped() == stop_reason::deadline);
    CHECK(ended.error().attempts() == 3);
}

TEST_CASE("guards, budgets, fallbacks and value checks hold for coroutines, too", "[async]") {
    recoup::circuit_breaker breaker{{.consecutive_failures = 1}};
    auto const call = with_recovery(fails(9), at_once, breaker);
    CHECK_FALSE(run(call("x")));
    CHECK(breaker.state() == recoup::breaker_state::open);
    CHECK(run(call("x")).error().stopped() == stop_reason::breaker_open);

    recoup::retry_budget budget{{.ratio = 0, .per_second = 0, .reserve = 1, .at_most = 1}};
    auto const poor = run(with_recovery(fails(9), at_once, budget)("x"));
    CHECK(poor.error().stopped() == stop_reason::budget_empty);
    CHECK(poor.error().attempts() == 2);

    CHECK(run(with_recovery(fails(9), at_once, recoup::fallback("none"))("x")).value() == "none");
    CHECK(run(with_recovery(fails(9), at_once, recoup::not_idempotent{})("x")).error().attempts() ==
          1);
    auto const picky =
        with_recovery(fails(0), at_once, recoup::retry_if([](std::string const&) { return true; }));
    CHECK(run(picky("x")).error().code() == recoup::errc::value_rejected);
}

TEST_CASE("nested retries of coroutines do not multiply", "[async][field]") {
    auto calls = 0;
    auto const inner = with_recovery(
        [&]() -> asio::awaitable<int> {
            ++calls;
            co_await sleep(0ms);
            throw boost::system::system_error{asio::error::connection_refused};
        },
        at_once);
    auto const outer = with_recovery(
        [&]() -> asio::awaitable<result<int>> { co_return co_await inner(); }, at_once);
    CHECK(run(outer()).error().stopped() == stop_reason::retried_within);
    CHECK(calls == 3);
}

TEST_CASE("an attempt timeout really cancels the attempt, and it is tried again", "[async]") {
    auto begun = 0;
    auto cancelled = 0;
    auto const call = with_recovery(endless{begun, cancelled}, soon, recoup::attempt_timeout{5ms});
    auto const ended = run(call());
    REQUIRE_FALSE(ended);
    CHECK(ended.error().code() == recoup::errc::attempt_timed_out);
    CHECK(ended.error().category() == category::network_timeout);
    CHECK(ended.error().attempts() == 3);
    CHECK(begun == 3);
    CHECK(cancelled == 3);
    CHECK(run(with_recovery(fails(1), soon, recoup::attempt_timeout{1h})("x")).value() == "got x");
}

TEST_CASE("a cancellation reaches the attempt, and ends the operation as cancelled", "[async]") {
    asio::io_context context;
    asio::cancellation_signal signal;
    auto begun = 0;
    auto cancelled = 0;
    auto found = std::optional<result<int>>{};
    SECTION("in an attempt") {
        spawn(
            context, with_recovery(endless{begun, cancelled}, soon)(),
            [&](result<int> got) { found.emplace(std::move(got)); },
            asio::bind_cancellation_slot(signal.slot(), asio::detached));
    }
    SECTION("in an attempt with a timeout") {
        spawn(
            context, with_recovery(endless{begun, cancelled}, soon, recoup::attempt_timeout{1h})(),
            [&](result<int> got) { found.emplace(std::move(got)); },
            asio::bind_cancellation_slot(signal.slot(), asio::detached));
    }
    asio::steady_timer timer{context, 5ms};
    timer.async_wait([&](auto) { signal.emit(asio::cancellation_type::terminal); });
    context.run();
    REQUIRE(found);
    REQUIRE_FALSE(*found);
    CHECK(found->error().stopped() == stop_reason::cancelled);
    CHECK(begun == 1);
    CHECK(cancelled == 1);
}

TEST_CASE("field pain 8: a cancellation and a stop request end a wait at once", "[async][field]") {
    auto const patient = retry{.backoff = recoup::constant(1h)};
    asio::io_context context;
    auto found = std::optional<result<std::string>>{};
    auto const keep = [&](result<std::string> got) { found.emplace(std::move(got)); };
    SECTION("by the cancellation slot") {
        asio::cancellation_signal signal;
        spawn(context, with_recovery(fails(1), patient)("x"), keep,
              asio::bind_cancellation_slot(signal.slot(), asio::detached));
        asio::steady_timer timer{context, 5ms};
        timer.async_wait([&](auto) { signal.emit(asio::cancellation_type::terminal); });
        context.run();
    }
    SECTION("by a stop token, from another thread") {
        std::stop_source stop;
        std::atomic<bool> waits = false;
        auto const told = recoup::on_retry([&](recoup::event const&) { waits = true; });
        spawn(context, with_recovery(fails(1), patient, told, stop.get_token())("x"), keep);
        std::jthread const stopper{[&] {
            while (!waits) std::this_thread::yield();
            stop.request_stop();
        }};
        context.run();
    }
    SECTION("by a stop token that was triggered before") {
        std::stop_source stop;
        stop.request_stop();
        spawn(context, with_recovery(fails(1), patient, stop.get_token())("x"), keep);
        context.run();
    }
    SECTION("on a clock of its own") {
        manual_clock clock{{.auto_advance = false}};
        asio::cancellation_signal signal;
        spawn(context, with_recovery(fails(1), patient, recoup::on(clock))("x"), keep,
              asio::bind_cancellation_slot(signal.slot(), asio::detached));
        std::jthread const stopper{[&] {
            clock.await_waiting(1);
            asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
        }};
        context.run();
    }
    REQUIRE(found);
    CHECK(found->error().stopped() == stop_reason::cancelled);
}

TEST_CASE("a success needs no memory beyond its frame and that of the coroutine", "[async]") {
    auto const bare = [](int x) -> asio::awaitable<int> { co_return x; };
    auto const wrapped = with_recovery(bare, retry{});
    auto const allocated = [](auto const& call) {
        return run([](auto what) -> asio::awaitable<std::uint64_t> {
            static_cast<void>(co_await what(1));  // Asio keeps frames for the next one
            auto const before = support::allocations();
            for (auto i = 0; i < 100; ++i) static_cast<void>(co_await what(i));
            co_return support::allocations() - before;
        }(call));
    };
    CHECK(allocated(bare) == 0);
    CHECK(allocated(wrapped) <= 100);  // one frame, where Asio has no other to use again
}
