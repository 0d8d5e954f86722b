// SPDX-License-Identifier: BSL-1.0
#include <recoup/with_recovery.hpp>

#include <recoup/classify/rules.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/fault_plan.hpp>
#include <recoup/testing/manual_clock.hpp>

#include "support/catch.hpp"
#include "with_recovery/with_recovery_support.hpp"

#include <chrono>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

// Whole calls: every event, every delay, and the failure at the end.

namespace {

using namespace std::chrono_literals;
using namespace with_recovery_test;
using recoup::category;
using recoup::duration;
using recoup::failure;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::event_recorder;
using recoup::testing::fault_plan;
using recoup::testing::manual_clock;
using trace = std::vector<std::string>;
using delays = std::vector<duration>;

auto const up_by_ten = recoup::linear(10ms, 1s);

}  // namespace

TEST_CASE("A success at once is three events and no wait") {
    manual_clock clock;
    event_recorder seen;
    auto const wrapped = with_recovery(five, recoup::on(clock), std::ref(seen));
    CHECK(wrapped().value() == 5);
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1", "operation_succeeded 1"});
    CHECK(clock.waits().empty());
}

TEST_CASE("Failures that a retry cures leave a trace and exact delays") {
    manual_clock clock;
    event_recorder seen;
    fault_plan faults{"fail,rate_limited,throw,ok"};
    auto const wrapped =
        with_recovery(faults.wrap(five), retry{.max_attempts = 5, .backoff = up_by_ten},
                      recoup::on(clock), std::ref(seen));
    CHECK(wrapped().value() == 5);
    CHECK(seen.trace() == trace{
                              "operation_started",
                              "attempt_started 1",
                              "attempt_failed 1 network_connection",
                              "retry_scheduled 1 network_connection 10ms",
                              "attempt_started 2",
                              "attempt_failed 2 rate_limited",
                              "retry_scheduled 2 rate_limited 20ms",
                              "attempt_started 3",
                              "attempt_failed 3 network_connection",
                              "retry_scheduled 3 network_connection 30ms",
                              "attempt_started 4",
                              "operation_succeeded 4",
                          });
    CHECK(clock.waits() == delays{10ms, 20ms, 30ms});
}

TEST_CASE("field pain 16: a budget that is used up ends with the last failure, whole", "[field]") {
    manual_clock clock;
    event_recorder seen;
    fault_plan faults{"fail,rate_limited,network_dns"};
    auto const wrapped =
        with_recovery(faults.wrap(five), retry{.max_attempts = 3, .backoff = up_by_ten},
                      recoup::on(clock), std::ref(seen));
    auto const failed = wrapped();
    CHECK(failed.error().category() == category::network_dns);
    CHECK(failed.error().attempts() == 3);
    CHECK(failed.error().stopped() == stop_reason::attempts_exhausted);
    CHECK(seen.trace() == trace{
                              "operation_started",
                              "attempt_started 1",
                              "attempt_failed 1 network_connection",
                              "retry_scheduled 1 network_connection 10ms",
                              "attempt_started 2",
                              "attempt_failed 2 rate_limited",
                              "retry_scheduled 2 rate_limited 20ms",
                              "attempt_started 3",
                              "attempt_failed 3 network_dns",
                              "operation_failed 3 network_dns attempts_exhausted",
                          });
    CHECK(clock.waits() == delays{10ms, 20ms});
}

TEST_CASE("What cannot be cured is not tried again") {
    manual_clock clock;
    event_recorder seen;
    fault_plan faults{"permission*"};
    auto const wrapped = with_recovery(faults.wrap(five), retry{.max_attempts = 9},
                                       recoup::on(clock), std::ref(seen));
    CHECK(wrapped().error().stopped() == stop_reason::not_retryable);
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1",
                                "attempt_failed 1 permission",
                                "operation_failed 1 permission not_retryable"});
    CHECK(faults.calls() == 1);
}

TEST_CASE("field pain 18: 0 and 1 attempts mean one attempt", "[field]") {
    for (auto const most : {0U, 1U}) {
        manual_clock clock;
        fault_plan faults{"fail*"};
        auto const failed =
            with_recovery(faults.wrap(five), retry{.max_attempts = most}, recoup::on(clock))();
        CHECK(failed.error().attempts() == 1);
        CHECK(failed.error().stopped() == stop_reason::attempts_exhausted);
        CHECK(faults.calls() == 1);
        CHECK(clock.waits().empty());
    }
}

TEST_CASE("Without a policy there are 3 attempts, exponential from 200 ms, with full jitter") {
    manual_clock clock{{.fixed_random = UINT64_MAX}};
    fault_plan faults{"fail*"};
    CHECK(with_recovery(faults.wrap(five), recoup::on(clock))().error().attempts() == 3);
    CHECK(clock.waits() == delays{200ms, 400ms});
    manual_clock lucky{{.fixed_random = 0}};
    CHECK_FALSE(with_recovery(faults.wrap(five), recoup::on(lucky))().has_value());
    CHECK(lucky.elapsed() == 0ms);
    manual_clock halfway{{.fixed_random = UINT64_MAX / 2 + 1}};
    CHECK_FALSE(with_recovery(faults.wrap(five), recoup::on(halfway))().has_value());
    CHECK(halfway.waits() == delays{100ms, 200ms});
}

TEST_CASE("Jitter is the same for the same seed") {
    auto const waits = [](std::uint64_t seed) {
        manual_clock clock{{.seed = seed}};
        fault_plan faults{"fail*"};
        static_cast<void>(
            with_recovery(faults.wrap(five), retry{.max_attempts = 9}, recoup::on(clock))());
        return clock.waits();
    };
    CHECK(waits(7) == waits(7));
    CHECK(waits(7) != waits(8));
}

TEST_CASE("What is unknown is retried within the ordinary budget, unless the rules say never") {
    manual_clock clock;
    auto calls = 0;
    auto const odd = [&]() -> int {
        ++calls;
        throw 42;
    };
    CHECK(with_recovery(odd, recoup::on(clock))().error().stopped() ==
          stop_reason::attempts_exhausted);
    CHECK(calls == 3);
    calls = 0;
    auto const strict =
        with_recovery(odd, recoup::on(clock), recoup::default_rules().unknown(recoup::never));
    CHECK(strict().error().stopped() == stop_reason::not_retryable);
    CHECK(calls == 1);
}

TEST_CASE("Memory that ran out is a resource failure, and retried") {
    manual_clock clock;
    auto calls = 0;
    auto const failed = with_recovery(
        [&]() -> int {
            ++calls;
            throw std::bad_alloc{};
        },
        recoup::on(clock))();
    CHECK(failed.error().category() == category::out_of_memory);
    CHECK(calls == 3);
    CHECK_THROWS_AS(failed.value(), std::bad_alloc);
}

TEST_CASE("field pain 12: a category of its own budget does not use up the shared one", "[field]") {
    manual_clock clock;
    fault_plan faults{"rate_limited*5,fail,ok"};
    auto const wrapped =
        with_recovery(faults.wrap(five),
                      retry{.max_attempts = 2,
                            .backoff = recoup::constant(1ms),
                            .per_category = {{category::rate_limited,
                                              {.max_attempts = 6, .backoff = recoup::constant(1s)}},
                                             {category::permission, recoup::never}}},
                      recoup::on(clock));
    CHECK(wrapped().value() == 5);
    CHECK(clock.waits() == delays{1s, 1s, 1s, 1s, 1s, 1ms});
}

TEST_CASE("field pain 15: a hint is obeyed up to its cap", "[field]") {
    manual_clock clock;
    auto hints = std::vector<std::chrono::milliseconds>{1s, 114h, 0ms};
    auto calls = std::size_t{0};
    auto const wrapped = with_recovery(
        [&]() -> result<int> {
            if (calls == hints.size()) return 5;
            return failure{category::rate_limited}.retry_after(hints[calls++]);
        },
        retry{.max_attempts = 9, .backoff = recoup::constant(5ms), .retry_after_max = 1min},
        recoup::on(clock));
    CHECK(wrapped().value() == 5);
    CHECK(clock.waits() == delays{1s, 1min, 5ms});
}

TEST_CASE("field pain 15: a hint that does not fit into the deadline gives up at once", "[field]") {
    manual_clock clock;
    event_recorder seen;
    auto const wrapped = with_recovery(
        []() -> result<int> { return failure{category::rate_limited}.retry_after(10s); },
        retry{.max_attempts = 9, .backoff = recoup::constant(5ms)}, recoup::deadline{10s},
        recoup::on(clock), std::ref(seen));
    auto const failed = wrapped();
    CHECK(failed.error().stopped() == stop_reason::deadline);
    CHECK(failed.error().category() == category::rate_limited);
    CHECK(failed.error().retry_after() == 10s);
    CHECK(clock.waits().empty());
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1",
                                "attempt_failed 1 rate_limited",
                                "operation_failed 1 rate_limited deadline"});
}

TEST_CASE("An attempt that makes progress makes the budget whole again") {
    manual_clock clock;
    auto const transfer = [](recoup::attempt& current) -> result<int> {
        auto const done = current.checkpoint<int>().value_or(0) + 1;
        if (done <= 10) current.save_checkpoint(done);
        if (done == 20) return done;
        return failure{category::network_connection};
    };
    auto const policy =
        retry{.max_attempts = 3, .backoff = recoup::constant(1ms), .refill_on_progress = true};
    auto const failed = with_recovery(transfer, policy, recoup::on(clock))();
    CHECK(failed.error().attempts() ==
          12);  // 10 with progress, of which the last counts; 2 without
    auto stingy = policy;
    stingy.refill_on_progress = false;
    CHECK(with_recovery(transfer, stingy, recoup::on(clock))().error().attempts() == 3);
}

TEST_CASE("A retry hands out what was recorded as the failure before, with its own category") {
    manual_clock clock;
    auto seen = std::vector<std::string>{};
    auto const wrapped = with_recovery(
        [&](recoup::attempt& current) -> result<int> {
            if (current.previous_failure()) seen.push_back(current.previous_failure()->describe());
            if (current.number() == 1) return std::make_error_code(std::errc::timed_out);
            if (current.number() == 2) throw std::runtime_error{"second"};
            return 1;
        },
        recoup::on(clock));
    CHECK(wrapped().has_value());
    CHECK(seen == trace{"network_timeout: Connection timed out (generic:110)", "unknown: second"});
}

TEST_CASE("Success within the arithmetic: 30 % transient failures and 5 attempts") {
    manual_clock clock;
    auto const faults = fault_plan::random({.rate = 0.3, .seed = 11});
    auto const wrapped =
        with_recovery(faults.wrap(five), retry{.max_attempts = 5}, recoup::on(clock));
    auto succeeded = 0;
    constexpr auto calls = 20'000;
    for (int i = 0; i != calls; ++i) succeeded += wrapped().has_value() ? 1 : 0;
    // 1 - 0.3^5 is 99.757 %; five standard deviations of 20,000 draws are 0.17 points.
    CHECK(succeeded >= calls * 0.9958);
    CHECK(succeeded < calls);
}
