// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/rate_limiter.hpp>

#include <recoup/guard/deadline.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "guard/guard_support.hpp"
#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;
using guard_test::burst_of;
using recoup::duration;
using recoup::rate_limit;
using recoup::rate_limiter;
using recoup::retry;
using recoup::sliding_window;
using recoup::steady_time;
using recoup::stop_reason;
using recoup::token_bucket;
using recoup::with_recovery;
using recoup::testing::manual_clock;

std::string refusal_of(rate_limit const& limit) {
    try {
        rate_limiter const made{limit};
        return "none";
    } catch (std::invalid_argument const& refused) {
        return refused.what();
    }
}

/// The most calls of `admitted`, which is in order, in any span of `per`.
std::size_t most_within(std::vector<steady_time> const& admitted, duration per) {
    auto most = std::size_t{0};
    auto first = admitted.begin();
    for (auto last = admitted.begin(); last != admitted.end(); ++last) {
        while (*last - *first >= per) ++first;
        most = std::max(most, static_cast<std::size_t>(last - first) + 1);
    }
    return most;
}

/// A token bucket in whole numbers, as one would write it where nothing has to be fast: tokens are
/// counted in units of 1 / token nanoseconds.
struct bucket_model {
    std::int64_t token, burst;
    std::int64_t level = burst * token;
    steady_time seen{};

    bool take(steady_time now) {
        level = std::min(burst * token, level + std::max<std::int64_t>((now - seen).count(), 0));
        seen = std::max(seen, now);
        if (level < token) return false;
        level -= token;
        return true;
    }
};

}  // namespace

TEST_CASE("a token bucket admits its burst, and then one a token", "[rate_limiter]") {
    manual_clock clock;
    rate_limiter limiter{token_bucket(10, 1s, 3)};
    CHECK(burst_of(limiter, clock) == 3);
    CHECK(limiter.retry_in(clock) == 100ms);
    clock.advance(99ms);
    CHECK_FALSE(limiter.try_acquire(clock));
    CHECK(limiter.retry_in(clock) == 1ms);
    clock.advance(1ms);
    CHECK(limiter.retry_in(clock) == 0ms);
    CHECK(burst_of(limiter, clock) == 1);
    clock.advance(24h);
    CHECK(burst_of(limiter, clock) == 3);
}

TEST_CASE("a sliding window never admits more in any span, wherever that begins",
          "[rate_limiter]") {
    manual_clock clock;
    rate_limiter limiter{sliding_window(3, 1s)};
    clock.advance(900ms);
    CHECK(burst_of(limiter, clock) == 3);
    clock.advance(200ms);  // where a fixed window would begin anew
    CHECK(burst_of(limiter, clock) == 0);
    CHECK(limiter.retry_in(clock) > 799ms);
    CHECK(limiter.retry_in(clock) <= 800ms + 4ns);
    clock.advance(800ms + 4ns);
    CHECK(limiter.retry_in(clock) == 0ms);
    CHECK(burst_of(limiter, clock) == 3);
}

TEST_CASE("a token bucket is its model, whatever the calls", "[rate_limiter][property]") {
    auto const holds = rc::check("token bucket", [] {
        auto const calls = *rc::gen::inRange<std::uint32_t>(1, 50);
        auto const burst = *rc::gen::inRange<std::uint32_t>(1, 20);
        auto const token = *rc::gen::inRange<std::int64_t>(1, 5'000'000);
        manual_clock clock;
        rate_limiter limiter{token_bucket(calls, duration{token * calls}, burst)};
        auto model = bucket_model{.token = token, .burst = burst, .seen = clock.now()};
        auto const gaps =
            *rc::gen::container<std::vector<std::int64_t>>(rc::gen::weightedOneOf<std::int64_t>(
                {{3, rc::gen::just<std::int64_t>(0)},
                 {5, rc::gen::inRange<std::int64_t>(0, 2 * token + 1)},
                 {1, rc::gen::inRange<std::int64_t>(0, 40 * token + 1)}}));
        for (auto const gap : gaps) {
            clock.advance(duration{gap});
            auto const wait = limiter.retry_in(clock);
            auto const admitted = static_cast<bool>(limiter.try_acquire(clock));
            RC_ASSERT(admitted == model.take(clock.now()));
            RC_ASSERT(admitted == (wait == duration{}));
            if (admitted) continue;
            // It says to the nanosecond when.
            clock.advance(wait - 1ns);
            RC_ASSERT(!limiter.try_acquire(clock));
            RC_ASSERT(!model.take(clock.now()));
            clock.advance(1ns);
            RC_ASSERT(static_cast<bool>(limiter.try_acquire(clock)));
            RC_ASSERT(model.take(clock.now()));
        }
    });
    CHECK(holds);
}

TEST_CASE("a sliding window keeps its promise, and no call waits longer than it must",
          "[rate_limiter][property]") {
    auto const holds = rc::check("sliding window", [] {
        auto const calls = *rc::gen::inRange<std::uint32_t>(1, 20);
        auto const per = duration{*rc::gen::inRange<std::int64_t>(1, 1'000'000)};
        manual_clock clock;
        rate_limiter limiter{sliding_window(calls, per)};
        std::vector<steady_time> admitted;
        auto const gaps = *rc::gen::container<std::vector<std::int64_t>>(
            rc::gen::inRange<std::int64_t>(0, per.count() / calls * 2 + 2));
        for (auto const gap : gaps) {
            clock.advance(duration{gap});
            if (limiter.try_acquire(clock)) {
                admitted.push_back(clock.now());
                continue;
            }
            // As many as may be are within the span, but for the rounding of a moment.
            RC_ASSERT(admitted.size() >= calls);
            RC_ASSERT(clock.now() - admitted[admitted.size() - calls] < per + 4ns);
        }
        RC_ASSERT(most_within(admitted, per) <= calls);
    });
    CHECK(holds);
}

TEST_CASE("many threads never get more than the limit together", "[rate_limiter][concurrent]") {
    auto const limit = GENERATE(token_bucket(1'000, 1s, 50), sliding_window(50, 50ms));
    rate_limiter limiter{limit};
    recoup::real_clock clock;
    constexpr auto thread_count = 4U;
    std::vector<std::vector<steady_time>> admitted(thread_count);
    auto const began = clock.now();
    {
        std::vector<std::jthread> threads;
        for (auto& mine : admitted)
            threads.emplace_back([&] {
                while (clock.now() - began < 300ms) {
                    // The moment that counts is between these two.
                    auto const before = clock.now();
                    if (limiter.try_acquire(clock)) mine.push_back(before);
                }
            });
    }
    auto const took = clock.now() - began;
    auto total = std::size_t{0};
    for (auto const& mine : admitted) total += mine.size();
    if (limit.counted_by == rate_limit::method::token_bucket) {
        CHECK(total <= 50 + static_cast<std::size_t>(took / 1ms) + 1);
    } else {
        CHECK(total <= 50 * (static_cast<std::size_t>(took / 50ms) + 1));
    }
    // How many of them depends on who gets the processor; the next test shows that none is lost.
    CHECK(total >= 50);
}

TEST_CASE("threads at one frozen moment share all calls that it has, and no more",
          "[rate_limiter][concurrent]") {
    auto const limit = GENERATE(token_bucket(7, 1s, 7), sliding_window(7, 1s));
    for (auto round = 0; round < 200; ++round) {
        manual_clock clock;
        rate_limiter limiter{limit};
        std::atomic<int> admitted = 0;
        for (auto lap = 1; lap <= 3; ++lap) {
            {
                std::vector<std::jthread> threads;
                for (auto i = 0; i < 4; ++i)
                    threads.emplace_back([&] {
                        for (auto tries = 0; tries < 10; ++tries)
                            if (limiter.try_acquire(clock)) ++admitted;
                    });
            }
            REQUIRE(admitted == 7 * lap);
            clock.advance(1s + 4ns);
        }
    }
}

TEST_CASE("a call that is too early waits for its turn, each in its own", "[rate_limiter]") {
    auto const limit = GENERATE(token_bucket(10, 1s, 2), sliding_window(2, 200ms));
    manual_clock clock;
    rate_limiter limiter{limit.waiting(1s)};
    auto const call = with_recovery([] { return 1; }, limiter, recoup::on(clock));
    auto const start = clock.now();
    for (auto i = 0; i < 6; ++i) REQUIRE(call());
    auto const took = clock.now() - start;
    CHECK(took >= 400ms);
    CHECK(took <= 400ms + 16ns);
}

TEST_CASE("those who wait for a token get one each, and the rest is rejected", "[rate_limiter]") {
    manual_clock clock{{.auto_advance = false}};
    rate_limiter limiter{token_bucket(1, 1s, 1).waiting(2s)};
    REQUIRE(limiter.try_acquire(clock));
    std::atomic<int> turns = 0;
    std::jthread const first{
        [&] { turns += acquire(limiter, clock, steady_time::max(), {}) ? 1 : 0; }};
    std::jthread const second{
        [&] { turns += acquire(limiter, clock, steady_time::max(), {}) ? 1 : 0; }};
    clock.await_waiting(2);
    // The third would wait three seconds.
    CHECK_FALSE(acquire(limiter, clock, steady_time::max(), {}));
    clock.advance(1s);
    while (turns != 1) std::this_thread::yield();
    clock.advance(1s);
    while (turns != 2) std::this_thread::yield();
    CHECK_FALSE(limiter.try_acquire(clock));
}

TEST_CASE("a turn that comes behind the deadline is not waited for", "[rate_limiter]") {
    auto const limit = GENERATE(token_bucket(1, 10s, 1), sliding_window(1, 10s));
    manual_clock clock;
    rate_limiter limiter{limit.waiting(1min)};
    auto const call =
        with_recovery([] { return 1; }, limiter, recoup::deadline{2s}, recoup::on(clock));
    REQUIRE(call());
    auto const late = call();
    REQUIRE_FALSE(late);
    CHECK(late.error().code() == recoup::errc::rate_limited);
    CHECK(clock.elapsed() == 0s);
    // It was not noted, either: its turn is another's.
    clock.advance(10s + 4ns);
    CHECK(call());
}

TEST_CASE("a stop request ends the wait for a turn", "[rate_limiter]") {
    auto const limit = GENERATE(token_bucket(1, 1h, 1), sliding_window(1, 1h));
    rate_limiter limiter{limit.waiting(2h)};
    std::stop_source stop;
    manual_clock clock{{.on_wait = [&](duration) { stop.request_stop(); }}};
    auto const call = with_recovery([] { return 1; }, limiter, stop.get_token(), recoup::on(clock));
    REQUIRE(call());
    auto const stopped = call();
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().stopped() == stop_reason::cancelled);
}

TEST_CASE("a call beyond the limit says that, and is not retried unless retry waits",
          "[rate_limiter]") {
    manual_clock clock;
    rate_limiter limiter{token_bucket(1, 1s, 1)};
    auto calls = 0;
    auto const call = with_recovery([&] { return ++calls; }, limiter, recoup::on(clock));
    CHECK(call());
    auto const rejected = call();
    REQUIRE_FALSE(rejected);
    CHECK(rejected.error().code() == recoup::errc::rate_limited);
    CHECK(rejected.error().category() == recoup::category::rate_limited);
    CHECK(rejected.error().stopped() == stop_reason::rejected);
    CHECK(rejected.error().attempts() == 0);
    CHECK(calls == 1);
    CHECK(clock.waits().empty());

    auto const patient =
        call.with(retry{.backoff = recoup::constant(1ms), .wait_when_rejected = true});
    CHECK(patient());
    CHECK(clock.waits() == std::vector<duration>{1s});
    CHECK(calls == 2);
}

TEST_CASE("each attempt counts, the retried ones too", "[rate_limiter]") {
    manual_clock clock;
    rate_limiter limiter{token_bucket(1, 1h, 2)};
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> recoup::result<int> {
            ++calls;
            return recoup::failure{recoup::category::network_timeout};
        },
        limiter, retry{.max_attempts = 5}, recoup::on(clock));
    auto const ended = call();
    CHECK(calls == 2);
    REQUIRE_FALSE(ended);
    CHECK(ended.error().category() == recoup::category::network_timeout);  // the cause, whole
    CHECK(ended.error().attempts() == 2);
    CHECK(ended.error().stopped() == stop_reason::rejected);
}

TEST_CASE("a limit that cannot be is refused with what is wrong", "[rate_limiter]") {
    CHECK(refusal_of(token_bucket(0, 1s)) ==
          "recoup: rate_limiter: calls is 0, expected 1 or more");
    CHECK(refusal_of(token_bucket(1, 0s)) ==
          "recoup: rate_limiter: per is 0 ns, expected above 0, up to ten years");
    CHECK(refusal_of(token_bucket(1, 1s, 0)) ==
          "recoup: rate_limiter: burst is 0, expected 1 or more");
    CHECK(refusal_of(token_bucket(1'000, 10ns)) ==
          "recoup: rate_limiter: per is 10 ns, expected a nanosecond or more for each of its 1000 "
          "calls");
    CHECK(refusal_of(sliding_window(100'000, 1s)) ==
          "recoup: rate_limiter: calls is 100000, expected 1 to 65536 in a sliding window");
    CHECK(refusal_of(token_bucket(1, 1s).waiting(-1s)) ==
          "recoup: rate_limiter: wait_at_most is -1000000000 ns, expected 0 or more");
}

TEST_CASE("the longest span lets one call pass, and no arithmetic wraps", "[rate_limiter]") {
    static constexpr auto span = recoup::rate_limit_span_max;
    auto const limit = GENERATE(token_bucket(1, span, std::numeric_limits<std::uint32_t>::max()),
                                token_bucket(1, span), sliding_window(1, span));
    manual_clock clock;
    rate_limiter limiter{limit.waiting(recoup::unlimited)};
    CHECK(limiter.try_acquire(clock));
    if (limit.burst != 1) return;
    clock.advance(span / 2);
    CHECK_FALSE(limiter.try_acquire(clock));
    CHECK(limiter.retry_in(clock) >= span / 2);
    CHECK(acquire(limiter, clock, steady_time::max(), {}));
    CHECK(clock.elapsed() >= span);
}
