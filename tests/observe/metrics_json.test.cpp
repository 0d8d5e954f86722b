// SPDX-License-Identifier: BSL-1.0
#include <recoup/observe/metrics_json.hpp>

#include <recoup/core/on.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <stdexcept>

#include "observe/observe_support.hpp"
#include "support/catch.hpp"

using namespace std::chrono_literals;
using namespace observe_test;

TEST_CASE("a snapshot as JSON has all that was counted", "[metrics]") {
    recoup::testing::manual_clock clock;
    recoup::metrics counted{time_all, recoup::on(clock)};
    recoup::circuit_breaker const breaker;
    counted.watch("dependency", breaker);
    counted.gauge("broken", []() -> double { throw std::runtime_error{"no"}; });
    counted.gauge("journal", [] { return 4096.0; }, recoup::gauge_unit::bytes);
    auto const call = recoup::with_recovery(
        [&](bool well) {
            clock.advance(20ns);
            return succeed_if(well);
        },
        counted.watch("fetch \"page\"\xff"));
    for (auto i = 0; i != 3; ++i) REQUIRE(call(true));
    REQUIRE_FALSE(call(false));

    auto made = nlohmann::json(counted.snapshot());
    CHECK(made["memory_bytes"] == counted.memory());
    made.erase("memory_bytes");
    CHECK(made == nlohmann::json::parse(R"({
        "watched": [{
            "name": "fetch \"page\"\\xFF",
            "operations": 4, "succeeded": 3, "failed": 1, "abandoned": 0, "attempts": 4,
            "retries": 0, "rejections": 0, "recovered": 0, "success": 0.75,
            "events": {"operation_started": 4, "attempt_started": 4, "attempt_failed": 1,
                       "operation_succeeded": 3, "operation_failed": 1},
            "failed_attempts": {"permission": 1},
            "stopped": {"not_retryable": 1},
            "latency": {"count": 4, "mean_ns": 20, "p50_ns": 20, "p90_ns": 20, "p99_ns": 20,
                        "p999_ns": 20, "max_ns": 20},
            "smooth": {"count": 3, "mean_ns": 20, "p50_ns": 20, "p90_ns": 20, "p99_ns": 20,
                       "p999_ns": 20, "max_ns": 20},
            "recovery": {"count": 0},
            "overhead": {"share": 0.0, "measured": 4, "own_ns": 0, "callable_ns": 80}
        }],
        "gauges": [{"name": "broken", "value": null, "unit": "number"},
                   {"name": "journal", "value": 4096.0, "unit": "bytes"}],
        "breakers": [{"name": "dependency", "state": "closed"}],
        "alerts": {"raised": 0, "cleared": 0, "put_off": 0}
    })"));
    // Whatever the name was, it can be written.
    CHECK_NOTHROW(made.dump());
}
