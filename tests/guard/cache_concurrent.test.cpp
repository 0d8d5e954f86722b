// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/cache.hpp>

#include <recoup/guard/deadline.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"

namespace cache_concurrent_test {

using namespace std::chrono_literals;
using recoup::cache;
using recoup::failure;
using recoup::result;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::manual_clock;
using recoup_test::gate;

auto const just_once = recoup::retry{.max_attempts = 1};

/// A call on a thread of its own.
template <class T>
class elsewhere {
  public:
    template <class Call>
    explicit elsewhere(Call call)
        : thread_{[this, call = std::move(call)] { given_.emplace(call()); }} {}
    result<T> const& get() {
        if (thread_.joinable()) thread_.join();
        return *given_;
    }

  private:
    std::optional<result<T>> given_{};
    std::jthread thread_;
};

/// Until so many calls wait for others.
template <class Cache>
void await_coalesced(Cache& results, std::uint64_t count) {
    while (results.snapshot().coalesced < count) std::this_thread::yield();
}

TEST_CASE("equal calls at the same time run once, and all get the result", "[cache][concurrent]") {
    constexpr auto callers = 8;
    std::atomic<int> calls = 0;
    auto fails = false;
    cache<int, std::string> results{{.time_to_live = 0s}};
    recoup::testing::event_recorder seen;
    auto const call = with_recovery(
        [&](int key) -> result<std::string> {
            ++calls;
            await_coalesced(results, callers - 1);
            if (fails) return failure{recoup::category::not_found};
            return std::string(100, static_cast<char>('a' + key));
        },
        results, just_once, std::ref(seen));
    SECTION("a value") {}
    SECTION("a failure") { fails = true; }
    auto given = std::array<std::optional<result<std::string>>, callers>{};
    {
        std::vector<std::jthread> threads;
        for (auto& one : given) threads.emplace_back([&call, &one] { one.emplace(call(1)); });
    }
    CHECK(calls == 1);
    for (auto const& one : given) {
        CHECK(one->has_value() != fails);
        if (fails)
            CHECK(one->error().category() == recoup::category::not_found);
        else
            CHECK(one->value() == std::string(100, 'b'));
    }
    CHECK(seen.count(recoup::event_kind::operation_joined) == callers - 1);
    CHECK(seen.count(recoup::event_kind::served_from_cache) == callers - 1);
    CHECK(seen.count(recoup::event_kind::attempt_started) == 1);
    CHECK(results.size() == 0);
}

TEST_CASE("calls of different keys do not wait for each other", "[cache][concurrent]") {
    gate both;
    cache<int, int> results;
    auto const call = with_recovery(
        [&](int key) {
            both.pass();
            return key;
        },
        results);
    elsewhere<int> first{[&] { return call(1); }};
    elsewhere<int> second{[&] { return call(2); }};
    both.await_arrived(2);
    both.open();
    CHECK(first.get().value() == 1);
    CHECK(second.get().value() == 2);
}

TEST_CASE("where the one who calls is cancelled, one of those who wait calls instead",
          "[cache][concurrent]") {
    std::atomic<int> calls = 0;
    std::stop_source stop;
    cache<int, int> results;
    auto const call = with_recovery(
        [&](int) -> result<int> {
            if (++calls == 1) {
                await_coalesced(results, 2);
                stop.request_stop();
                return failure{recoup::category::network_timeout};
            }
            return 42;
        },
        results, just_once);
    elsewhere<int> leader{[&] { return call.with(stop.get_token())(1); }};
    while (calls == 0) std::this_thread::yield();
    elsewhere<int> second{[&] { return call(1); }};
    elsewhere<int> third{[&] { return call(1); }};
    CHECK(leader.get().error().stopped() == stop_reason::cancelled);
    CHECK(second.get().value() == 42);
    CHECK(third.get().value() == 42);
    CHECK(calls == 2);
    CHECK(results.snapshot().misses == 2);
}

TEST_CASE("where the deadline of the one who calls passes, the next one has its own, less its wait",
          "[cache][concurrent]") {
    manual_clock clock{{.auto_advance = false}};
    std::atomic<int> calls = 0;
    auto left = recoup::duration{};
    cache<int, int> results;
    auto const call = with_recovery(
        [&](recoup::attempt& attempt, int) -> result<int> {
            if (++calls == 1) {
                clock.await_waiting(1);
                clock.advance(5s);
                return failure{recoup::category::network_timeout};
            }
            left = attempt.remaining();
            return 42;
        },
        results, recoup::retry{.backoff = recoup::constant(1s)}, recoup::on(clock));
    elsewhere<int> leader{[&] { return call.with(recoup::deadline{5s})(1); }};
    while (calls == 0) std::this_thread::yield();
    CHECK(call.with(recoup::deadline{8s})(1).value() == 42);
    CHECK(leader.get().error().stopped() == stop_reason::deadline);
    CHECK(calls == 2);
    CHECK(left == 3s);
}

TEST_CASE("who waits gives up at its own deadline or stop token, and nobody else does",
          "[cache][concurrent]") {
    manual_clock clock{{.auto_advance = false}};
    gate inside;
    std::atomic<int> calls = 0;
    cache<int, int> results;
    auto const call = with_recovery(
        [&](int) {
            ++calls;
            inside.pass();
            return 42;
        },
        results, recoup::on(clock));
    elsewhere<int> leader{[&] { return call(1); }};
    inside.await_arrived(1);
    std::stop_source stop;
    elsewhere<int> late{[&] { return call.with(recoup::deadline{5s})(1); }};
    elsewhere<int> stopped{[&] { return call.with(stop.get_token())(1); }};
    elsewhere<int> patient{[&] { return call(1); }};
    clock.await_waiting(3);
    stop.request_stop();
    CHECK(stopped.get().error().stopped() == stop_reason::cancelled);
    clock.advance(5s);
    CHECK(late.get().error().code() == recoup::errc::deadline_exceeded);
    CHECK(late.get().error().stopped() == stop_reason::deadline);
    CHECK(late.get().error().attempts() == 0);
    inside.open();
    CHECK(patient.get().value() == 42);
    CHECK(leader.get().value() == 42);
    CHECK(calls == 1);
}

TEST_CASE("who has waited as long as it may calls beside the other", "[cache][concurrent]") {
    manual_clock clock{{.auto_advance = false}};
    gate inside;
    std::atomic<int> calls = 0;
    cache<int, int> results{{.wait_at_most = 3s}};
    auto const call = with_recovery(
        [&](int) {
            auto const number = ++calls;
            if (number == 1) inside.pass();
            return number;
        },
        results, recoup::on(clock));
    elsewhere<int> leader{[&] { return call(1); }};
    inside.await_arrived(1);
    elsewhere<int> second{[&] { return call(1); }};
    clock.await_waiting(1);
    clock.advance(3s);
    CHECK(second.get().value() == 2);
    results.change({.wait_at_most = 0s});
    CHECK(call(1).value() == 3);
    inside.open();
    CHECK(leader.get().value() == 1);
    CHECK(call(1).value() == 1);
    CHECK(results.snapshot().misses == 3);
}

TEST_CASE("what is invalidated while it is made goes to those who wait, and is not kept",
          "[cache][concurrent]") {
    gate inside;
    std::atomic<int> calls = 0;
    cache<int, int> results;
    auto const call = with_recovery(
        [&](int) {
            auto const number = ++calls;
            if (number == 1) inside.pass();
            return number;
        },
        results);
    elsewhere<int> leader{[&] { return call(1); }};
    inside.await_arrived(1);
    elsewhere<int> second{[&] { return call(1); }};
    await_coalesced(results, 1);
    SECTION("one key") { CHECK(results.invalidate(1)); }
    SECTION("all") { results.clear(); }
    CHECK(call(1).value() == 2);
    inside.open();
    CHECK(leader.get().value() == 1);
    CHECK(second.get().value() == 1);
    CHECK(call(1).value() == 2);
    CHECK(results.size() == 1);
}

TEST_CASE("a key is never called twice at a time, and everybody gets its own key's result",
          "[cache][concurrent]") {
    constexpr auto keys = 6;
    constexpr auto rounds = 3'000;
    std::random_device seed;
    auto const first_seed = seed();
    INFO("seed " << first_seed);
    struct place {
        std::atomic<int> running = 0;
        std::atomic<std::uint64_t> calls = 0;
    };
    std::array<place, keys> places;
    std::atomic<int> twice = 0;
    std::atomic<int> wrong = 0;
    std::atomic<std::uint64_t> made = 0;
    // Fewer places than keys, and a time that ends all the while.
    cache<int, std::string> results{
        {.capacity = 4, .time_to_live = 20us, .stale_if_error = 20us, .wait_at_most = 1h}};
    auto const call = with_recovery(
        [&](int key, std::uint64_t luck) -> result<std::string> {
            auto& here = places[static_cast<std::size_t>(key)];
            if (here.running.fetch_add(1) != 0) ++twice;
            ++made;
            for (auto i = luck % 4; i-- != 0;) std::this_thread::yield();
            here.running.fetch_sub(1);
            if (luck % 5 == 0) return failure{recoup::category::network_timeout};
            if (luck % 5 == 1) return failure{recoup::category::cancelled};
            return "the result of " + std::to_string(key);
        },
        results.by([](int key, std::uint64_t) { return key; }), just_once);
    {
        std::vector<std::jthread> threads;
        for (unsigned thread = 0; thread != 4; ++thread)
            threads.emplace_back([&, thread] {
                auto draw = std::mt19937_64{first_seed + thread};
                for (auto round = 0; round != rounds; ++round) {
                    auto const key = static_cast<int>(draw() % keys);
                    auto outcome = std::optional<result<std::string>>{};
                    if (draw() % 3 == 0) {
                        std::stop_source stop;
                        std::jthread stopper;
                        if (draw() % 8 == 0) stopper = std::jthread{[&] { stop.request_stop(); }};
                        outcome.emplace(call.with(stop.get_token())(key, std::uint64_t{draw()}));
                    } else {
                        outcome.emplace(call(key, std::uint64_t{draw()}));
                    }
                    if (outcome->has_value() &&
                        outcome->value() != "the result of " + std::to_string(key))
                        ++wrong;
                }
            });
    }
    CHECK(twice == 0);
    CHECK(wrong == 0);
    auto const seen = results.snapshot();
    CHECK(seen.size <= 4);
    CHECK(seen.coalesced != 0);
    // A call that was stopped before it began is a miss, and no more.
    CHECK(seen.misses >= made);
    CHECK(seen.hits + seen.misses + seen.coalesced >= 4U * rounds);
}

}  // namespace cache_concurrent_test
