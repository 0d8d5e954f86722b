// SPDX-License-Identifier: BSL-1.0
#include <recoup/observe/metrics.hpp>

#include <recoup/core/on.hpp>
#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "observe/observe_support.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

using namespace std::chrono_literals;
using namespace observe_test;
using recoup::category;
using recoup::event_kind;
using recoup::metrics;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::manual_clock;

TEST_CASE("every operation, attempt, retry and failure is counted once", "[metrics]") {
    metrics counted;
    auto left = 0;
    auto const call = with_recovery(
        [&](int failures) -> recoup::result<int> {
            if (failures < 0) return permanent();
            if (left == 0) left = failures + 1;
            if (--left != 0) return transient();
            return 1;
        },
        at_once, counted.watch("call"));
    for (auto i = 0; i != 10; ++i) REQUIRE(call(0));
    for (auto i = 0; i != 5; ++i) REQUIRE(call(1));
    for (auto i = 0; i != 4; ++i) REQUIRE(call(2));
    for (auto i = 0; i != 3; ++i) REQUIRE_FALSE(call(-1));
    left = 100;
    REQUIRE_FALSE(call(1));

    auto const seen = look_at(counted, "call");
    CHECK(seen.operations == 23);
    CHECK(seen.succeeded == 19);
    CHECK(seen.failed == 4);
    CHECK(seen.attempts == 10 + 5 * 2 + 4 * 3 + 3 + 3);
    CHECK(seen.retries == 5 + 4 * 2 + 2);
    CHECK(seen.recovered == 9);
    CHECK(seen.recovery.count() == 9);
    CHECK(seen.rejections == 0);
    CHECK(seen.abandoned == 0);
    CHECK(seen.count(category::network_connection) == 5 + 4 * 2 + 3);
    CHECK(seen.count(category::permission) == 3);
    CHECK(seen.count(stop_reason::not_retryable) == 3);
    CHECK(seen.count(stop_reason::attempts_exhausted) == 1);
    CHECK(seen.success() == 19.0 / 23);
}

TEST_CASE("rejections and what a store says are counted", "[metrics]") {
    manual_clock clock;
    metrics counted{time_all, recoup::on(clock)};
    recoup::circuit_breaker breaker;
    recoup::memory_store store;
    auto const call = with_recovery(
        [](int key) { return key; }, breaker, recoup::on(clock),
        recoup::persist(store,
                        {.name = "stored", .when = recoup::persist_when::start, .retain = 1h},
                        [](int key) { return key; }),
        counted.watch("call"));
    REQUIRE(call(1));
    REQUIRE(call(1));
    breaker.isolate();
    REQUIRE_FALSE(call(2));
    auto const seen = look_at(counted, "call");
    CHECK(seen.operations == 3);
    CHECK(seen.attempts == 1);
    CHECK(seen.count(event_kind::operation_replayed) == 1);
    CHECK(seen.rejections == 1);
    CHECK(seen.count(stop_reason::breaker_open) == 1);
    CHECK(seen.latency.count() == 1);  // only what made an attempt
}

TEST_CASE("the same name is the same counters, and others are others", "[metrics]") {
    metrics counted;
    auto const one = with_recovery(succeed_if, counted.watch("one"));
    auto const again = with_recovery(succeed_if, counted.watch("one"));
    auto const other = with_recovery(succeed_if, counted.watch("other"));
    REQUIRE(one(true));
    REQUIRE(again(true));
    REQUIRE(other(true));
    CHECK(look_at(counted, "one").operations == 2);
    CHECK(look_at(counted, "other").operations == 1);
    CHECK(counted.snapshot().find("neither") == nullptr);
}

TEST_CASE("the latency of an operation is all of its time, waits included", "[metrics]") {
    manual_clock clock;
    metrics counted{time_all, recoup::on(clock)};
    auto failures = 0;
    auto const call = with_recovery(
        [&]() -> recoup::result<int> {
            clock.advance(10ms);
            if (failures-- > 0) return transient();
            return 1;
        },
        recoup::retry{.max_attempts = 3, .backoff = recoup::constant(100ms)}, recoup::on(clock),
        counted.watch("call"));
    REQUIRE(call());
    CHECK(look_at(counted, "call").latency.longest() == 10ms);
    failures = 2;
    REQUIRE(call());
    auto const seen = look_at(counted, "call");
    CHECK(seen.latency.longest() == 3 * 10ms + 2 * 100ms);
    CHECK(seen.latency.count() == 2);
    CHECK(seen.latency.mean() == (10ms + 230ms) / 2);
    // What went through at once is told apart.
    CHECK(seen.smooth.count() == 1);
    CHECK(seen.smooth.longest() == 10ms);
    // From the moment of the first failure.
    CHECK(seen.recovery.count() == 1);
    CHECK(seen.recovery.longest() == 220ms);
}

TEST_CASE("overhead is what is neither the callable's time nor a wait", "[metrics]") {
    manual_clock clock;
    metrics counted{time_all, recoup::on(clock)};
    recoup::bulkhead pool{{.at_once = 1, .waiting = 1}};
    auto first = true;
    auto const call = with_recovery(
        [&]() -> recoup::result<int> {
            clock.advance(10ms);
            if (std::exchange(first, false)) return transient();
            return 1;
        },
        recoup::retry{.backoff = recoup::constant(70ms)}, recoup::on(clock),
        recoup::on_event([&](recoup::event const& what) {
            if (what.kind == event_kind::operation_started) clock.advance(1ms);
            if (what.kind == event_kind::attempt_failed) clock.advance(2ms);
        }),
        pool, counted.watch("call"));
    REQUIRE(call());
    auto const seen = look_at(counted, "call");
    CHECK(seen.measured == 1);
    CHECK(seen.callable == 20ms);
    CHECK(seen.own == 2ms);  // the first event is before the watch's own
    CHECK(seen.overhead() == 0.1);
    CHECK(seen.latency.longest() == 20ms + 70ms + 2ms);
}

TEST_CASE("one operation in so many is timed, and the rest only counted", "[metrics]") {
    for (auto const one_in : {1U, 2U, 16U, 100U}) {
        metrics counted{{.time_one_in = one_in}};
        auto const call = with_recovery(succeed_if, counted.watch("call"));
        constexpr auto calls = 20'000;
        for (auto i = 0; i != calls; ++i) REQUIRE(call(true));
        auto const seen = look_at(counted, "call");
        CHECK(seen.operations == calls);
        CHECK(seen.latency.count() >= calls / one_in * 8 / 10);
        CHECK(seen.latency.count() <= calls / one_in * 12 / 10);
    }
    metrics counted{{.time_one_in = 0}};
    auto const call = with_recovery(succeed_if, counted.watch("call"));
    for (auto i = 0; i != 100; ++i) REQUIRE(call(true));
    auto const seen = look_at(counted, "call");
    CHECK(seen.operations == 100);
    CHECK(seen.latency.count() == 0);
    CHECK_FALSE(seen.overhead());
}

TEST_CASE("counting allocates nothing, and memory stays what it is", "[metrics]") {
    metrics counted{time_all};
    counted.alert({.success_below = 0.5}, [](recoup::alert const&) {});
    auto const call = with_recovery(succeed_if, recoup::retry{}, counted.watch("call"));
    REQUIRE(call(true));
    auto const memory = counted.memory();
    auto const allocated = support::allocations();
    for (auto i = 0; i != 20'000; ++i) {
        auto const well = call(true);
        auto const not_well = call(false);
        if (!well || not_well) FAIL();
    }
    CHECK(support::allocations() == allocated);
    CHECK(counted.memory() == memory);
    CHECK(memory < 32 * 1024);
}

TEST_CASE("names beyond the most are counted together", "[metrics]") {
    metrics counted{{.names_most = 3}};
    auto const made = [&](std::string const& name) {
        REQUIRE(with_recovery(succeed_if, counted.watch(name))(true));
    };
    for (auto i = 0; i != 3; ++i) made("name " + std::to_string(i));
    made("(others) are none yet");
    auto const memory = counted.memory();
    for (auto i = 0; i != 1'000; ++i) made("more " + std::to_string(i));
    auto const seen = counted.snapshot();
    CHECK(seen.watched.size() == 4);
    CHECK(look_at(counted, "(others)").operations == 1'001);
    CHECK(look_at(counted, "name 1").operations == 1);
    CHECK(counted.memory() == memory);
}

TEST_CASE("names are shown escaped, cut, and without credentials", "[metrics]") {
    metrics counted;
    static_cast<void>(counted.watch("two\nlines\x1b[31m"));
    static_cast<void>(counted.watch("https://me:hunter2@example.test/"));
    static_cast<void>(counted.watch(std::string(1'000, 'x')));
    std::ostringstream text;
    text << counted.snapshot();
    CHECK(text.str().find("two\\nlines\\x1B[31m") != std::string::npos);
    CHECK(text.str().find('\x1b') == std::string::npos);
    CHECK(text.str().find("hunter2") == std::string::npos);
    CHECK(text.str().find(std::string(129, 'x')) == std::string::npos);
    CHECK(text.str().find(std::string(128, 'x')) != std::string::npos);
}

TEST_CASE("a snapshot is printed as a table", "[metrics]") {
    manual_clock clock;
    metrics counted{time_all, recoup::on(clock)};
    recoup::circuit_breaker breaker;
    breaker.isolate();
    counted.watch("dependency", breaker);
    counted.gauge("queue", [] { return 3.0; });
    counted.gauge("journal", [] { return 4096.0; }, recoup::gauge_unit::bytes);
    counted.gauge("broken", []() -> double { throw std::runtime_error{"no"}; });
    auto const call = with_recovery(
        [&](bool well) {
            clock.advance(2ms);
            return succeed_if(well);
        },
        counted.watch("fetch-page"));
    for (auto i = 0; i != 3; ++i) REQUIRE(call(true));
    REQUIRE_FALSE(call(false));
    std::ostringstream text;
    text << counted.snapshot();
    auto const expected =
        std::string{
            "name        operations  success  failed  attempts  retries  rejected   p50   p99   "
            "max  "
            "recovery p99  overhead\n"
            "fetch-page           4     75 %       1         4        0         0  2 ms  2 ms  2 "
            "ms  "
            "           -       0 %\n"
            "fetch-page\n"
            "  failed attempts: permission 1\n"
            "  stopped: not_retryable 1\n"
            "dependency  isolated\n"
            "queue              3\n"
            "journal       4096 B\n"
            "broken        failed\n"
            "metrics: "} +
        std::to_string(counted.memory()) + " B\n";
    CHECK(text.str() == expected);
}

TEST_CASE("nothing watched is printed as nothing", "[metrics]") {
    metrics counted;
    std::ostringstream text;
    text << counted.snapshot();
    CHECK(text.str() == "metrics: " + std::to_string(counted.memory()) + " B\n");
}

TEST_CASE("gauges are read by a snapshot and by nobody else", "[metrics]") {
    metrics counted{time_all};
    auto reads = 0;
    counted.gauge("queue", [&] { return static_cast<double>(++reads); });
    counted.alert({.success_below = 0.5, .open_breakers_above = 0}, [](recoup::alert const&) {});
    auto const call = with_recovery(succeed_if, counted.watch("call"));
    for (auto i = 0; i != 100; ++i) REQUIRE_FALSE(call(false));
    CHECK(reads == 0);
    CHECK(counted.snapshot().gauges.at(0).value == 1.0);
    CHECK(reads == 1);
}

TEST_CASE("gauges are bounded, and refuse what cannot be read", "[metrics]") {
    metrics counted{{.gauges_most = 2}};
    recoup::circuit_breaker const breaker;
    counted.watch("breaker", breaker);
    counted.gauge("gauge", [] { return 1.0; });
    CHECK_THROWS_AS(counted.gauge("more", [] { return 1.0; }), std::length_error);
    CHECK_THROWS_AS(counted.watch("more", breaker), std::length_error);
    CHECK_THROWS_AS(counted.gauge("none", nullptr), std::invalid_argument);
    CHECK(counted.snapshot().gauges.size() == 1);
}

TEST_CASE("metrics that are shared live as long as what they watch", "[metrics]") {
    auto counted = std::make_shared<metrics>();
    auto const breaker = std::make_shared<recoup::circuit_breaker>();
    counted->watch("breaker", breaker);
    auto const call = with_recovery(succeed_if, recoup::watch(counted, "call"));
    auto const copy = call;
    auto const seen_by = std::weak_ptr<metrics>{counted};
    counted.reset();
    REQUIRE(call(true));
    REQUIRE(copy(true));
    CHECK(look_at(*seen_by.lock(), "call").operations == 2);
}

TEST_CASE("copies of a wrapper and .with() count into the same", "[metrics]") {
    metrics counted;
    auto const call = with_recovery(succeed_if, counted.watch("call"));
    auto const copy = call;
    REQUIRE(copy(true));
    REQUIRE(call.with(recoup::deadline{1min})(true));
    // An observer that is added is one more.
    REQUIRE(call.with(counted.watch("other"))(true));
    CHECK(look_at(counted, "call").operations == 3);
    CHECK(look_at(counted, "other").operations == 1);
}

TEST_CASE("a watch beside other observers hides nothing from them", "[metrics]") {
    metrics counted;
    recoup::testing::event_recorder recorder;
    auto const call = with_recovery(succeed_if, recorder, counted.watch("call"),
                                    recoup::on_event([](recoup::event const&) { throw 1; }));
    REQUIRE(call(true));
    CHECK(recorder.trace() == std::vector<std::string>{"operation_started", "attempt_started 1",
                                                       "operation_succeeded 1"});
    CHECK(look_at(counted, "call").succeeded == 1);
}

TEST_CASE("what is given up halfway is counted as abandoned", "[metrics]") {
    metrics counted;
    auto const watch = counted.watch("call");
    {
        recoup::metrics_watch::per_operation kept;
        watch({.kind = event_kind::operation_started}, kept);
        watch({.kind = event_kind::attempt_started}, kept);
    }
    auto const seen = look_at(counted, "call");
    CHECK(seen.operations == 1);
    CHECK(seen.abandoned == 1);
    CHECK_FALSE(seen.success());
}

TEST_CASE("options that mean nothing are refused", "[metrics]") {
    CHECK_THROWS_AS(metrics{{.shards = 65}}, std::invalid_argument);
    CHECK_THROWS_AS(metrics{{.overhead_one_in = 0}}, std::invalid_argument);
    CHECK_THROWS_AS(metrics{{.names_most = 0}}, std::invalid_argument);
    metrics const without_shards{{.shards = 0}};
    CHECK(without_shards.memory() > 0);
}
