// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include "async/async_support.hpp"
#include "support/catch.hpp"

#include <recoup/guard/deadline.hpp>
#include <recoup/reloadable.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/retry/retry_if.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/fault_plan.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/system/system_error.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Attempts that others than the coroutine's own slot may end: stop tokens and timeouts.

namespace {

using namespace std::chrono_literals;
using namespace async_test;
using recoup::attempt;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::fault_plan;
using recoup::testing::manual_clock;

auto const thrice = retry{.max_attempts = 3, .backoff = recoup::constant(0ms)};

/// Runs `body` to its end; `act` is called once `ready` says so, on another thread.
template <class T>
result<T> run_beside(asio::awaitable<result<T>> body, std::atomic<bool> const& ready,
                     std::function<void()> const& act) {
    asio::io_context context;
    auto found = std::optional<result<T>>{};
    spawn(context, std::move(body), [&](result<T> got) { found.emplace(std::move(got)); });
    std::jthread const other{[&] {
        while (!ready) std::this_thread::yield();
        act();
    }};
    context.run();
    return std::move(found).value();
}

/// Requests a stop while it admits an attempt: after the last look at the token before the attempt.
class stopping_guard {
  public:
    explicit stopping_guard(std::stop_source& stop) : stop_{stop} {}
    stopping_guard(stopping_guard const&) = delete;
    stopping_guard& operator=(stopping_guard const&) = delete;

    struct permit {
        explicit operator bool() const noexcept { return true; }
        void succeeded(auto&) noexcept {}
        void failed(recoup::category, bool, auto&) noexcept {}
    };
    permit try_acquire(auto&) noexcept {
        stop_.request_stop();
        return {};
    }
    recoup::duration retry_in(auto&) const noexcept { return {}; }

  private:
    std::stop_source& stop_;
};

}  // namespace

TEST_CASE("a stop token really cancels the attempt that runs, from another thread",
          "[async][concurrent]") {
    std::stop_source stop;
    std::atomic<bool> begun = false;
    auto cancelled = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            begun = true;
            try {
                co_await sleep(1h);
            } catch (boost::system::system_error const&) {
                ++cancelled;
                throw;
            }
            co_return 1;
        },
        thrice, stop.get_token());
    auto const ended = run_beside<int>(call(), begun, [&] { stop.request_stop(); });
    REQUIRE_FALSE(ended);
    CHECK(ended.error().stopped() == stop_reason::cancelled);
    CHECK(ended.error().attempts() == 1);
    CHECK(cancelled == 1);
}

TEST_CASE("a stop that comes just before an attempt begins is not lost", "[async]") {
    std::stop_source stop;
    stopping_guard gate{stop};
    recoup::testing::event_recorder events;
    auto calls = 0;
    auto const ended = run(with_recovery(
        [&]() -> asio::awaitable<int> {
            ++calls;
            co_await sleep(1h);
            co_return 1;
        },
        thrice, gate, stop.get_token(), std::ref(events))());
    REQUIRE_FALSE(ended);
    CHECK(ended.error().stopped() == stop_reason::cancelled);
    CHECK(calls == 0);
    CHECK(events.trace() == std::vector<std::string>{"operation_started", "attempt_started 1",
                                                     "attempt_failed 1 cancelled",
                                                     "operation_failed 1 cancelled cancelled"});
}

TEST_CASE("an attempt that gives a value although it was told to end has given it", "[async]") {
    std::stop_source stop;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            stop.request_stop();
            co_return 7;
        },
        thrice, stop.get_token());
    CHECK(run(call()).value() == 7);
    auto const slow = with_recovery(
        []() -> asio::awaitable<int> {
            try {
                co_await sleep(1h);
            } catch (boost::system::system_error const&) {
                // It has what it needs.
            }
            co_return 8;
        },
        thrice, recoup::attempt_timeout{1ms});
    CHECK(run(slow()).value() == 8);
}

TEST_CASE("the attempt's stop token is triggered by the coroutine's cancellation slot", "[async]") {
    asio::io_context context;
    asio::cancellation_signal signal;
    auto seen = std::vector<bool>{};
    auto found = std::optional<result<int>>{};
    auto const call = with_recovery(
        [&](attempt& current) -> asio::awaitable<int> {
            seen.push_back(current.stop_token().stop_requested());
            asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
            try {
                co_await sleep(1h);
            } catch (boost::system::system_error const&) {
                seen.push_back(current.stop_token().stop_requested());
                throw;
            }
            co_return 1;
        },
        thrice);
    spawn(
        context, call(), [&](result<int> got) { found.emplace(std::move(got)); },
        asio::bind_cancellation_slot(signal.slot(), asio::detached));
    context.run();
    CHECK(seen == std::vector<bool>{false, true});
    CHECK(found->error().stopped() == stop_reason::cancelled);
}

TEST_CASE("each attempt has a stop token of its own, which its timeout triggers", "[async]") {
    auto seen = std::vector<bool>{};
    auto const call = with_recovery(
        [&](attempt& current) -> asio::awaitable<int> {
            seen.push_back(current.stop_token().stop_requested());
            try {
                co_await sleep(1h);
            } catch (boost::system::system_error const&) {
                seen.push_back(current.stop_token().stop_requested());
                throw;
            }
            co_return 1;
        },
        retry{.max_attempts = 2, .backoff = recoup::constant(0ms)}, recoup::attempt_timeout{1ms});
    CHECK(run(call()).error().code() == recoup::errc::attempt_timed_out);
    CHECK(seen == std::vector<bool>{false, true, false, true});
}

TEST_CASE("an attempt of a coroutine has the timeout that is current when it begins", "[async]") {
    auto each = recoup::reloadable{recoup::attempt_timeout{1h}};
    auto attempts = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            if (++attempts == 1) {
                each.replace(recoup::attempt_timeout{1ms});
                throw boost::system::system_error{asio::error::connection_reset};
            }
            co_await sleep(1h);
            co_return 1;
        },
        retry{.max_attempts = 2, .backoff = recoup::constant(0ms)}, each);
    CHECK(run(call()).error().code() == recoup::errc::attempt_timed_out);
    CHECK(attempts == 2);
}

TEST_CASE("what remains for an attempt is the shorter of its timeout and the deadline", "[async]") {
    manual_clock clock;
    auto seen = std::vector<recoup::duration>{};
    auto const look = [&](attempt& current) -> asio::awaitable<int> {
        seen.push_back(current.remaining());
        clock.advance(4s);
        seen.push_back(current.remaining());
        if (current.number() < 2) throw boost::system::system_error{asio::error::connection_reset};
        co_return 1;
    };
    CHECK(run(with_recovery(look, thrice, recoup::attempt_timeout{10s}, recoup::on(clock))()));
    CHECK(seen == std::vector<recoup::duration>{10s, 6s, 10s, 6s});
    seen.clear();
    CHECK(run(with_recovery(look, thrice, recoup::attempt_timeout{10s}, recoup::deadline{13s},
                            recoup::on(clock))()));
    CHECK(seen == std::vector<recoup::duration>{10s, 6s, 9s, 5s});
}

TEST_CASE("an attempt timeout on a clock that was given is cancelled when that says so",
          "[async][concurrent]") {
    manual_clock clock;
    auto seen = std::vector<bool>{};
    std::atomic<bool> begun = false;
    auto const call = with_recovery(
        [&](attempt& current) -> asio::awaitable<int> {
            if (current.number() == 2) co_return 2;
            seen.push_back(current.stop_token().stop_requested());
            begun = true;
            begun.notify_one();
            try {
                co_await sleep(1h);
            } catch (boost::system::system_error const&) {
                seen.push_back(current.stop_token().stop_requested());
                throw;
            }
            co_return 1;
        },
        thrice, recoup::attempt_timeout{5s}, recoup::on(clock));
    {
        std::jthread const time{[&] {
            clock.await_alarms(1);
            begun.wait(false);
            clock.advance(5s - 1ns);
            clock.advance(1ns);
        }};
        CHECK(run(call()).value() == 2);
    }
    CHECK(seen == std::vector<bool>{false, true});
    CHECK(clock.alarms() == 0);
    CHECK(clock.elapsed() == 5s);
}

TEST_CASE("a coroutine that goes before its timeout leaves no alarm on the clock", "[async]") {
    manual_clock clock;
    {
        asio::io_context context;
        auto const call = with_recovery(
            []() -> asio::awaitable<int> {
                co_await sleep(1h);
                co_return 1;
            },
            recoup::attempt_timeout{5s}, recoup::on(clock));
        spawn(context, call(), [](auto const&) {});
        context.poll();
        CHECK(clock.alarms() == 1);
    }
    CHECK(clock.alarms() == 0);
    clock.advance(1h);
}

TEST_CASE("a predicate that throws has failed the attempt, as in a plain call", "[async]") {
    auto const throws = recoup::retry_if([](int) -> bool { throw std::out_of_range{"no"}; });
    auto const ended =
        run(with_recovery([]() -> asio::awaitable<int> { co_return 1; }, thrice, throws)());
    REQUIRE_FALSE(ended);
    CHECK_THROWS_AS(ended.value(), std::out_of_range);
}

TEST_CASE("a coroutine is retried as a plain call is: the same waits and the same events",
          "[async]") {
    auto const by_ten = retry{.max_attempts = 3, .backoff = recoup::linear(10ms, 1s)};
    for (auto const* script :
         {"ok", "fail,ok", "throw,fail,ok", "fail*", "permission", "fail,permission", "throw*"}) {
        CAPTURE(script);
        auto const next = [](fault_plan const& faults) -> result<int> {
            if (auto what = faults.next(); !what) return std::move(what).assume_error();
            return 5;
        };
        manual_clock plain_clock;
        recoup::testing::event_recorder plain_events;
        fault_plan const plain_faults{script};
        auto const plain =
            with_recovery([&] { return next(plain_faults); }, by_ten, recoup::deadline{25ms},
                          recoup::on(plain_clock), std::ref(plain_events))();

        manual_clock clock;
        recoup::testing::event_recorder events;
        fault_plan const faults{script};
        auto const got = run(with_recovery(
            [&](attempt&) -> asio::awaitable<result<int>> {
                co_await sleep(0ms);
                co_return next(faults);
            },
            by_ten, recoup::deadline{25ms}, recoup::on(clock), std::ref(events))());
        CHECK(events.trace() == plain_events.trace());
        CHECK(clock.waits() == plain_clock.waits());
        REQUIRE(got.has_value() == plain.has_value());
        if (got) continue;
        CHECK(got.error().stopped() == plain.error().stopped());
        CHECK(got.error().attempts() == plain.error().attempts());
        CHECK(got.error().code() == plain.error().code());
    }
}

TEST_CASE("a context may end in the middle of an attempt, before the slot and the token do",
          "[async]") {
    asio::cancellation_signal signal;
    std::stop_source stop;
    auto const owned = std::make_shared<int>(1);
    auto const call = with_recovery(
        [](attempt&, std::shared_ptr<int> const& what) -> asio::awaitable<int> {
            auto const held = what;
            co_await sleep(1h);
            co_return *held;
        },
        thrice, recoup::attempt_timeout{1h}, stop.get_token());
    {
        asio::io_context context;
        spawn(
            context, call(owned), [](result<int>) { FAIL("it has not ended"); },
            asio::bind_cancellation_slot(signal.slot(), asio::detached));
        while (owned.use_count() < 3) context.run_one();
    }
    CHECK(owned.use_count() == 1);
    stop.request_stop();
}

TEST_CASE("on many threads timeouts and stops meet attempts at any moment, and each ends once",
          "[async][concurrent]") {
    constexpr auto operations = 400;
    asio::thread_pool threads{4};
    std::stop_source stop;
    std::atomic<int> begun = 0;
    std::atomic<int> values = 0;
    std::atomic<int> timed_out = 0;
    std::atomic<int> stopped = 0;
    std::atomic<int> others = 0;
    auto const call = with_recovery(
        [&](attempt&, int number) -> asio::awaitable<int> {
            ++begun;
            for (auto i = 0; i < number % 40; ++i) co_await sleep(20us);
            co_return number;
        },
        thrice, recoup::attempt_timeout{500us}, stop.get_token());
    for (auto i = 0; i < operations; ++i)
        spawn(threads, call(i), [&](result<int> got) {
            if (got)
                ++values;
            else if (got.error().stopped() == stop_reason::cancelled)
                ++stopped;
            else if (got.error().code() == recoup::errc::attempt_timed_out)
                ++timed_out;
            else
                ++others;
        });
    while (begun < operations / 2) std::this_thread::yield();
    stop.request_stop();
    threads.join();
    CHECK(values + timed_out + stopped == operations);
    CHECK(others == 0);
    CHECK(stopped > 0);
}
