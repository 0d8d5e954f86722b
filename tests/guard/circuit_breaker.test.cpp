// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/circuit_breaker.hpp>

#include <recoup/guard/guard.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using recoup::breaker_change;
using recoup::breaker_state;
using recoup::category;
using recoup::circuit_breaker;
using recoup::last_calls;
using recoup::testing::manual_clock;

namespace {

static_assert(recoup::guard<circuit_breaker>);
static_assert(!std::is_copy_constructible_v<circuit_breaker>);
static_assert(!std::is_move_constructible_v<circuit_breaker>);
static_assert(!std::is_copy_constructible_v<circuit_breaker::permit>);
static_assert(std::is_nothrow_move_constructible_v<circuit_breaker::permit>);
static_assert(std::is_nothrow_move_assignable_v<circuit_breaker::permit>);
static_assert(std::is_nothrow_default_constructible_v<circuit_breaker::permit>);
static_assert(sizeof(circuit_breaker::permit) <= 24);
static_assert(sizeof(circuit_breaker) <= 512);
static_assert(
    noexcept(std::declval<circuit_breaker&>().try_acquire(std::declval<recoup::real_clock&>())));

// A breaker, its clock, and the changes of state that it told of.
struct bench {
    manual_clock clock;
    circuit_breaker breaker;
    std::vector<std::string> trace;

    explicit bench(recoup::circuit_breaker_options options = {}) : breaker{std::move(options)} {
        breaker.on_state_change([this](breaker_change const& change) {
            trace.push_back(std::string{to_string(change.from)} + " > " +
                            std::string{to_string(change.to)});
        });
    }
    // One operation of one attempt. Returns whether it was admitted.
    bool call(bool succeeds, category what = category::network_connection) {
        auto permit = breaker.try_acquire(clock);
        if (!permit) return false;
        if (succeeds)
            permit.succeeded(clock);
        else
            permit.failed(what, true, clock);
        return true;
    }
    void calls(int count, bool succeed) {
        for (int i = 0; i < count; ++i) call(succeed);
    }
    // Opens it, and lets `open_for` pass.
    void until_probes() {
        while (breaker.state() != breaker_state::open) call(false);
        clock.advance(30s);
        trace.clear();
    }
    [[nodiscard]] bool is(breaker_state state) const { return breaker.state() == state; }
};

// A clock over another, whose coarse time lags, and which does something whenever it is read.
struct odd_clock {
    manual_clock* exact;
    recoup::duration lag{};
    std::function<void()> when_read{};
    [[nodiscard]] recoup::steady_time now() noexcept {
        if (when_read) std::exchange(when_read, nullptr)();
        return exact->now();
    }
    [[nodiscard]] recoup::steady_time coarse_now() noexcept { return exact->now() - lag; }
    [[nodiscard]] recoup::system_time system_now() const noexcept { return exact->system_now(); }
    bool wait_until(recoup::steady_time when, std::stop_token const& stop) {
        return exact->wait_until(when, stop);
    }
    [[nodiscard]] std::uint64_t random() noexcept { return exact->random(); }
};
static_assert(recoup::clock<odd_clock>);

using list = std::vector<std::string>;

}  // namespace

TEST_CASE("a new breaker is closed and admits", "[circuit_breaker]") {
    bench b;
    CHECK(b.is(breaker_state::closed));
    CHECK(b.call(true));
    CHECK(b.breaker.retry_in(b.clock) == 0s);
    CHECK(b.trace.empty());
}

TEST_CASE("a breaker opens exactly where the failure rate is reached", "[circuit_breaker]") {
    bench b{{.failure_rate = 0.5, .window = last_calls(10)}};
    b.calls(5, true);
    b.calls(4, false);
    CHECK(b.is(breaker_state::closed));  // 4 of 9, and the minimum is 10
    b.calls(1, false);
    CHECK(b.is(breaker_state::open));  // 5 of 10
    CHECK(b.trace == list{"closed > open"});
    CHECK_FALSE(b.call(true));
    CHECK(b.breaker.snapshot().opened == 1);
}

TEST_CASE("just below the failure rate a breaker stays closed", "[circuit_breaker]") {
    bench b{{.failure_rate = 0.5, .window = last_calls(10)}};
    for (int i = 0; i < 1000; ++i) b.call(i % 5 > 1);  // 4 of any 10
    CHECK(b.is(breaker_state::closed));
}

TEST_CASE("a rate that has no exact binary form is reached exactly", "[circuit_breaker]") {
    bench b{{.failure_rate = 0.07, .window = last_calls(100)}};
    b.calls(93, true);
    b.calls(6, false);
    CHECK(b.is(breaker_state::closed));
    b.calls(1, false);
    CHECK(b.is(breaker_state::open));
}

TEST_CASE("at total failure the default breaker opens at the hundredth operation",
          "[circuit_breaker]") {
    bench b;
    b.calls(99, false);
    CHECK(b.is(breaker_state::closed));
    b.calls(1, false);
    CHECK(b.is(breaker_state::open));
}

TEST_CASE("a success that completes the minimum can show that the rate is reached",
          "[circuit_breaker]") {
    bench b{{.failure_rate = 0.5, .window = last_calls(10), .minimum_calls = 4}};
    b.calls(3, false);
    CHECK(b.is(breaker_state::closed));
    b.calls(1, true);
    CHECK(b.is(breaker_state::open));  // 3 of 4
}

TEST_CASE("the minimum is cut to the window, and zero is one", "[circuit_breaker]") {
    bench many{{.window = last_calls(3), .minimum_calls = 100}};
    many.calls(2, false);
    CHECK(many.is(breaker_state::closed));
    many.calls(1, false);
    CHECK(many.is(breaker_state::open));

    bench none{{.window = last_calls(3), .minimum_calls = 0}};
    none.calls(1, false);
    CHECK(none.is(breaker_state::open));
}

TEST_CASE("old failures slide out of the window", "[circuit_breaker]") {
    bench b{{.failure_rate = 0.5, .window = last_calls(10)}};
    b.calls(6, true);
    b.calls(4, false);
    CHECK(b.breaker.snapshot().failures == 4);
    b.calls(6, true);
    CHECK(b.breaker.snapshot().failures == 4);
    b.calls(1, true);
    CHECK(b.breaker.snapshot().failures == 3);
    b.calls(3, true);
    CHECK(b.breaker.snapshot().failures == 0);
    CHECK(b.breaker.snapshot().calls == 10);
    b.calls(500, true);
    b.calls(4, false);
    CHECK(b.breaker.snapshot().failures == 4);
    CHECK(b.is(breaker_state::closed));
    b.calls(1, false);
    CHECK(b.is(breaker_state::open));
}

TEST_CASE("a failed attempt that is tried again is no record", "[circuit_breaker]") {
    bench b{{.window = last_calls(4)}};
    for (int i = 0; i < 100; ++i)
        b.breaker.try_acquire(b.clock).failed(category::network_timeout, false, b.clock);
    CHECK(b.breaker.snapshot().calls == 0);
    b.calls(2, true);
    CHECK(b.breaker.snapshot().calls == 2);
}

TEST_CASE("an operation that ends between attempts is recorded as failed", "[circuit_breaker]") {
    bench b{{.window = last_calls(2)}};
    b.breaker.operation_failed(category::network_timeout, b.clock);
    CHECK(b.breaker.snapshot().failures == 1);
    b.breaker.operation_failed(category::cancelled, b.clock);
    CHECK(b.breaker.snapshot().calls == 1);
    b.breaker.operation_failed(category::network_timeout, b.clock);
    CHECK(b.trace == list{"closed > open"});
    b.clock.advance(30s);
    auto const probe = b.breaker.try_acquire(b.clock);
    b.breaker.operation_failed(category::network_timeout, b.clock);
    CHECK(b.breaker.snapshot().calls == 0);  // a probe is recorded by its own permit
}

TEST_CASE("field pain 5: neutral failures are no record", "[circuit_breaker][field]") {
    auto const neutral =
        GENERATE(category::cancelled, category::permission, category::api_permission,
                 category::authentication, category::invalid_input, category::invalid_schema,
                 category::invalid_format, category::missing_dependency, category::configuration,
                 category::not_found, category::defect);
    bench b{{.window = last_calls(2)}};
    for (int i = 0; i < 10; ++i) b.call(false, neutral);
    CHECK(b.breaker.snapshot().calls == 0);
    CHECK(b.is(breaker_state::closed));
}

TEST_CASE("all other failures count", "[circuit_breaker]") {
    auto const what = GENERATE(
        category::unknown, category::network_timeout, category::network_connection,
        category::network_dns, category::network_tls, category::disk_full, category::out_of_memory,
        category::cpu_exhausted, category::quota_exceeded, category::service_unavailable,
        category::rate_limited, category::maintenance, category::corruption);
    bench b{{.window = last_calls(2)}};
    for (int i = 0; i < 2; ++i) b.call(false, what);
    CHECK(b.is(breaker_state::open));
}

TEST_CASE("what is neutral can be chosen", "[circuit_breaker]") {
    bench b{{.window = last_calls(2), .neutral = {category::rate_limited}}};
    for (int i = 0; i < 9; ++i) b.call(false, category::rate_limited);
    CHECK(b.is(breaker_state::closed));
    for (int i = 0; i < 2; ++i) b.call(false, category::not_found);
    CHECK(b.is(breaker_state::open));
}

TEST_CASE("an open breaker rejects until its time is over, to the nanosecond",
          "[circuit_breaker]") {
    bench b{{.window = last_calls(1), .open_for = 10s}};
    b.call(false);
    CHECK(b.breaker.retry_in(b.clock) == 10s);
    b.clock.advance(4s);
    CHECK(b.breaker.retry_in(b.clock) == 6s);
    b.clock.advance(6s - 1ns);
    CHECK_FALSE(b.call(true));
    CHECK(b.breaker.retry_in(b.clock) == 1ns);
    b.clock.advance(1ns);
    CHECK(b.breaker.retry_in(b.clock) == 0s);
    CHECK(b.is(breaker_state::open));  // until somebody asks
    CHECK(b.call(true));
    CHECK(b.is(breaker_state::half_open));
    CHECK(b.trace == list{"closed > open", "open > half_open"});
}

TEST_CASE("zero means zero: a breaker that is open for no time probes at once",
          "[circuit_breaker]") {
    bench b{{.window = last_calls(1), .open_for = 0s, .half_open_permits = 1}};
    b.call(false);
    CHECK(b.call(true));
    CHECK(b.trace == list{"closed > open", "open > half_open", "half_open > closed"});
}

TEST_CASE("a breaker that is open without a limit waits for reset", "[circuit_breaker]") {
    bench b{{.window = last_calls(1), .open_for = recoup::unlimited}};
    b.call(false);
    b.clock.advance(24h * 365 * 100);
    CHECK_FALSE(b.call(true));
    b.breaker.reset();
    CHECK(b.call(true));
}

TEST_CASE("a coarse clock that lags does not keep a breaker open", "[circuit_breaker]") {
    bench b{{.window = last_calls(1), .open_for = 10s}};
    odd_clock lagging{.exact = &b.clock, .lag = 10ms};
    b.breaker.try_acquire(lagging).failed(category::unknown, true, lagging);
    CHECK(b.breaker.retry_in(lagging) == 10s);
    b.clock.advance(10s - 1ns);
    CHECK_FALSE(b.breaker.try_acquire(lagging));
    b.clock.advance(1ns);
    CHECK(b.breaker.try_acquire(lagging));
}

TEST_CASE("a half-open breaker closes as soon as the probes cannot reach the rate",
          "[circuit_breaker]") {
    bench b{{.window = last_calls(2)}};
    b.until_probes();
    b.calls(2, true);
    CHECK(b.is(breaker_state::half_open));
    b.calls(1, true);  // 3 of 5: at most 2 can fail
    CHECK(b.is(breaker_state::closed));
    CHECK(b.trace == list{"open > half_open", "half_open > closed"});
    CHECK(b.breaker.snapshot().calls == 0);  // it begins anew
}

TEST_CASE("field pain 4: one flaky probe does not open a breaker again",
          "[circuit_breaker][field]") {
    bench b{{.window = last_calls(2)}};
    b.until_probes();
    b.call(false);
    CHECK(b.is(breaker_state::half_open));
    b.call(true);
    b.call(false);
    b.call(true);
    CHECK(b.is(breaker_state::half_open));  // 2 of 4, the fifth decides
    CHECK(b.breaker.snapshot().calls == 4);
    CHECK(b.breaker.snapshot().failures == 2);
    b.call(true);
    CHECK(b.trace == list{"open > half_open", "half_open > closed"});
}

TEST_CASE("a half-open breaker opens again where the rate of the probes is reached",
          "[circuit_breaker]") {
    bench b{{.window = last_calls(2), .half_open_permits = 4, .half_open_failure_rate = 0.75}};
    b.until_probes();
    b.calls(2, false);
    b.calls(1, true);
    CHECK(b.is(breaker_state::half_open));
    b.calls(1, false);
    CHECK(b.trace == list{"open > half_open", "half_open > open"});
    CHECK_FALSE(b.call(true));
    CHECK(b.breaker.retry_in(b.clock) == 30s);
    CHECK(b.breaker.snapshot().opened == 2);
    b.clock.advance(30s);
    b.calls(2, true);  // 2 of 4: at most 2 can fail, and 3 would have to
    CHECK(b.trace ==
          list{"open > half_open", "half_open > open", "open > half_open", "half_open > closed"});
}

TEST_CASE("a single probe decides where there is only one", "[circuit_breaker]") {
    auto const succeeds = GENERATE(true, false);
    bench b{{.window = last_calls(2), .half_open_permits = 1}};
    b.until_probes();
    CHECK(b.call(succeeds));
    CHECK(b.is(succeeds ? breaker_state::closed : breaker_state::open));
}

TEST_CASE("probes are recorded per attempt, whether or not the operation goes on",
          "[circuit_breaker]") {
    bench b{{.window = last_calls(2), .half_open_permits = 2}};
    b.until_probes();
    b.breaker.try_acquire(b.clock).failed(category::unknown, false, b.clock);
    CHECK(b.trace == list{"open > half_open", "half_open > open"});
}

TEST_CASE("a half-open breaker admits only so many probes at a time", "[circuit_breaker]") {
    bench b{{.window = last_calls(2), .half_open_permits = 3}};
    b.until_probes();
    auto first = b.breaker.try_acquire(b.clock);
    auto second = b.breaker.try_acquire(b.clock);
    auto third = b.breaker.try_acquire(b.clock);
    CHECK((first && second && third));
    CHECK_FALSE(b.breaker.try_acquire(b.clock));
    CHECK(b.breaker.retry_in(b.clock) == 0s);
    first.failed(category::unknown, true, b.clock);
    CHECK_FALSE(b.breaker.try_acquire(b.clock));  // its outcome is one of the three
    second.succeeded(b.clock);
    third.succeeded(b.clock);
    CHECK(b.is(breaker_state::closed));
}

TEST_CASE("one who saw the breaker open and comes after the last probe is rejected",
          "[circuit_breaker]") {
    bench b{{.window = last_calls(2), .half_open_permits = 2}};
    b.until_probes();
    std::vector<circuit_breaker::permit> others;
    odd_clock late{.exact = &b.clock, .when_read = [&] {
                       for (int i = 0; i < 2; ++i) others.push_back(b.breaker.try_acquire(b.clock));
                   }};
    CHECK_FALSE(b.breaker.try_acquire(late));
    REQUIRE(others.size() == 2);
    CHECK((others[0] && others[1]));
}

TEST_CASE("one who saw the breaker open is admitted or rejected as it is by then",
          "[circuit_breaker]") {
    bench b{{.window = last_calls(2)}};
    b.until_probes();
    odd_clock closing{.exact = &b.clock, .when_read = [&] { b.breaker.reset(); }};
    CHECK(b.breaker.try_acquire(closing));
    CHECK(b.is(breaker_state::closed));

    b.until_probes();
    odd_clock isolating{.exact = &b.clock, .when_read = [&] { b.breaker.isolate(); }};
    CHECK_FALSE(b.breaker.try_acquire(isolating));
    b.breaker.reset();

    b.until_probes();
    odd_clock opening{.exact = &b.clock, .when_read = [&] {
                          b.breaker.reset();
                          b.calls(2, false);
                      }};
    // It opened anew meanwhile, for another thirty seconds.
    CHECK_FALSE(b.breaker.try_acquire(opening));
    CHECK(b.is(breaker_state::open));
}

TEST_CASE("a failure that reaches the rate after a change of state does not open",
          "[circuit_breaker]") {
    bench b{{.window = last_calls(1)}};
    auto permit = b.breaker.try_acquire(b.clock);
    // The clock is read when the failure has been recorded, and before the breaker opens.
    odd_clock resetting{.exact = &b.clock, .when_read = [&] { b.breaker.reset(); }};
    permit.failed(category::unknown, true, resetting);
    CHECK(b.is(breaker_state::closed));
    CHECK(b.breaker.snapshot().opened == 0);
}

TEST_CASE("field pain 3: a probe that is lost is given back", "[circuit_breaker][field]") {
    bench b{{.window = last_calls(2), .half_open_permits = 2}};
    b.until_probes();
    for (int i = 0; i < 100; ++i) {
        auto const lost = b.breaker.try_acquire(b.clock);
        REQUIRE(lost);
    }
    CHECK(b.breaker.snapshot().calls == 0);
    b.calls(2, true);
    CHECK(b.is(breaker_state::closed));
}

TEST_CASE("a probe that is moved is given back once", "[circuit_breaker]") {
    bench b{{.window = last_calls(2), .half_open_permits = 2}};
    b.until_probes();
    {
        auto one = b.breaker.try_acquire(b.clock);
        auto const other = std::move(one);
        CHECK_FALSE(one);  // NOLINT(bugprone-use-after-move): it is promised
        CHECK(other);
        auto third = b.breaker.try_acquire(b.clock);
        CHECK_FALSE(b.breaker.try_acquire(b.clock));
        third = circuit_breaker::permit{};
        CHECK(b.breaker.try_acquire(b.clock));
    }
    auto const first = b.breaker.try_acquire(b.clock);
    auto const second = b.breaker.try_acquire(b.clock);
    CHECK((first && second));
    CHECK_FALSE(b.breaker.try_acquire(b.clock));
}

TEST_CASE("a probe that ends neutrally is given back", "[circuit_breaker]") {
    bench b{{.window = last_calls(2), .half_open_permits = 1}};
    b.until_probes();
    for (int i = 0; i < 10; ++i) CHECK(b.call(false, category::not_found));
    CHECK(b.is(breaker_state::half_open));
    CHECK(b.call(true));
    CHECK(b.is(breaker_state::closed));
}

TEST_CASE("a permit counts once", "[circuit_breaker]") {
    bench b{{.window = last_calls(4)}};
    auto permit = b.breaker.try_acquire(b.clock);
    permit.failed(category::unknown, true, b.clock);
    permit.failed(category::unknown, true, b.clock);
    permit.succeeded(b.clock);
    CHECK_FALSE(permit);
    CHECK(b.breaker.snapshot().calls == 1);

    circuit_breaker::permit rejected;
    rejected.failed(category::unknown, true, b.clock);
    rejected.succeeded(b.clock);
    CHECK(b.breaker.snapshot().calls == 1);
}

TEST_CASE("results from before a change of state do not count", "[circuit_breaker]") {
    bench b{{.window = last_calls(2), .half_open_permits = 2}};
    auto early_success = b.breaker.try_acquire(b.clock);
    auto early_failure = b.breaker.try_acquire(b.clock);
    auto late_failure = b.breaker.try_acquire(b.clock);
    b.calls(2, false);
    CHECK(b.is(breaker_state::open));
    early_success.succeeded(b.clock);
    CHECK(b.is(breaker_state::open));
    b.clock.advance(30s);
    auto first = b.breaker.try_acquire(b.clock);
    auto second = b.breaker.try_acquire(b.clock);
    early_failure.failed(category::unknown, true, b.clock);
    CHECK(b.breaker.snapshot().calls == 0);
    first.succeeded(b.clock);
    auto stale = std::move(second);
    b.breaker.reset();
    CHECK(b.is(breaker_state::closed));
    stale.failed(category::unknown, true, b.clock);
    late_failure.failed(category::unknown, true, b.clock);
    CHECK(b.breaker.snapshot().calls == 0);
    CHECK(b.is(breaker_state::closed));
}

TEST_CASE("an isolated breaker rejects until it is reset", "[circuit_breaker]") {
    bench b{{.window = last_calls(2)}};
    auto running = b.breaker.try_acquire(b.clock);
    b.breaker.isolate();
    CHECK(b.is(breaker_state::isolated));
    CHECK_FALSE(b.call(true));
    b.clock.advance(1000h);
    CHECK_FALSE(b.call(true));
    CHECK(b.breaker.retry_in(b.clock) == recoup::unlimited);
    running.failed(category::unknown, true, b.clock);
    b.breaker.reset();
    CHECK(b.call(true));
    CHECK(b.breaker.snapshot().calls == 1);
    CHECK(b.trace == list{"closed > isolated", "isolated > closed"});
}

TEST_CASE("a breaker can be isolated and reset from any state", "[circuit_breaker]") {
    bench b{{.window = last_calls(2), .half_open_permits = 2}};
    b.until_probes();
    auto probe = b.breaker.try_acquire(b.clock);
    b.breaker.isolate();
    b.breaker.isolate();
    probe.succeeded(b.clock);
    CHECK(b.is(breaker_state::isolated));
    b.breaker.reset();
    b.calls(1, false);
    b.breaker.reset();  // from closed: it empties the window
    CHECK(b.breaker.snapshot().calls == 0);
    b.calls(1, false);
    CHECK(b.is(breaker_state::closed));
    b.calls(1, false);
    b.breaker.reset();
    CHECK(b.trace == list{"open > half_open", "half_open > isolated", "isolated > closed",
                          "closed > open", "open > closed"});
}

TEST_CASE("a listener that throws harms nobody", "[circuit_breaker]") {
    bench b{{.window = last_calls(1)}};
    b.breaker.on_state_change([](breaker_change const&) { throw std::runtime_error{"mine"}; });
    int told = 0;
    b.breaker.on_state_change([&](breaker_change const&) { ++told; });
    CHECK(b.call(false));
    CHECK_FALSE(b.call(false));
    CHECK(b.trace == list{"closed > open"});
    CHECK(told == 1);
}

TEST_CASE("a listener may change the state itself, and the changes are told in order",
          "[circuit_breaker]") {
    circuit_breaker breaker{{.window = last_calls(1)}};
    manual_clock clock;
    std::vector<breaker_change> first;
    std::vector<breaker_change> second;
    breaker.on_state_change([&](breaker_change const& change) {
        first.push_back(change);
        if (change.to == breaker_state::open) breaker.reset();
        CHECK(breaker.snapshot().calls == 0);  // no lock is held
    });
    breaker.on_state_change([&](breaker_change const& change) { second.push_back(change); });
    breaker.try_acquire(clock).failed(category::unknown, true, clock);
    auto const expected = std::vector<breaker_change>{{breaker_state::closed, breaker_state::open},
                                                      {breaker_state::open, breaker_state::closed}};
    CHECK(first == expected);
    CHECK(second == expected);
    CHECK(breaker.state() == breaker_state::closed);
}

TEST_CASE("changes that a listener is too slow for are joined, and the last one is told",
          "[circuit_breaker]") {
    circuit_breaker breaker;
    std::vector<breaker_change> seen;
    breaker.on_state_change([&](breaker_change const& change) {
        seen.push_back(change);
        if (seen.size() == 1)
            for (int i = 0; i < 50; ++i) {
                breaker.reset();
                breaker.isolate();
            }
    });
    breaker.isolate();
    REQUIRE(seen.size() == 17);
    CHECK(seen.back().to == breaker_state::isolated);
}

TEST_CASE("options that make no sense are refused with a sentence", "[circuit_breaker]") {
    using Catch::Matchers::ContainsSubstring;
    auto const complaint = [](recoup::circuit_breaker_options options) -> std::string {
        try {
            circuit_breaker const breaker{std::move(options)};
        } catch (std::invalid_argument const& caught) {
            return caught.what();
        }
        return "none";
    };
    auto const nan = std::numeric_limits<double>::quiet_NaN();
    for (auto const rate : {nan, 0.0, -0.5, 1.01, std::numeric_limits<double>::infinity()}) {
        CHECK_THAT(complaint({.failure_rate = rate}),
                   ContainsSubstring("circuit_breaker: failure_rate is ") &&
                       ContainsSubstring("expected a share above 0 and up to 1"));
        CHECK_THAT(complaint({.half_open_failure_rate = rate}),
                   ContainsSubstring("half_open_failure_rate is "));
    }
    CHECK_THAT(complaint({.window = last_calls(0)}),
               ContainsSubstring("window is 0 calls, expected 1 to 32768"));
    CHECK_THAT(complaint({.window = last_calls(32'769)}), ContainsSubstring("window is 32769"));
    CHECK_THAT(complaint({.half_open_permits = 0}),
               ContainsSubstring("half_open_permits is 0, expected 1 to 1000"));
    CHECK_THAT(complaint({.half_open_permits = 1001}), ContainsSubstring("half_open_permits"));
    CHECK_THAT(complaint({.open_for = -1ns}), ContainsSubstring("open_for is -1 ns, expected 0"));
    CHECK(complaint({.failure_rate = 1, .window = last_calls(32'768), .half_open_permits = 1000}) ==
          "none");
    CHECK(circuit_breaker{{.name = "example.test"}}.name() == "example.test");
}

TEST_CASE("states have names", "[circuit_breaker]") {
    CHECK(recoup::to_string(breaker_state::closed) == "closed");
    CHECK(recoup::to_string(breaker_state::open) == "open");
    CHECK(recoup::to_string(breaker_state::half_open) == "half_open");
    CHECK(recoup::to_string(breaker_state::isolated) == "isolated");
}
