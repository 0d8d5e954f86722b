// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/detail/live.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <rapidcheck.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "guard/guard_support.hpp"
#include "support/catch.hpp"

// Guards that go on with other options while calls are made.

namespace {

using namespace std::chrono_literals;
using guard_test::burst_of;
using recoup::bulkhead;
using recoup::circuit_breaker;
using recoup::duration;
using recoup::rate_limiter;
using recoup::sliding_window;
using recoup::steady_time;
using recoup::token_bucket;
using recoup::testing::manual_clock;

void record(circuit_breaker& breaker, manual_clock& clock, bool success) {
    auto permit = breaker.try_acquire(clock);
    if (success)
        permit.succeeded(clock);
    else
        permit.failed(recoup::category::service_unavailable, true, clock);
}

}  // namespace

TEST_CASE("a token bucket that is changed misses as many tokens as before") {
    manual_clock clock;
    rate_limiter limiter{token_bucket(10, 1s)};
    for (auto i = 0; i != 4; ++i) CHECK(limiter.try_acquire(clock));
    limiter.change(token_bucket(100, 1s, 10), clock);
    CHECK(limiter.limit() == token_bucket(100, 1s, 10));
    CHECK(burst_of(limiter, clock) == 6);
    clock.advance(50ms);
    CHECK(burst_of(limiter, clock) == 5);

    // Slower, and smaller than what is missing: it is empty, not in debt for hours.
    limiter.change(token_bucket(1, 1h), clock);
    CHECK(burst_of(limiter, clock) == 0);
    clock.advance(59min);
    CHECK(burst_of(limiter, clock) == 0);
    clock.advance(1min);
    CHECK(burst_of(limiter, clock) == 1);

    // One that is full is full.
    clock.advance(1h);
    limiter.change(token_bucket(5, 1s), clock);
    CHECK(burst_of(limiter, clock) == 5);
}

TEST_CASE("those who wait at a bucket keep their turns when it is changed") {
    manual_clock clock;
    rate_limiter limiter{token_bucket(1, 1s).waiting(1min)};
    CHECK(limiter.try_acquire(clock));
    auto first = limiter.queue(clock, steady_time::max(), {});
    auto second = limiter.queue(clock, steady_time::max(), {});
    REQUIRE(second.waits());
    limiter.change(token_bucket(1, 10s), clock);
    CHECK(limiter.retry_in(clock) > 10s);
    clock.advance(2s);
    second.woken(clock);
    CHECK(second.take());
    CHECK_FALSE(limiter.try_acquire(clock));
    first.woken(clock);
    CHECK(first.take());
    // Whether one waits at all is for those who come later.
    auto third = limiter.queue(clock, steady_time::max(), {});
    CHECK_FALSE(third.waits());
}

TEST_CASE("a sliding window that is changed keeps what it has seen") {
    manual_clock clock;
    rate_limiter limiter{sliding_window(3, 1s)};
    CHECK(burst_of(limiter, clock) == 3);
    limiter.change(sliding_window(3, 10s), clock);
    clock.advance(5s);
    CHECK(burst_of(limiter, clock) == 0);
    limiter.change(sliding_window(3, 4s), clock);
    CHECK(burst_of(limiter, clock) == 3);
}

TEST_CASE("what a limiter cannot change it refuses, and stays as it is") {
    rate_limiter bucket{token_bucket(10, 1s)};
    rate_limiter window{sliding_window(3, 1s)};
    CHECK_THROWS_WITH(
        window.change(sliding_window(4, 1s)),
        "recoup: rate_limiter: calls is 4, expected 3 as before: a sliding window keeps "
        "its size");
    CHECK_THROWS_WITH(bucket.change(sliding_window(10, 1s)),
                      "recoup: rate_limiter: counted_by cannot be changed while calls are counted");
    CHECK_THROWS_AS(bucket.change(token_bucket(0, 1s)), std::invalid_argument);
    CHECK(bucket.limit() == token_bucket(10, 1s));
    CHECK(window.limit() == sliding_window(3, 1s));
}

TEST_CASE("whatever it is changed to, a bucket admits at once no more than the limit's burst") {
    CHECK(rc::check([] {
        manual_clock clock;
        auto const draw = [] {
            return token_bucket(*rc::gen::inRange<std::uint32_t>(1, 100),
                                duration{*rc::gen::inRange<std::int64_t>(1'000, 10'000'000'000)},
                                *rc::gen::inRange<std::uint32_t>(1, 50));
        };
        auto limit = draw();
        rate_limiter limiter{limit};
        for (auto round = 0; round != 10; ++round) {
            auto const before = burst_of(limiter, clock);
            RC_ASSERT(before <= static_cast<int>(limit.burst));
            limit = draw();
            limiter.change(limit, clock);
            // It was empty, and so it is now; a full one would show in the next round.
            RC_ASSERT(burst_of(limiter, clock) == 0 || limit.burst > 1);
            clock.advance(duration{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000)});
        }
        // Nothing that happened keeps it shut for longer than one bucket takes to fill.
        clock.advance(limit.per / limit.calls * (limit.burst + 1) + duration{limit.burst});
        RC_ASSERT(burst_of(limiter, clock) == static_cast<int>(limit.burst));
    }));
}

TEST_CASE("a breaker judges by what it was changed to, and keeps what it has seen") {
    manual_clock clock;
    auto options = recoup::circuit_breaker_options{
        .failure_rate = 0.9, .window = recoup::last_calls(10), .minimum_calls = 10, .name = "a"};
    circuit_breaker breaker{options};
    for (auto i = 0; i != 10; ++i) record(breaker, clock, i % 2 == 0);
    CHECK(breaker.state() == recoup::breaker_state::closed);
    options.failure_rate = 0.5;
    options.open_for = 5s;
    options.half_open_permits = 2;
    breaker.change(options);
    CHECK(breaker.options() == options);
    CHECK(breaker.snapshot().failures == 5);
    record(breaker, clock, false);
    CHECK(breaker.state() == recoup::breaker_state::open);
    CHECK(breaker.retry_in(clock) == 5s);

    // An open one stays open for as long as it was going to.
    options.open_for = 1h;
    breaker.change(options);
    CHECK(breaker.retry_in(clock) == 5s);
    clock.advance(5s);
    record(breaker, clock, true);
    CHECK(breaker.state() == recoup::breaker_state::half_open);
    record(breaker, clock, true);
    CHECK(breaker.state() == recoup::breaker_state::closed);

    options.neutral.insert(recoup::category::service_unavailable);
    breaker.change(options);
    for (auto i = 0; i != 20; ++i) record(breaker, clock, false);
    CHECK(breaker.snapshot().calls == 0);
    CHECK(breaker.state() == recoup::breaker_state::closed);
}

TEST_CASE("fewer probes than have succeeded already close the breaker at the next one") {
    manual_clock clock;
    auto options = recoup::circuit_breaker_options{.window = recoup::last_calls(1),
                                                   .minimum_calls = 1,
                                                   .open_for = 1s,
                                                   .half_open_permits = 100};
    circuit_breaker breaker{options};
    record(breaker, clock, false);
    clock.advance(1s);
    auto last = breaker.try_acquire(clock);
    for (auto i = 0; i != 20; ++i) record(breaker, clock, true);
    REQUIRE(breaker.state() == recoup::breaker_state::half_open);
    options.half_open_permits = 5;
    breaker.change(options);
    last.succeeded(clock);
    CHECK(breaker.state() == recoup::breaker_state::closed);
}

TEST_CASE("what a breaker cannot change it refuses, and stays as it is") {
    auto const options = recoup::circuit_breaker_options{.name = "a"};
    circuit_breaker breaker{options};
    auto other = options;
    other.window = recoup::last_calls(7);
    CHECK_THROWS_WITH(
        breaker.change(other),
        "recoup: circuit_breaker: window cannot be changed: it holds what it has seen");
    other = options;
    other.slow_after = 1s;
    CHECK_THROWS_AS(breaker.change(other), std::invalid_argument);
    other = options;
    other.failure_rate = 2;
    CHECK_THROWS_AS(breaker.change(other), std::invalid_argument);
    CHECK(breaker.options() == options);
}

TEST_CASE("a bulkhead that grows lets those who wait in, and one that shrinks lets nobody follow") {
    manual_clock clock;
    bulkhead room{{.at_once = 2, .waiting = 4}};
    auto running = std::vector<bulkhead::permit>{};
    for (auto i = 0; i != 2; ++i) running.push_back(room.try_acquire(clock));
    auto one = room.queue(clock, steady_time::max(), {});
    auto two = room.queue(clock, steady_time::max(), {});
    auto three = room.queue(clock, steady_time::max(), {});
    CHECK(room.snapshot().waiting == 3);

    room.change({.at_once = 4, .waiting = 4});
    CHECK(room.options() == recoup::bulkhead_options{.at_once = 4, .waiting = 4});
    CHECK(room.snapshot().running == 4);
    CHECK(room.snapshot().waiting == 1);
    CHECK(one.wake().stop_requested());
    one.woken(clock);
    two.woken(clock);
    running.push_back(one.take());
    running.push_back(two.take());
    CHECK(running[2]);
    CHECK(running[3]);

    room.change({.at_once = 2, .waiting = 4});
    CHECK(room.snapshot().running == 4);
    running.pop_back();
    running.pop_back();
    CHECK(room.snapshot().running == 2);
    CHECK(room.snapshot().waiting == 1);
    running.pop_back();  // now there is room again
    CHECK(room.snapshot().running == 2);
    CHECK(room.snapshot().waiting == 0);
    three.woken(clock);
    CHECK(three.take());
    running.clear();
    CHECK(room.snapshot().running == 0);
}

TEST_CASE("what is read of live numbers is of one change, whole", "[concurrent]") {
    // So many that a change takes long enough to be met halfway.
    using numbers = std::array<std::uint64_t, 512>;
    constexpr std::uint64_t changes = 20'000;
    recoup::detail::live<numbers> shared{numbers{}};
    std::atomic<bool> over{false};
    std::atomic<int> torn{0};
    std::atomic<int> back{0};
    {
        std::vector<std::jthread> readers;
        for (auto i = 0; i != 3; ++i)
            readers.emplace_back([&] {
                auto last = std::uint64_t{0};
                while (!over) {
                    auto const seen = shared.get();
                    for (auto const one : seen)
                        if (one != seen[0]) ++torn;
                    if (seen[0] < last) ++back;
                    last = seen[0];
                }
            });
        for (std::uint64_t i = 1; i <= changes; ++i) {
            numbers next;
            next.fill(i);
            shared.set(next);
        }
        over = true;
    }
    CHECK(torn == 0);
    CHECK(back == 0);
}

TEST_CASE("guards that are changed under load admit what they may, and lose nobody",
          "[concurrent]") {
    bulkhead room{{.at_once = 3, .waiting = 8}};
    rate_limiter limiter{token_bucket(1'000'000, 1s, 1'000)};
    circuit_breaker breaker{
        {.window = recoup::last_calls(16), .minimum_calls = 16, .open_for = 0s}};
    recoup::real_clock clock;
    std::atomic<bool> over{false};
    std::atomic<std::uint32_t> inside{0};
    std::atomic<int> too_many{0};
    std::atomic<int> passed{0};
    {
        std::jthread const changer{[&] {
            for (std::uint32_t i = 0; !over; ++i) {
                room.change({.at_once = 1 + i % 5, .waiting = i % 9});
                limiter.change(token_bucket(1'000'000 + i % 100'000, 1s, 500 + i % 1'000), clock);
                breaker.change({.failure_rate = 0.1 + i % 9 / 10.0,
                                .window = recoup::last_calls(16),
                                .minimum_calls = 1 + i % 16,
                                .open_for = 0s,
                                .half_open_permits = 1 + i % 20});
            }
        }};
        {
            std::vector<std::jthread> callers;
            for (auto i = 0; i != 3; ++i)
                callers.emplace_back([&, i] {
                    for (auto n = 0; n != 3'000; ++n) {
                        auto attempt = breaker.try_acquire(clock);
                        static_cast<void>(limiter.try_acquire(clock));
                        auto place = recoup::acquire(room, clock, clock.now() + 10s, {});
                        if (place) {
                            if (++inside > 5) ++too_many;
                            ++passed;
                            --inside;
                        }
                        if (!attempt) continue;
                        if ((n + i) % 3 == 0)
                            attempt.failed(recoup::category::unknown, true, clock);
                        else
                            attempt.succeeded(clock);
                    }
                });
        }
        over = true;
    }
    CHECK(too_many == 0);
    CHECK(passed > 0);
    CHECK(room.snapshot().running == 0);
    CHECK(room.snapshot().waiting == 0);
}
