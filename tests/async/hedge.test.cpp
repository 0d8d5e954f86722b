// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include "async/async_support.hpp"
#include "support/catch.hpp"

#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/hedge.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/retry/retry_budget.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/system/system_error.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace async_test;
using recoup::hedge;
using recoup::retry;
using recoup::with_recovery;

auto const hedged_once = retry{.max_attempts = 1};
auto const plenty = recoup::hedge_options{.delay = 0ms, .ratio = 1, .reserve = 10};

/// Sleeps until it is cancelled, and notes that.
asio::awaitable<void> until_cancelled(std::atomic<int>& cancelled) {
    try {
        co_await sleep(1h);
    } catch (boost::system::system_error const&) {
        ++cancelled;
        throw;
    }
}

}  // namespace

#if defined(__SANITIZE_THREAD__)
// Asio's any_io_executor counts those who hold it with a release and, before it is destroyed, a fence, which the
// thread sanitizer does not see.
extern "C" char const* __tsan_default_suppressions() {
    return "race:boost::asio::execution::detail::shared_target_executor\n";
}
#endif

TEST_CASE("a hedge overtakes a slow attempt, which is really cancelled", "[async][hedge]") {
    hedge hedges{plenty};
    recoup::testing::event_recorder events;
    std::atomic<int> cancelled = 0;
    auto calls = 0;
    auto const call = with_recovery(
        [&](int value) -> asio::awaitable<int> {
            if (++calls == 1) co_await until_cancelled(cancelled);
            co_return value + calls;
        },
        hedges, hedged_once, std::ref(events));
    CHECK(run(call(40)).value() == 42);
    CHECK(calls == 2);
    CHECK(cancelled == 1);
    CHECK(events.trace() == std::vector<std::string>{"operation_started", "attempt_started 1",
                                                     "hedged 1", "hedge_won 1",
                                                     "operation_succeeded 1"});
    CHECK(hedges.snapshot().begun == 1);
    CHECK(hedges.snapshot().won == 1);
}

TEST_CASE("a slow hedge is cancelled when the attempt itself gives a value", "[async][hedge]") {
    hedge hedges{plenty};
    std::atomic<int> cancelled = 0;
    std::atomic<bool> second = false;
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            if (++calls == 2) {
                second = true;
                co_await until_cancelled(cancelled);
            }
            while (!second) co_await sleep(0ms);
            co_return 7;
        },
        hedges, hedged_once);
    CHECK(run(call()).value() == 7);
    CHECK(cancelled == 1);
    CHECK(hedges.snapshot().won == 0);
}

TEST_CASE("a loser sees the end in its stop token, and each has one of its own", "[async][hedge]") {
    hedge hedges{plenty};
    auto seen = std::vector<bool>{};
    auto tokens = std::vector<std::string>{};
    auto calls = 0;
    auto const call = with_recovery(
        [&](recoup::attempt& current) -> asio::awaitable<int> {
            if (++calls == 1) {
                // The hedge asks first, and has to get the token of the attempt all the same.
                while (tokens.empty()) co_await sleep(0ms);
                tokens.push_back(current.idempotency_token());
                try {
                    co_await sleep(1h);
                } catch (boost::system::system_error const&) {
                    seen.push_back(current.stop_token().stop_requested());
                    throw;
                }
            }
            tokens.push_back(current.idempotency_token());
            while (tokens.size() == 1) co_await sleep(0ms);
            seen.push_back(current.stop_token().stop_requested());
            co_return static_cast<int>(current.number());
        },
        hedges, hedged_once);
    CHECK(run(call()).value() == 1);
    CHECK(seen == std::vector<bool>{false, true});
    REQUIRE(tokens.size() == 2);
    CHECK(tokens[0] == tokens[1]);
}

TEST_CASE("there is no hedge where the attempt is quick", "[async][hedge]") {
    recoup::testing::manual_clock clock{{.auto_advance = false}};
    hedge hedges{{.delay = 10ms, .ratio = 1, .reserve = 10}};
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            ++calls;
            clock.advance(9ms);
            co_return 1;
        },
        hedges, hedged_once, recoup::on(clock));
    for (auto i = 0; i < 20; ++i) CHECK(run(call()).value() == 1);
    CHECK(calls == 20);
    CHECK(hedges.snapshot().begun == 0);
    CHECK(clock.alarms() == 0);
}

TEST_CASE("a hedge begins when its delay has passed on the clock, and not before",
          "[async][hedge]") {
    recoup::testing::manual_clock clock{{.auto_advance = false}};
    hedge hedges{{.delay = 10ms, .ratio = 1, .reserve = 10}};
    recoup::testing::event_recorder events;
    std::atomic<int> cancelled = 0;
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            if (++calls == 1) {
                clock.advance(9ms);
                co_await sleep(5ms);
                CHECK(calls == 1);
                clock.advance(1ms);
                co_await until_cancelled(cancelled);
            }
            co_return calls;
        },
        hedges, hedged_once, recoup::on(clock), std::ref(events));
    CHECK(run(call()).value() == 2);
    CHECK(cancelled == 1);
    for (auto const& one : events.events())
        if (one.kind == recoup::event_kind::hedged) CHECK(one.delay == 10ms);
    CHECK(clock.alarms() == 0);
}

TEST_CASE("a failure of one racer waits for the others", "[async][hedge]") {
    hedge hedges{plenty};
    recoup::testing::event_recorder events;
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            if (++calls == 2) throw boost::system::system_error{asio::error::connection_reset};
            co_await sleep(20ms);
            co_return 5;
        },
        hedges, hedged_once, std::ref(events));
    CHECK(run(call()).value() == 5);
    CHECK(events.trace() ==
          std::vector<std::string>{"operation_started", "attempt_started 1", "hedged 1",
                                   "racer_failed 1 network_connection", "operation_succeeded 1"});
}

TEST_CASE("an attempt has failed when all its racers have, and is tried again", "[async][hedge]") {
    hedge hedges{plenty};
    recoup::testing::event_recorder events;
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            auto const number = ++calls;
            co_await sleep(number % 2 == 1 ? 10ms : 0ms);
            if (number == 1) throw std::runtime_error{"the slower one"};
            if (number == 2) throw boost::system::system_error{asio::error::connection_reset};
            co_return number;
        },
        hedges, retry{.max_attempts = 2, .backoff = recoup::constant(0ms)}, std::ref(events));
    CHECK(run(call()).value() >= 3);
    auto const trace = events.trace();
    REQUIRE(trace.size() > 5);
    CHECK(trace[3] == "racer_failed 1 network_connection");
    CHECK(trace[4] == "attempt_failed 1 unknown");
    CHECK(trace[5] == "retry_scheduled 1 unknown 0s");
}

TEST_CASE("an attempt that fails before its delay has no hedge", "[async][hedge]") {
    hedge hedges{{.delay = 1h, .ratio = 1, .reserve = 10}};
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            ++calls;
            throw std::runtime_error{"no"};
            co_return 1;
        },
        hedges, retry{.max_attempts = 3, .backoff = recoup::constant(0ms)});
    auto const got = run(call());
    CHECK_FALSE(got);
    CHECK(got.error().attempts() == 3);
    CHECK(calls == 3);
}

TEST_CASE("hedges are bounded for each attempt", "[async][hedge]") {
    hedge hedges{{.delay = 0ms, .most = 3, .ratio = 1, .reserve = 10}};
    std::atomic<int> cancelled = 0;
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            if (++calls == 1) {
                co_await sleep(30ms);
                co_return 1;
            }
            co_await until_cancelled(cancelled);
            co_return 2;
        },
        hedges, hedged_once);
    CHECK(run(call()).value() == 1);
    CHECK(calls == 4);
    CHECK(cancelled == 3);
}

TEST_CASE("hedges are bounded by their share of the calls", "[async][hedge]") {
    hedge hedges{{.delay = 0ms, .ratio = 0.1, .reserve = 2, .at_most = 2}};
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            ++calls;
            co_await sleep(1ms);
            co_return 1;
        },
        hedges, hedged_once);
    for (auto i = 0; i < 100; ++i) CHECK(run(call()).value() == 1);
    CHECK(calls <= 100 + 2 + 10);
    CHECK(calls >= 100 + 10);
    CHECK(hedges.snapshot().begun == static_cast<std::uint64_t>(calls - 100));
    CHECK(hedges.snapshot().refused >= 80);
}

TEST_CASE("hedges may be paid for by the budget of the retries", "[async][hedge]") {
    recoup::retry_budget budget{{.ratio = 0, .per_second = 0, .reserve = 3, .at_most = 3}};
    hedge hedges{{.delay = 0ms, .ratio = 1, .reserve = 10}, budget};
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            ++calls;
            co_await sleep(1ms);
            co_return 1;
        },
        hedges, budget, hedged_once);
    for (auto i = 0; i < 10; ++i) CHECK(run(call()).value() == 1);
    CHECK(calls == 13);
    CHECK(budget.balance() < 1);
}

TEST_CASE("each hedge asks the guards, and every permit comes back", "[async][hedge]") {
    recoup::bulkhead pool{{.at_once = 2, .waiting = 10}};
    hedge hedges{{.delay = 0ms, .most = 5, .ratio = 1, .reserve = 10}};
    recoup::testing::event_recorder events;
    auto most = 0U;
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            auto const number = ++calls;
            most = std::max(most, pool.snapshot().running);
            co_await sleep(number == 1 ? 10ms : 50ms);
            if (number == 1) throw std::runtime_error{"no"};
            co_return number;
        },
        hedges, hedged_once, pool, std::ref(events));
    CHECK(run(call()).value() == 2);
    CHECK(calls == 2);
    CHECK(most == 2);
    CHECK(pool.snapshot().running == 0);
    CHECK(pool.snapshot().waiting == 0);
    auto refused = 0;
    for (auto const& one : events.events())
        if (one.kind == recoup::event_kind::hedge_refused) {
            ++refused;
            CHECK(one.failure.value().code() == recoup::errc::bulkhead_full);
        }
    CHECK(refused == 1);
}

TEST_CASE("the guards get the permits of losers back", "[async][hedge]") {
    recoup::circuit_breaker breaker;
    recoup::bulkhead pool{{.at_once = 2}};
    hedge hedges{plenty};
    std::atomic<int> cancelled = 0;
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            if (++calls % 2 == 1) co_await until_cancelled(cancelled);
            co_return 1;
        },
        hedges, hedged_once, breaker, pool);
    for (auto i = 0; i < 5; ++i) CHECK(run(call()).value() == 1);
    CHECK(cancelled == 5);
    CHECK(pool.snapshot().running == 0);
    CHECK(breaker.state() == recoup::breaker_state::closed);
}

TEST_CASE("the delay follows a percentile of what successful attempts took", "[async][hedge]") {
    recoup::testing::manual_clock clock{{.auto_advance = false}};
    hedge hedges{{.delay = 1s, .percentile = 0.9, .samples = 20, .ratio = 0, .reserve = 0}};
    auto latency = recoup::duration{};
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            clock.advance(latency);
            co_return 1;
        },
        hedges, hedged_once, recoup::on(clock));
    for (auto i = 1; i <= 19; ++i) {
        latency = i * 10ms;
        CHECK(run(call()).value() == 1);
        CHECK(hedges.delay() == 1s);  // too few are known
    }
    latency = 200ms;
    CHECK(run(call()).value() == 1);
    CHECK(hedges.delay() == 180ms);  // of 20, the 18th
    latency = 5ms;
    for (auto i = 0; i < 20; ++i) CHECK(run(call()).value() == 1);
    CHECK(hedges.delay() == 5ms);
    latency = 0ms;
    for (auto i = 0; i < 20; ++i) CHECK(run(call()).value() == 1);
    CHECK(hedges.delay() == 1ms);  // no less than delay_min
}

TEST_CASE("what a hedge has overtaken counts with the time until that", "[async][hedge]") {
    recoup::testing::manual_clock clock{{.auto_advance = false}};
    hedge hedges{{.delay = 50ms, .percentile = 0.5, .samples = 20, .ratio = 1, .reserve = 10}};
    std::atomic<int> cancelled = 0;
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            if (++calls % 2 == 1) {
                clock.advance(50ms);
                co_await until_cancelled(cancelled);
            }
            co_return 1;
        },
        hedges, hedged_once, recoup::on(clock));
    for (auto i = 0; i < 20; ++i) CHECK(run(call()).value() == 1);
    CHECK(calls == 40);
    CHECK(hedges.delay() == 50ms);
}

TEST_CASE("a cancellation from outside ends all racers", "[async][hedge]") {
    asio::io_context context;
    asio::cancellation_signal signal;
    hedge hedges{{.delay = 0ms, .most = 2, .ratio = 1, .reserve = 10}};
    std::atomic<int> cancelled = 0;
    auto calls = 0;
    auto found = std::optional<recoup::result<int>>{};
    recoup::bulkhead pool{{.at_once = 5}};
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            if (++calls == 3)
                asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
            co_await until_cancelled(cancelled);
            co_return 1;
        },
        hedges, retry{.max_attempts = 5, .backoff = recoup::constant(0ms)}, pool);
    spawn(
        context, call(), [&](recoup::result<int> got) { found.emplace(std::move(got)); },
        asio::bind_cancellation_slot(signal.slot(), asio::detached));
    context.run();
    REQUIRE(found);
    CHECK(found->error().stopped() == recoup::stop_reason::cancelled);
    CHECK(found->error().attempts() == 1);
    CHECK(calls == 3);
    CHECK(cancelled == 3);
    CHECK(pool.snapshot().running == 0);
}

TEST_CASE("a stop token ends all racers, from another thread", "[async][hedge][concurrent]") {
    hedge hedges{{.delay = 0ms, .most = 2, .ratio = 1, .reserve = 10}};
    std::stop_source stop;
    std::atomic<int> cancelled = 0;
    std::atomic<int> calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            ++calls;
            co_await until_cancelled(cancelled);
            co_return 1;
        },
        hedges, retry{.max_attempts = 5, .backoff = recoup::constant(0ms)}, stop.get_token());
    std::jthread const other{[&] {
        while (calls < 3) std::this_thread::yield();
        stop.request_stop();
    }};
    auto const ended = run(call());
    CHECK(ended.error().stopped() == recoup::stop_reason::cancelled);
    CHECK(cancelled == 3);
}

TEST_CASE("each racer has the time of an attempt", "[async][hedge]") {
    hedge hedges{plenty};
    std::atomic<int> cancelled = 0;
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            ++calls;
            co_await until_cancelled(cancelled);
            co_return 1;
        },
        hedges, hedged_once, recoup::attempt_timeout{5ms});
    CHECK(run(call()).error().code() == recoup::errc::attempt_timed_out);
    CHECK(calls == 2);
    CHECK(cancelled == 2);
}

TEST_CASE("on many threads each hedged operation is whole, and no permit leaks",
          "[async][hedge][concurrent]") {
    constexpr auto operations = 400;
    asio::thread_pool threads{4};
    recoup::bulkhead pool{{.at_once = operations + 10, .waiting = operations}};
    recoup::circuit_breaker breaker;
    hedge hedges{{.delay = 50us,
                  .percentile = 0.5,
                  .delay_min = 20us,
                  .samples = 20,
                  .most = 2,
                  .ratio = 1,
                  .reserve = 100,
                  .at_most = 100}};
    std::atomic<int> running = 0;
    std::atomic<int> succeeded = 0;
    std::atomic<int> calls = 0;
    struct counted {
        std::atomic<int>& count;
        explicit counted(std::atomic<int>& of) : count{of} { ++count; }
        ~counted() { --count; }
    };
    auto const call = with_recovery(
        [&](int number, std::string const& text) -> asio::awaitable<int> {
            counted const here{running};
            auto const turn = calls++;
            co_await sleep(turn % 4 == 0 ? 20ms : 100us);
            if (turn % 5 == 0) throw boost::system::system_error{asio::error::connection_reset};
            co_return number + static_cast<int>(text.size());
        },
        hedges, retry{.max_attempts = 50, .backoff = recoup::constant(50us)}, pool, breaker);
    for (auto i = 0; i < operations; ++i)
        spawn(threads, call(i, "four"), [&, i](recoup::result<int> got) {
            if (got && got.value() == i + 4) ++succeeded;
        });
    threads.join();
    CHECK(succeeded == operations);
    CHECK(running == 0);
    CHECK(pool.snapshot().running == 0);
    CHECK(pool.snapshot().waiting == 0);
    auto const seen = hedges.snapshot();
    CHECK(seen.begun > 0);
    CHECK(seen.begun <= operations + 100);
}

TEST_CASE("on many threads, cancellations from elsewhere end hedged operations",
          "[async][hedge][concurrent]") {
    for (auto round = 0; round < 30; ++round) {
        asio::thread_pool threads{4};
        std::stop_source stop;
        hedge hedges{{.delay = 0ms, .most = 2, .ratio = 1, .reserve = 100, .at_most = 100}};
        recoup::bulkhead pool{{.at_once = 1'000}};
        std::atomic<int> ended = 0;
        std::atomic<int> begun = 0;
        auto const call = with_recovery(
            [&]() -> asio::awaitable<int> {
                auto const number = ++begun;
                co_await sleep(number % 3 == 0 ? 1h : 50us);
                throw boost::system::system_error{asio::error::connection_reset};
            },
            retry{.max_attempts = 1'000'000, .backoff = recoup::constant(50us)}, hedges, pool,
            stop.get_token());
        for (auto i = 0; i < 20; ++i)
            spawn(threads, call(), [&](recoup::result<int> got) {
                if (got.error().stopped() == recoup::stop_reason::cancelled) ++ended;
            });
        while (begun < 40) std::this_thread::yield();
        stop.request_stop();
        threads.join();
        REQUIRE(ended == 20);
        REQUIRE(pool.snapshot().running == 0);
    }
}
