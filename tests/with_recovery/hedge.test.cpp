// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/hedge.hpp>

#include <recoup/explain.hpp>
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/observe/trace.hpp>
#include <recoup/retry/retry_budget.hpp>
#include <recoup/retry/retry_if.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "with_recovery/with_recovery_support.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

// Hedges of plain calls: the first success is taken, and who loses is told, owned, counted and waited for.

namespace plain_hedge_test {

using namespace std::chrono_literals;
using namespace with_recovery_test;
using recoup::abandon_pool;
using recoup::event_kind;
using recoup::hedge;
using recoup::result;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::event_recorder;
using recoup::testing::manual_clock;
using trace = std::vector<std::string>;

auto const hedged_once = recoup::retry{.max_attempts = 1};
auto const plenty = recoup::hedge_options{.delay = 0ms, .ratio = 1, .reserve = 10};
auto const once_begun = recoup::hedge_options{.delay = 1ms, .ratio = 1, .reserve = 10};
auto const never_due = recoup::hedge_options{.delay = 1h, .ratio = 1, .reserve = 10};

/// Waits until a stop is requested.
void await_stop(std::stop_token const& stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock{mutex};
    changed.wait(lock, stop, [] { return false; });
}

/// Numbers its callers. On its clock a hedge with `once_begun` is due when the first one has come, which is the
/// attempt itself then, however late its thread runs.
class turns {
  public:
    int next() {
        auto const number = ++count_;
        if (number == 1) clock.advance(once_begun.delay);
        return number;
    }
    int count() const { return count_; }

    manual_clock clock{{.auto_advance = false}};

  private:
    std::atomic<int> count_ = 0;
};

TEST_CASE("a hedge overtakes a slow plain call, which is let go and told of",
          "[hedge][concurrent]") {
    hedge hedges{once_begun};
    event_recorder seen;
    event_recorder told;
    recoup_test::gate gate;
    turns calls;
    abandon_pool pool{{.name = "searches"}, [&](recoup::event const& what) { told(what); }};
    auto const call = with_recovery(
        [&](int value) {
            if (calls.next() == 1) gate.pass();
            return value + calls.count();
        },
        hedges, pool, hedged_once, recoup::on(calls.clock), std::ref(seen));
    CHECK(call(40).value() == 42);
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1", "hedged 1",
                                "attempt_abandoned 1", "hedge_won 1", "operation_succeeded 1"});
    CHECK(pool.abandoned() == 1);
    CHECK(told.trace().empty());
    gate.open();
    CHECK(pool.shutdown(1h) == 0);
    CHECK(told.trace() == trace{"abandoned_ended 1"});
    CHECK(told.events()[0].operation == "searches");
    CHECK(hedges.snapshot().begun == 1);
    CHECK(hedges.snapshot().won == 1);
}

TEST_CASE("a slow hedge is let go when the plain call itself gives a value",
          "[hedge][concurrent]") {
    hedge hedges{once_begun};
    recoup_test::gate second;
    turns calls;
    abandon_pool pool;
    auto const call = with_recovery(
        [&] {
            if (calls.next() == 2) second.pass();
            second.await_arrived(1);
            return 7;
        },
        hedges, pool, hedged_once, recoup::on(calls.clock));
    CHECK(call().value() == 7);
    CHECK(hedges.snapshot().won == 0);
    CHECK(pool.abandoned() == 1);
    second.open();
}

TEST_CASE("plain racers see one number and one token, and a stop token of their own",
          "[hedge][concurrent]") {
    hedge hedges{plenty};
    std::mutex mutex;
    auto tokens = std::vector<std::string>{};
    auto numbers = std::vector<std::uint32_t>{};
    std::atomic<bool> loser_stopped = false;
    std::atomic<bool> winner_stopped = false;
    recoup_test::gate both;
    turns calls;
    abandon_pool pool;
    auto const call = with_recovery(
        [&](recoup::attempt& current) {
            auto const first = calls.next() == 1;
            {
                std::scoped_lock const lock{mutex};
                tokens.push_back(current.idempotency_token());
                numbers.push_back(current.number());
            }
            if (first) {
                both.pass();
                await_stop(current.stop_token());
                loser_stopped = true;
                return 1;
            }
            both.await_arrived(1);
            both.open();
            winner_stopped = current.stop_token().stop_requested();
            return 2;
        },
        hedges, pool, hedged_once);
    CHECK(call().value() == 2);
    CHECK(pool.shutdown(1h) == 0);
    CHECK(loser_stopped);
    CHECK_FALSE(winner_stopped);
    REQUIRE(tokens.size() == 2);
    CHECK(tokens[0] == tokens[1]);
    CHECK(numbers == std::vector<std::uint32_t>{1, 1});
}

TEST_CASE("there is no hedge where the plain call is quick", "[hedge][concurrent]") {
    manual_clock clock{{.auto_advance = false}};
    hedge hedges{{.delay = 10ms, .ratio = 1, .reserve = 10}};
    turns calls;
    abandon_pool pool{{.threads = 1}};
    auto const call = with_recovery(
        [&] {
            clock.advance(9ms);
            return calls.next();
        },
        hedges, pool, hedged_once, recoup::on(clock));
    for (auto i = 1; i <= 200; ++i) CHECK(call().value() == i);
    CHECK(hedges.snapshot().begun == 0);
    // The thread that has just given a value is free for the next call.
    CHECK(hedges.snapshot().refused == 0);
    CHECK(pool.snapshot().abandoned_ever == 0);
    CHECK(clock.alarms() == 0);
}

TEST_CASE("a hedge of a plain call begins when its delay has passed on the clock, and not before",
          "[hedge][concurrent]") {
    manual_clock clock{{.auto_advance = false}};
    hedge hedges{{.delay = 10ms, .ratio = 1, .reserve = 10}};
    event_recorder seen;
    recoup_test::gate gate;
    turns calls;
    abandon_pool pool;
    auto const call = with_recovery(
        [&] {
            auto const number = calls.next();
            if (number == 1) gate.pass();
            return number;
        },
        hedges, pool, hedged_once, recoup::on(clock), std::ref(seen));
    std::jthread const time{[&] {
        gate.await_arrived(1);
        clock.await_alarms(1);
        clock.advance(9ms);
        CHECK(clock.alarms() == 1);
        clock.advance(1ms);
    }};
    CHECK(call().value() == 2);
    for (auto const& one : seen.events())
        if (one.kind == event_kind::hedged) CHECK(one.delay == 10ms);
    CHECK(seen.count(event_kind::hedged) == 1);
    CHECK(clock.alarms() == 0);
    gate.open();
}

TEST_CASE("a failure of one plain racer waits for the others", "[hedge][concurrent]") {
    hedge hedges{once_begun};
    event_recorder seen;
    recoup_test::gate failing;
    turns calls;
    abandon_pool pool;
    auto const call = with_recovery(
        [&]() -> result<int> {
            if (calls.next() == 2) return reset;
            failing.pass();
            return 5;
        },
        hedges, pool, hedged_once, recoup::on(calls.clock), std::ref(seen),
        [&](recoup::event const& what) {
            if (what.kind == event_kind::racer_failed) failing.open();
        });
    CHECK(call().value() == 5);
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1", "hedged 1",
                                "racer_failed 1 network_connection", "operation_succeeded 1"});
    CHECK(pool.abandoned() == 0);
}

TEST_CASE("a plain call has failed when all its racers have, with what the last one said",
          "[hedge][concurrent]") {
    hedge hedges{once_begun};
    event_recorder seen;
    recoup_test::gate slower;
    std::atomic<bool> as_saved = false;
    std::atomic<bool> as_failed = false;
    turns calls;
    abandon_pool pool;
    auto const call = with_recovery(
        [&](recoup::attempt& current) -> int {
            auto const number = calls.next();
            if (number > 2) {
                // What the first one has saved is there, what its hedge has saved is not.
                as_saved = current.checkpoint<int>() == 1;
                as_failed = current.previous_failure()->exception() != nullptr;
                return number;
            }
            current.save_checkpoint(number);
            if (number == 2) throw std::system_error{reset};
            slower.pass();
            throw std::runtime_error{"the slower one"};
        },
        hedges, pool, recoup::retry{.max_attempts = 2, .backoff = recoup::constant(0ms)},
        recoup::on(calls.clock), std::ref(seen),
        [&](recoup::event const& what) {
            if (what.kind == event_kind::racer_failed) slower.open();
        });
    CHECK(call().value() >= 3);
    CHECK(pool.shutdown(1h) == 0);
    CHECK(as_saved);
    CHECK(as_failed);
    auto const events = seen.trace();
    REQUIRE(events.size() > 5);
    CHECK(events[3] == "racer_failed 1 network_connection");
    CHECK(events[4] == "attempt_failed 1 unknown");
    CHECK(events[5] == "retry_scheduled 1 unknown 0s");
}

TEST_CASE("a plain call that fails before its delay has no hedge, and passes its exception on",
          "[hedge][concurrent]") {
    hedge hedges{never_due};
    turns calls;
    abandon_pool pool;
    auto const call = with_recovery(
        [&](std::string text) -> int {
            calls.next();
            throw std::runtime_error{text};
        },
        hedges, pool, at_once);
    auto const got = call("no");
    CHECK_THROWS_WITH(got.value(), "no");
    CHECK(got.error().attempts() == 3);
    CHECK(calls.count() == 3);
    CHECK(hedges.snapshot().begun == 0);
}

TEST_CASE("hedges of a plain call are bounded for each attempt, and by their budget",
          "[hedge][concurrent]") {
    recoup_test::gate gate;
    turns calls;
    abandon_pool pool;
    SECTION("for each attempt") {
        hedge hedges{{.delay = 0ms, .most = 3, .ratio = 1, .reserve = 10}};
        auto const call = with_recovery(
            [&] {
                auto const first = calls.next() == 1;
                if (first)
                    gate.await_arrived(3);
                else
                    gate.pass();
                return first ? 1 : 2;
            },
            hedges, pool, hedged_once);
        CHECK(call().value() == 1);
        CHECK(calls.count() == 4);
        CHECK(pool.abandoned() == 3);
        CHECK(hedges.snapshot().begun == 3);
    }
    SECTION("by the budget of the retries") {
        recoup::retry_budget budget{{.ratio = 0, .per_second = 0, .reserve = 1, .at_most = 1}};
        hedge hedges{plenty, budget};
        event_recorder seen;
        auto const call = with_recovery(
            [&] {
                auto const number = calls.next();
                if (number % 2 == 1) gate.pass();
                return number;
            },
            hedges, pool, budget, hedged_once, std::ref(seen),
            [&](recoup::event const& what) {
                if (what.kind == event_kind::hedge_refused) gate.open();
            });
        CHECK(call().value() == 2);
        CHECK(call().value() == 3);
        CHECK(hedges.snapshot().begun == 1);
        CHECK(hedges.snapshot().refused == 1);
    }
    gate.open();
}

TEST_CASE("where the pool has no thread a plain call runs on that of its caller, without a hedge",
          "[hedge][concurrent]") {
    hedge hedges{plenty};
    event_recorder seen;
    recoup_test::gate gate;
    abandon_pool pool{{.threads = 1}};
    auto const here = std::this_thread::get_id();
    auto const call = with_recovery([&] { return std::this_thread::get_id(); }, hedges, pool,
                                    hedged_once, std::ref(seen));
    std::jthread const other{
        [&] { with_recovery([&] { gate.pass(); }, hedges, pool, hedged_once)().value(); }};
    gate.await_arrived(1);
    CHECK(call().value() == here);
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1",
                                "hedge_refused 1 cpu_exhausted", "operation_succeeded 1"});
    gate.open();
    CHECK(pool.shutdown(1h) == 0);
    CHECK(call().value() == here);
    CHECK(seen.events().back().kind == event_kind::operation_succeeded);
}

TEST_CASE("a hedge of a plain call that finds no thread does not begin", "[hedge][concurrent]") {
    hedge hedges{plenty};
    recoup_test::gate gate;
    event_recorder seen;
    abandon_pool pool{{.threads = 1}};
    auto const call = with_recovery([&] { gate.pass(); }, hedges, pool, hedged_once, std::ref(seen),
                                    [&](recoup::event const& what) {
                                        if (what.kind == event_kind::hedge_refused) gate.open();
                                    });
    CHECK(call());
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1",
                                "hedge_refused 1 cpu_exhausted", "operation_succeeded 1"});
}

TEST_CASE("each hedge of a plain call asks the guards, and every permit comes back",
          "[hedge][concurrent]") {
    recoup::bulkhead room{{.at_once = 2, .waiting = 10}};
    recoup::circuit_breaker breaker;
    hedge hedges{{.delay = 0ms, .most = 5, .ratio = 1, .reserve = 10}};
    event_recorder seen;
    recoup_test::gate gate;
    turns calls;
    abandon_pool pool;
    auto const call = with_recovery(
        [&] {
            auto const number = calls.next();
            if (number == 1) gate.pass();
            if (number == 2) gate.await_arrived(1);
            return static_cast<int>(room.snapshot().running);
        },
        hedges, hedged_once, room, breaker, pool, std::ref(seen));
    CHECK(call().value() == 2);
    CHECK(room.snapshot().running == 0);
    CHECK(breaker.state() == recoup::breaker_state::closed);
    auto refused = std::size_t{0};
    for (auto const& one : seen.events())
        if (one.kind == event_kind::hedge_refused) {
            ++refused;
            CHECK(one.failure.value().code() == recoup::errc::bulkhead_full);
        }
    CHECK(refused <= 1);
    gate.open();
    CHECK(pool.shutdown(1h) == 0);
}

TEST_CASE("a deadline and a stop request let go of all plain racers", "[hedge][concurrent]") {
    manual_clock clock{{.auto_advance = false}};
    hedge hedges{plenty};
    std::atomic<int> told = 0;
    recoup_test::gate gate;
    recoup::bulkhead room{{.at_once = 5}};
    std::stop_source source;
    abandon_pool pool;
    auto const call = with_recovery(
        [&](recoup::attempt& current) {
            auto const token = current.stop_token();
            gate.pass();
            await_stop(token);
            ++told;
        },
        hedges, pool, room, at_once, recoup::on(clock));
    gate.open();
    SECTION("a deadline") {
        std::jthread const time{[&] {
            gate.await_arrived(2);
            clock.await_alarms(1);
            clock.advance(10s);
        }};
        auto const late = call.with(recoup::deadline{10s})();
        CHECK(late.error().stopped() == stop_reason::deadline);
        CHECK(late.error().code() == recoup::errc::attempt_timed_out);
    }
    SECTION("a stop request") {
        std::jthread const stopper{[&] {
            gate.await_arrived(2);
            source.request_stop();
        }};
        CHECK(call.with(source.get_token())().error().stopped() == stop_reason::cancelled);
    }
    CHECK(room.snapshot().running == 0);
    CHECK(clock.alarms() == 0);
    CHECK(pool.shutdown(1h) == 0);
    CHECK(told == 2);
    CHECK(pool.snapshot().abandoned_ever == 2);
}

TEST_CASE("each plain racer has the time of an attempt of its own", "[hedge][concurrent]") {
    manual_clock clock{{.auto_advance = false}};
    hedge hedges{never_due};
    abandon_pool pool;
    auto const call = with_recovery(
        [&](recoup::attempt& current) -> result<int> {
            CHECK(current.remaining() == 5s);
            await_stop(current.stop_token());
            CHECK(current.remaining() == 0s);
            return reset;
        },
        hedges, pool, hedged_once, recoup::attempt_timeout{5s}, recoup::on(clock));
    std::jthread const time{[&] {
        clock.await_alarms(2);  // of the hedge, and of the attempt
        clock.advance(5s);
    }};
    CHECK(call().error().code() == recoup::errc::attempt_timed_out);
    CHECK(clock.alarms() == 0);
}

TEST_CASE("a loser owns its callable and its arguments, whoever has gone", "[hedge][concurrent]") {
    hedge hedges{plenty};
    recoup_test::gate gate;
    auto held = std::make_shared<std::string>("of the callable");
    std::weak_ptr<std::string> const watched = held;
    auto read = std::string{};
    turns calls;
    abandon_pool pool;
    {
        auto const call = with_recovery(
            [&, held = std::move(held)](std::string const& argument) {
                if (calls.next() == 2) return;
                gate.pass();
                read = argument + ' ' + *held;
            },
            hedges, pool, hedged_once);
        auto argument = std::string(100, 'a');
        CHECK(call.with(recoup::deadline{1h})(argument));
        argument = "changed";
    }
    CHECK_FALSE(watched.expired());
    gate.open();
    CHECK(pool.shutdown(1h) == 0);
    CHECK(watched.expired());
    CHECK(read == std::string(100, 'a') + " of the callable");
}

TEST_CASE("a hedged plain call may return what can only be moved, and values may be refused",
          "[hedge][concurrent]") {
    hedge hedges{never_due};
    abandon_pool pool;
    auto const moves = with_recovery([](int n) { return std::make_unique<int>(n); }, hedges, pool);
    CHECK(*moves(5).value() == 5);
    auto const refuses = with_recovery([](int n) { return n; }, hedges, pool, at_once,
                                       recoup::retry_if([](int n) { return n == 1; }));
    CHECK(refuses(2).value() == 2);
    CHECK(refuses(1).error().attempts() == 3);
}

TEST_CASE("what a plain call is part of its racers know", "[hedge][concurrent]") {
    hedge hedges{never_due};
    abandon_pool pool;
    auto const context =
        recoup::trace_context::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .value();
    auto const inner = with_recovery(
        [](recoup::attempt& current) { return current.trace()->traceparent(); }, hedged_once);
    auto const call = with_recovery([&] { return inner().value(); }, hedges, pool, hedged_once,
                                    recoup::trace(context));
    CHECK(call().value() == context.traceparent());
}

TEST_CASE("What was tried again in a plain racer is not tried again outside",
          "[hedge][concurrent]") {
    hedge hedges{never_due};
    abandon_pool pool;
    turns calls;
    auto const inner = with_recovery(
        [&]() -> result<int> {
            calls.next();
            return reset;
        },
        at_once);
    auto const outer = with_recovery(
        [&]() -> int {
            if (!inner()) throw std::system_error{reset};
            return 1;
        },
        at_once, hedges, pool);
    CHECK(outer().error().stopped() == stop_reason::retried_within);
    CHECK(calls.count() == 3);
}

TEST_CASE("the delay of plain calls follows a percentile of what successes took",
          "[hedge][concurrent]") {
    manual_clock clock{{.auto_advance = false}};
    hedge hedges{{.delay = 1s, .percentile = 0.9, .samples = 20, .ratio = 0, .reserve = 0}};
    abandon_pool pool;
    auto const call = with_recovery([&](recoup::duration latency) { clock.advance(latency); },
                                    hedges, pool, hedged_once, recoup::on(clock));
    for (auto i = 1; i <= 20; ++i) {
        CHECK(hedges.delay() == 1s);  // too few are known
        CHECK(call(i * 10ms));
    }
    CHECK(hedges.delay() == 180ms);  // of 20, the 18th
}

TEST_CASE("the threads of hedged plain calls are explained") {
    hedge hedges{{.delay = 50ms}};
    abandon_pool pool{{.threads = 4}};
    auto const stages = recoup::explain(with_recovery(five, hedges, pool)).stages;
    CHECK(stages[1] ==
          "hedge: up to 1 more beside each attempt, after 50 ms, as far as their budget "
          "pays for them; plain calls run on up to 4 threads");
}

TEST_CASE("Of many hedged plain calls each gives its value, and no end is lost",
          "[hedge][concurrent]") {
    std::atomic<int> ended = 0;
    std::atomic<int> wrong = 0;
    std::atomic<int> begun = 0;
    event_recorder seen;
    hedge hedges{{.delay = 20us, .most = 2, .ratio = 1, .reserve = 10, .at_most = 1'000}};
    recoup::bulkhead room{{.at_once = 100}};
    abandon_pool pool{{.threads = 12}, [&](recoup::event const&) { ++ended; }};
    auto const call = with_recovery(
        [&](std::vector<int> const& work) -> result<int> {
            auto const spins = (++begun * 37) % 400;
            for (auto i = 0; i != spins; ++i) std::this_thread::yield();
            if (spins % 5 == 0) return reset;
            return work.back();
        },
        hedges, pool, room, at_once, std::ref(seen));
    {
        std::vector<std::jthread> threads;
        for (auto i = 0; i != 4; ++i)
            threads.emplace_back([&, i] {
                for (auto n = 0; n != 200; ++n) {
                    auto const got = call(std::vector<int>{n, i});
                    if (got ? got.value() != i : got.error().code() != reset) ++wrong;
                }
            });
    }
    CHECK(pool.shutdown(1h) == 0);
    CHECK(wrong == 0);
    CHECK(room.snapshot().running == 0);
    CHECK(seen.count(event_kind::hedged) == hedges.snapshot().begun);
    CHECK(seen.count(event_kind::hedge_won) == hedges.snapshot().won);
    CHECK(seen.count(event_kind::attempt_abandoned) == pool.snapshot().abandoned_ever);
    CHECK(static_cast<std::uint64_t>(ended) == pool.snapshot().abandoned_ever);
    CHECK(pool.snapshot().running == 0);
}

}  // namespace plain_hedge_test
