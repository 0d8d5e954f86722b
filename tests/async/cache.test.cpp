// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include "async/async_support.hpp"
#include "support/catch.hpp"

#include <recoup/guard/cache.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/fallback.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace async_test;
using recoup::cache;
using recoup::failure;
using recoup::result;
using recoup::stop_reason;
using recoup::with_recovery;

auto const single = recoup::retry{.max_attempts = 1};

template <class Cache>
asio::awaitable<void> until_coalesced(Cache& results, std::uint64_t count) {
    while (results.snapshot().coalesced < count) co_await sleep(0ms);
}

}  // namespace

TEST_CASE("a coroutine's result is returned again until its time is over", "[async][cache]") {
    recoup::testing::manual_clock clock;
    recoup::testing::event_recorder seen;
    auto calls = 0;
    cache<std::string, int> results{{.time_to_live = 10s}};
    recoup::rate_limiter limiter{recoup::token_bucket(2, 1h)};
    auto const call =
        with_recovery([&](std::string const&) -> asio::awaitable<int> { co_return ++calls; },
                      results, limiter, recoup::on(clock), std::ref(seen));
    CHECK(run(call("a")).value() == 1);
    CHECK(run(call(std::string{"a"})).value() == 1);
    clock.advance(10s);
    CHECK(run(call("a")).value() == 2);
    CHECK(run(call("b")).error().code() == recoup::errc::rate_limited);
    CHECK(run(call("a")).value() == 2);
    CHECK(seen.trace() == std::vector<std::string>{
                              "operation_started", "attempt_started 1", "operation_succeeded 1",
                              "served_from_cache", "operation_started", "attempt_started 1",
                              "operation_succeeded 1", "operation_started", "rejected rate_limited",
                              "operation_failed rate_limited rejected", "served_from_cache"});
}

TEST_CASE("equal coroutines at the same time run once, and suspend for its result",
          "[async][cache]") {
    constexpr std::size_t callers = 6;
    auto calls = 0;
    auto fails = false;
    SECTION("a value") {}
    SECTION("a failure") { fails = true; }
    cache<int, std::string> results{{.time_to_live = 0s}};
    auto const call = with_recovery(
        [&](int) -> asio::awaitable<result<std::string>> {
            ++calls;
            co_await until_coalesced(results, callers - 1);
            if (fails) co_return failure{recoup::category::not_found};
            co_return std::string(100, 'x');
        },
        results, single);
    // One thread: who blocked it would wait for ever.
    asio::io_context context;
    std::vector<result<std::string>> given;
    for (std::size_t i = 0; i != callers; ++i)
        spawn(context, call(1), [&](auto outcome) { given.push_back(std::move(outcome)); });
    context.run();
    CHECK(calls == 1);
    REQUIRE(given.size() == callers);
    for (auto const& one : given) {
        CHECK(one.has_value() != fails);
        if (one) CHECK(one.value() == std::string(100, 'x'));
    }
}

TEST_CASE("a cancelled coroutine that waits leaves the others alone", "[async][cache]") {
    auto calls = 0;
    cache<int, int> results;
    asio::cancellation_signal signal;
    auto ended = false;
    auto const call = with_recovery(
        [&](int) -> asio::awaitable<int> {
            ++calls;
            co_await until_coalesced(results, 2);
            signal.emit(asio::cancellation_type::terminal);
            while (!ended) co_await sleep(0ms);
            co_return 42;
        },
        results);
    asio::io_context context;
    std::optional<result<int>> first, cancelled, other;
    spawn(context, call(1), [&](auto outcome) { first.emplace(std::move(outcome)); });
    spawn(
        context, call(1),
        [&](auto outcome) {
            cancelled.emplace(std::move(outcome));
            ended = true;
        },
        asio::bind_cancellation_slot(signal.slot(), asio::detached));
    spawn(context, call(1), [&](auto outcome) { other.emplace(std::move(outcome)); });
    context.run();
    CHECK(first->value() == 42);
    CHECK(cancelled->error().stopped() == stop_reason::cancelled);
    CHECK(cancelled->error().attempts() == 0);
    CHECK(other->value() == 42);
    CHECK(calls == 1);
}

TEST_CASE("where the coroutine that calls is cancelled, one that waits calls instead",
          "[async][cache]") {
    auto calls = 0;
    auto by_slot = false;
    SECTION("by its slot") { by_slot = true; }
    SECTION("by its stop token") {}
    cache<int, int> results;
    asio::cancellation_signal signal;
    std::stop_source stop;
    auto const call = with_recovery(
        [&](int) -> asio::awaitable<int> {
            if (++calls == 1) {
                co_await until_coalesced(results, 2);
                if (by_slot)
                    signal.emit(asio::cancellation_type::terminal);
                else
                    stop.request_stop();
                co_await sleep(1h);
            }
            co_return 42;
        },
        results);
    asio::io_context context;
    std::optional<result<int>> first, second, third;
    auto const stopped = call.with(stop.get_token());
    spawn(
        context, stopped(1), [&](auto outcome) { first.emplace(std::move(outcome)); },
        asio::bind_cancellation_slot(signal.slot(), asio::detached));
    spawn(context, call(1), [&](auto outcome) { second.emplace(std::move(outcome)); });
    spawn(context, call(1), [&](auto outcome) { third.emplace(std::move(outcome)); });
    context.run();
    CHECK(first->error().stopped() == stop_reason::cancelled);
    CHECK(second->value() == 42);
    CHECK(third->value() == 42);
    CHECK(calls == 2);
}

TEST_CASE("a coroutine that is destroyed while it calls, or waits, leaves its place to others",
          "[async][cache]") {
    auto calls = 0;
    cache<int, int> results;
    {
        // Both end with their context, halfway.
        asio::io_context gone;
        auto const call = with_recovery(
            [&](int) -> asio::awaitable<int> {
                ++calls;
                co_await sleep(1h);
                co_return 1;
            },
            results);
        spawn(gone, call(1), [](auto) {});
        spawn(gone, call(1), [](auto) {});
        while (results.snapshot().coalesced != 1) gone.poll_one();
        CHECK(calls == 1);
    }
    auto const call =
        with_recovery([&](int) -> asio::awaitable<int> { co_return ++calls; }, results);
    CHECK(run(call(1)).value() == 2);
    CHECK(results.size() == 1);
}

TEST_CASE("a coroutine that waits has its own deadline, and calls with what is left of it",
          "[async][cache]") {
    auto calls = 0;
    auto left = recoup::duration{};
    std::optional<result<int>> first, late, other;
    recoup::testing::manual_clock clock{{.auto_advance = false}};
    cache<int, int> results;
    asio::cancellation_signal signal;
    auto const call = with_recovery(
        [&](recoup::attempt& attempt, int) -> asio::awaitable<int> {
            if (++calls == 1) {
                while (clock.waiting() != 2) co_await sleep(0ms);
                clock.advance(5s);
                while (!late) co_await sleep(0ms);
                signal.emit(asio::cancellation_type::terminal);
                co_await sleep(1h);
            }
            left = attempt.remaining();
            co_return 42;
        },
        results, recoup::on(clock));
    asio::io_context context;
    auto const impatient = call.with(recoup::deadline{5s});
    auto const patient = call.with(recoup::deadline{1h});
    spawn(
        context, call(1), [&](auto outcome) { first.emplace(std::move(outcome)); },
        asio::bind_cancellation_slot(signal.slot(), asio::detached));
    spawn(context, impatient(1), [&](auto outcome) { late.emplace(std::move(outcome)); });
    spawn(context, patient(1), [&](auto outcome) { other.emplace(std::move(outcome)); });
    context.run();
    CHECK(late->error().stopped() == stop_reason::deadline);
    CHECK(late->error().attempts() == 0);
    CHECK(first->error().stopped() == stop_reason::cancelled);
    CHECK(other->value() == 42);
    CHECK(left == 1h - 5s);
    CHECK(calls == 2);
}

TEST_CASE("a coroutine that would wait for itself goes on after wait_at_most", "[async][cache]") {
    auto depth = 0;
    recoup::testing::manual_clock clock;
    cache<int, int> results;
    std::function<asio::awaitable<result<int>>(int)> again;
    auto const call = with_recovery(
        [&](int key) -> asio::awaitable<int> {
            if (++depth == 1) co_return (co_await again(key)).value() + 1;
            co_return 10;
        },
        results, recoup::on(clock));
    again = [&](int key) { return call(key); };
    CHECK(run(call(1)).value() == 11);
    CHECK(depth == 2);
    CHECK(clock.elapsed() == 30s);
    CHECK(results.snapshot().misses == 2);
}

TEST_CASE("a fallback of a coroutine stands outside of its cache", "[async][cache]") {
    auto calls = 0;
    auto fails = true;
    cache<int, int> results;
    auto const fetch = [&](int) -> asio::awaitable<result<int>> {
        ++calls;
        if (fails) co_return failure{recoup::category::network_timeout};
        co_return calls;
    };
    auto const call = with_recovery(fetch, results, single, recoup::fallback(-1));
    CHECK(run(call(1)).value() == -1);
    CHECK(results.size() == 0);
    fails = false;
    CHECK(run(call(1)).value() == 2);
    fails = true;
    auto const mirrored = with_recovery(fetch, results, single, recoup::fallback_to({8, 1}));
    CHECK(run(mirrored(9)).value() == 2);
    CHECK(calls == 4);
}

TEST_CASE("an expired result stands in for a failed coroutine", "[async][cache]") {
    recoup::testing::manual_clock clock;
    auto fails = false;
    cache<int, std::string> results{{.time_to_live = 1s, .stale_if_error = 1s}};
    auto const call = with_recovery(
        [&](int) -> asio::awaitable<result<std::string>> {
            if (fails) co_return failure{recoup::category::network_timeout};
            co_return "old";
        },
        results, single, recoup::on(clock));
    CHECK(run(call(1)).value() == "old");
    fails = true;
    clock.advance(1s);
    CHECK(run(call(1)).value() == "old");
    clock.advance(1s);
    CHECK_FALSE(run(call(1)));
}

TEST_CASE("on many threads no key is called twice at a time by coroutines",
          "[async][cache][concurrent]") {
    constexpr auto keys = 4;
    constexpr auto callers = 12;
    constexpr auto rounds = 300;
    struct place {
        std::atomic<int> running = 0;
    };
    std::array<place, keys> places;
    std::atomic<int> twice = 0;
    std::atomic<int> wrong = 0;
    std::atomic<int> ended = 0;
    cache<int, std::string> results{{.capacity = 3, .time_to_live = 20us, .wait_at_most = 1h}};
    auto const call = with_recovery(
        [&](int key, int luck) -> asio::awaitable<result<std::string>> {
            auto& here = places[static_cast<std::size_t>(key)];
            if (here.running.fetch_add(1) != 0) ++twice;
            for (auto i = luck % 3; i-- != 0;) co_await sleep(0ms);
            here.running.fetch_sub(1);
            if (luck % 5 == 0) co_return failure{recoup::category::cancelled};
            co_return "the result of " + std::to_string(key);
        },
        results.by([](int key, int) { return key; }), single);
    {
        asio::thread_pool threads{4};
        for (auto caller = 0; caller != callers; ++caller)
            asio::co_spawn(
                threads,
                [&, caller]() -> asio::awaitable<void> {
                    for (auto round = 0; round != rounds; ++round) {
                        auto const key = (round * 7 + caller) % keys;
                        auto const outcome = co_await call(key, round * 13 + caller);
                        if (outcome && outcome.value() != "the result of " + std::to_string(key))
                            ++wrong;
                    }
                    ++ended;
                },
                asio::detached);
        threads.join();
    }
    CHECK(ended == callers);
    CHECK(twice == 0);
    CHECK(wrong == 0);
    CHECK(results.snapshot().coalesced != 0);
    CHECK(results.size() <= 3);
}
