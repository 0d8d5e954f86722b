// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/circuit_breaker.hpp>

#include <recoup/recoup.hpp>
#include <recoup/testing.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using recoup::breaker_state;
using recoup::category;
using recoup::circuit_breaker;
using recoup::last_calls;
using recoup::stop_reason;
using recoup::testing::event_recorder;
using recoup::testing::fault_plan;
using recoup::testing::manual_clock;

namespace {

using list = std::vector<std::string>;

int answer() { return 42; }

}  // namespace

TEST_CASE("what retries cure leaves the default breaker closed", "[circuit_breaker][retry]") {
    manual_clock clock;
    circuit_breaker breaker;
    auto const faults = fault_plan::random({.rate = 0.3, .seed = 42});
    auto const call = recoup::with_recovery(faults.wrap(answer), recoup::retry{.max_attempts = 5},
                                            breaker, recoup::on(clock));
    int succeeded = 0;
    for (int i = 0; i < 20'000; ++i) succeeded += call().has_value() ? 1 : 0;
    // 0.3 ^ 5 fail: 48.6 of 20,000, with a standard deviation of 7.
    CHECK(20'000 - succeeded < 84);
    CHECK(20'000 - succeeded > 14);
    CHECK(breaker.state() == breaker_state::closed);
    CHECK(breaker.snapshot().opened == 0);
}

TEST_CASE(
    "at total failure the default breaker opens at the hundredth operation, and no more is called",
    "[circuit_breaker][retry]") {
    manual_clock clock{{.fixed_random = 0}};  // no wait is longer than none
    circuit_breaker breaker;
    fault_plan const faults{"fail*"};
    auto const call = recoup::with_recovery(faults.wrap(answer), recoup::retry{.max_attempts = 3},
                                            breaker, recoup::on(clock));
    for (int i = 0; i < 100; ++i) {
        REQUIRE(breaker.state() == breaker_state::closed);
        REQUIRE(call().error().stopped() == stop_reason::attempts_exhausted);
    }
    REQUIRE(breaker.state() == breaker_state::open);
    CHECK(faults.calls() == 300);
    for (int i = 0; i < 1000; ++i) {
        auto const rejected = call();
        REQUIRE(rejected.error().stopped() == stop_reason::breaker_open);
        REQUIRE(rejected.error().code() == recoup::errc::breaker_open);
        REQUIRE(rejected.error().attempts() == 0);
    }
    CHECK(faults.calls() == 300);
}

TEST_CASE("a breaker that opens between attempts ends the operation", "[circuit_breaker][retry]") {
    manual_clock clock{{.fixed_random = 0}};
    circuit_breaker breaker{{.window = last_calls(1)}};
    event_recorder seen;
    auto const call = recoup::with_recovery(
        [&]() -> recoup::result<int> {
            // Meanwhile another operation fails.
            breaker.operation_failed(category::network_timeout, clock);
            return recoup::failure{category::network_connection};
        },
        recoup::retry{.max_attempts = 3}, breaker, recoup::on(clock), seen);
    auto const failed = call();
    CHECK(failed.error().stopped() == stop_reason::breaker_open);
    CHECK(failed.error().category() == category::network_connection);
    CHECK(seen.trace() ==
          list{"operation_started", "attempt_started 1", "attempt_failed 1 network_connection",
               "retry_scheduled 1 network_connection 0s", "rejected 1 service_unavailable",
               "operation_failed 1 network_connection breaker_open"});
}

TEST_CASE("an operation that is told to wait gets through when the breaker lets probes in",
          "[circuit_breaker][retry]") {
    manual_clock clock{{.fixed_random = 0}};
    circuit_breaker breaker{{.window = last_calls(1), .open_for = 10s, .half_open_permits = 1}};
    breaker.operation_failed(category::network_timeout, clock);
    clock.advance(4s);
    auto const call =
        recoup::with_recovery(answer, recoup::retry{.max_attempts = 3, .wait_when_rejected = true},
                              breaker, recoup::on(clock));
    CHECK(call().value() == 42);
    CHECK(clock.waits() == std::vector<recoup::duration>{6s});
    CHECK(breaker.state() == breaker_state::closed);
}

TEST_CASE("a breaker that is shared by its owner works as one that is referenced",
          "[circuit_breaker][retry]") {
    manual_clock clock;
    auto const breaker =
        std::make_shared<circuit_breaker>(recoup::circuit_breaker_options{.window = last_calls(1)});
    auto const call =
        recoup::with_recovery(fault_plan{"permission,fail,ok"}.wrap(answer),
                              recoup::retry{.max_attempts = 1}, breaker, recoup::on(clock));
    auto const copy = call;
    CHECK(call().error().category() == category::permission);
    CHECK(breaker->state() == breaker_state::closed);  // neutral
    CHECK(call().error().category() == category::network_connection);
    CHECK(breaker->state() == breaker_state::open);
    CHECK(copy().error().stopped() == stop_reason::breaker_open);
}
