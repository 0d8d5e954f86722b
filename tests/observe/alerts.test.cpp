// SPDX-License-Identifier: BSL-1.0
#include <recoup/observe/alert.hpp>

#include <recoup/core/on.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <cstddef>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "observe/observe_support.hpp"
#include "support/catch.hpp"

using namespace std::chrono_literals;
using namespace observe_test;
using recoup::alert_rule;
using recoup::metrics;
using recoup::with_recovery;
using recoup::testing::manual_clock;

namespace {

using lines = std::vector<std::string>;

std::string line_of(recoup::alert const& shown) {
    std::ostringstream text;
    text << shown;
    return text.str();
}

/// Metrics by a clock of the test's, one name, and what was told.
struct watched_calls {
    explicit watched_calls(alert_rule const& rule) {
        counted.alert(rule, [this](recoup::alert const& shown) {
            told.push_back(line_of(shown));
            raised.push_back(shown.raised);
        });
    }

    /// So many calls, one each `apart`.
    void call(int times, bool well, recoup::duration apart = 100ms) {
        for (auto i = 0; i != times; ++i) {
            clock.advance(apart);
            static_cast<void>(wrapped(well));
        }
    }

    manual_clock clock{};
    metrics counted{time_all, recoup::on(clock)};
    lines told{};
    std::vector<bool> raised{};
    decltype(with_recovery(succeed_if, std::declval<recoup::metrics_watch>())) wrapped =
        with_recovery(succeed_if, counted.watch("call"));
};

}  // namespace

TEST_CASE("an alert is raised once, and cleared once", "[metrics]") {
    watched_calls calls{{.success_below = 0.9, .window = 10s, .minimum_calls = 10}};
    calls.call(50, true);
    CHECK(calls.told.empty());
    calls.call(20, false);
    REQUIRE(calls.told.size() == 1);
    // 6 of 56 in a window that has not filled yet.
    CHECK(calls.told[0] == "raised: success of call is 0.892857, below 0.9 (56 calls)");
    calls.call(200, true);
    REQUIRE(calls.told.size() == 2);
    CHECK(calls.told[1].find("cleared: success of call is 0.9") == 0);
    CHECK(calls.told[1].find("the bound is 0.9") != std::string::npos);
    auto const seen = calls.counted.snapshot();
    CHECK(seen.alerts_raised == 1);
    CHECK(seen.alerts_cleared == 1);
}

TEST_CASE("what goes to and fro at its bound is one alert", "[metrics]") {
    watched_calls calls{
        {.success_below = 0.9, .window = 10s, .minimum_calls = 10, .clear_margin = 0.5}};
    calls.call(100, true);
    // A failure in ten and one in eleven: below the bound and above it, never above 0.95.
    for (auto round = 0; round != 20; ++round) {
        calls.call(1, false);
        calls.call(round % 2 == 0 ? 7 : 12, true);
    }
    CHECK(calls.raised == std::vector<bool>{true});
    calls.call(200, true);
    CHECK(calls.raised == std::vector<bool>{true, false});
}

TEST_CASE("only the last window counts", "[metrics]") {
    watched_calls calls{{.success_below = 0.9, .window = 10s, .minimum_calls = 10}};
    calls.call(10'000, true);
    calls.call(12, false);  // of 100 in the window, and of 10,012 in all
    CHECK(calls.raised == std::vector<bool>{true});
    // After a pause what was before it is over.
    calls.clock.advance(1h);
    calls.call(10, true);
    CHECK(calls.raised == std::vector<bool>{true, false});
}

TEST_CASE("fewer calls than the minimum say nothing", "[metrics]") {
    watched_calls calls{{.success_below = 0.9, .window = 10s, .minimum_calls = 20}};
    calls.call(19, false, 100ms);
    CHECK(calls.told.empty());
    calls.call(1, false);
    CHECK(calls.raised == std::vector<bool>{true});
    // Nor do they clear.
    calls.clock.advance(1h);
    calls.call(19, true);
    CHECK(calls.raised == std::vector<bool>{true});
}

TEST_CASE("operations look at alerts at most every 100 ms, and a snapshot at once", "[metrics]") {
    watched_calls calls{{.success_below = 0.9, .window = 10s, .minimum_calls = 10}};
    calls.call(1, true);
    calls.call(1, true, 0ms);
    calls.call(50, false, 1ms);
    CHECK(calls.told.empty());
    SECTION("an operation") {
        calls.call(1, false, 49ms);
        CHECK(calls.told.empty());
        calls.call(1, false, 1ms);
        CHECK(calls.told.size() == 1);
    }
    SECTION("a snapshot") {
        static_cast<void>(calls.counted.snapshot());
        CHECK(calls.told.size() == 1);
    }
}

TEST_CASE("no more alerts are raised than may be", "[metrics]") {
    watched_calls calls{
        {.success_below = 0.9, .window = 1s, .minimum_calls = 5, .at_most = 2, .per = 1min}};
    auto const flap = [&] {
        calls.call(10, false);
        calls.call(20, true);
    };
    flap();
    flap();
    CHECK(calls.raised == std::vector<bool>{true, false, true, false});
    for (auto i = 0; i != 5; ++i) flap();
    CHECK(calls.raised.size() == 4);
    CHECK(calls.counted.snapshot().alerts_put_off > 0);
    // One that still holds when it may be raised is.
    calls.call(600, false);
    CHECK(calls.raised == std::vector<bool>{true, false, true, false, true});
}

TEST_CASE("each name has alerts of its own", "[metrics]") {
    manual_clock clock;
    metrics counted{time_all, recoup::on(clock)};
    auto const before = with_recovery(succeed_if, counted.watch("before"));
    lines told;
    counted.alert({.success_below = 0.5, .minimum_calls = 10},
                  [&](recoup::alert const& shown) { told.push_back(std::string{shown.name}); });
    auto const after = with_recovery(succeed_if, counted.watch("after"));
    auto const call = [&](auto const& one, bool well) {
        for (auto i = 0; i != 20; ++i) {
            clock.advance(100ms);
            static_cast<void>(one(well));
        }
    };
    call(before, true);
    call(after, true);
    CHECK(told.empty());
    call(before, false);
    call(before, false);
    CHECK(told == lines{"before"});
    call(after, false);
    call(after, false);
    CHECK(told == lines{"before", "after"});
}

TEST_CASE("a cancelled operation is neither a success nor a failure", "[metrics]") {
    watched_calls calls{{.success_below = 0.9, .minimum_calls = 10}};
    std::stop_source stop;
    stop.request_stop();
    auto const cancelled = with_recovery(succeed_if, calls.counted.watch("call"), stop.get_token());
    for (auto i = 0; i != 100; ++i) {
        calls.clock.advance(100ms);
        REQUIRE(cancelled(true).error().stopped() == recoup::stop_reason::cancelled);
    }
    calls.call(20, true);
    CHECK(calls.told.empty());
    CHECK(look_at(calls.counted, "call").success() == 1.0);
}

TEST_CASE("a recovery that takes too long raises an alert", "[metrics]") {
    manual_clock clock;
    metrics counted{time_all, recoup::on(clock)};
    lines told;
    counted.alert({.recovery_above = 500ms, .minimum_calls = 5},
                  [&](recoup::alert const& shown) { told.push_back(line_of(shown)); });
    auto down_for = 0ms;
    auto failed = false;
    auto const call = with_recovery(
        [&]() -> recoup::result<int> {
            failed = !failed;
            if (failed) return transient();
            clock.advance(down_for);
            return 1;
        },
        at_once, counted.watch("call"));
    auto const recover = [&](auto after) {
        down_for = after;
        for (auto i = 0; i != 20; ++i) REQUIRE(call());
    };
    recover(400ms);
    CHECK(told.empty());
    recover(700ms);
    REQUIRE(told.size() == 1);
    CHECK(told[0].find("raised: recovery of call is 0.5") == 0);
    recover(100ms);
    recover(100ms);
    recover(100ms);
    recover(100ms);
    REQUIRE(told.size() == 2);
    CHECK(told[1].find("cleared: recovery of call is ") == 0);
}

TEST_CASE("overhead above the bound raises an alert", "[metrics]") {
    manual_clock clock;
    metrics counted{time_all, recoup::on(clock)};
    lines told;
    counted.alert({.overhead_above = 0.05, .window = 1s, .minimum_calls = 5},
                  [&](recoup::alert const& shown) { told.push_back(line_of(shown)); });
    auto slow = 4ms;
    auto const call = with_recovery(
        [&] {
            clock.advance(100ms);
            return 1;
        },
        counted.watch("call"), recoup::on_event([&](recoup::event const& what) {
            if (what.kind == recoup::event_kind::operation_started) clock.advance(slow);
        }));
    for (auto i = 0; i != 20; ++i) REQUIRE(call());
    CHECK(told.empty());
    slow = 6ms;
    for (auto i = 0; i != 20; ++i) REQUIRE(call());
    REQUIRE(told.size() == 1);
    CHECK(told[0].find("raised: overhead of call is 0.05") == 0);
    CHECK(told[0].find(", above 0.05 (") != std::string::npos);
    slow = 1ms;
    for (auto i = 0; i != 20; ++i) REQUIRE(call());
    CHECK(told.size() == 2);
}

TEST_CASE("open breakers and memory raise alerts", "[metrics]") {
    manual_clock clock;
    metrics counted{time_all, recoup::on(clock)};
    recoup::circuit_breaker one;
    recoup::circuit_breaker other;
    counted.watch("one", one);
    counted.watch("other", other);
    auto journal = 0.0;
    counted.gauge("journal", [&] { return journal; }, recoup::gauge_unit::bytes);
    counted.gauge("queue", [] { return 1e12; });  // no bytes
    lines told;
    counted.alert(
        {.memory_above = 1'000'000, .open_breakers_above = 1}, [&](recoup::alert const& shown) {
            told.push_back((shown.raised ? "+" : "-") + std::string{to_string(shown.what)});
        });
    auto const look = [&] { static_cast<void>(counted.snapshot()); };
    look();
    one.isolate();
    look();
    CHECK(told.empty());
    other.isolate();
    look();
    CHECK(told == lines{"+open_breakers"});
    journal = 2e6;
    look();
    one.reset();
    other.reset();
    journal = 0;
    look();
    CHECK(told == lines{"+open_breakers", "+memory", "-memory", "-open_breakers"});
}

TEST_CASE("one who is told may throw, and may call what it likes", "[metrics]") {
    manual_clock clock;
    metrics counted{time_all, recoup::on(clock)};
    auto const call = with_recovery(succeed_if, counted.watch("call"));
    auto told = 0;
    counted.alert({.success_below = 0.9, .minimum_calls = 1}, [&](recoup::alert const& shown) {
        if (!shown.raised) return;
        ++told;
        // Looks at itself, calls what it watches, and asks for more of the same.
        auto const seen = counted.snapshot();
        CHECK(seen.find("call")->failed > 0);
        clock.advance(1s);
        CHECK_FALSE(call(false));
        if (told == 1)
            counted.alert({.success_below = 0.9, .minimum_calls = 1},
                          [&](recoup::alert const&) { throw std::runtime_error{"no"}; });
        CHECK(with_recovery(succeed_if, counted.watch("new " + std::to_string(told)))(true));
        throw std::runtime_error{"no"};
    });
    for (auto i = 0; i != 20; ++i) {
        clock.advance(100ms);
        REQUIRE_FALSE(call(false));
    }
    CHECK(told == 1);
    for (auto i = 0; i != 300; ++i) {
        clock.advance(100ms);
        REQUIRE(call(true));
    }
    auto const seen = counted.snapshot();
    CHECK(seen.alerts_raised == 2);
    CHECK(seen.alerts_cleared == 2);
    CHECK(seen.find("call")->operations == 321);
}

TEST_CASE("one who is told is told of one thing at a time", "[metrics]") {
    metrics counted;
    recoup::circuit_breaker one;
    recoup::circuit_breaker other;
    counted.watch("one", one);
    counted.watch("other", other);
    auto depth = 0;
    lines told;
    counted.alert({.open_breakers_above = 0}, [&](recoup::alert const& shown) {
        CHECK(++depth == 1);
        told.push_back("first " + line_of(shown));
        other.isolate();
        static_cast<void>(counted.snapshot());
        --depth;
    });
    counted.alert({.open_breakers_above = 1}, [&](recoup::alert const& shown) {
        CHECK(++depth == 1);
        told.push_back("second " + line_of(shown));
        --depth;
    });
    one.isolate();
    static_cast<void>(counted.snapshot());
    CHECK(told == lines{"first raised: open_breakers is 1, above 0",
                        "second raised: open_breakers is 2, above 1"});
}

TEST_CASE("rules that mean nothing are refused, and there are so many at the most", "[metrics]") {
    metrics counted{{.rules_most = 2}};
    auto const refused = [&](alert_rule const& rule) {
        CHECK_THROWS_AS(counted.alert(rule, [](recoup::alert const&) {}), std::invalid_argument);
    };
    refused({});
    refused({.success_below = 1.5});
    refused({.success_below = std::numeric_limits<double>::quiet_NaN()});
    refused({.overhead_above = -1});
    refused({.recovery_above = -1ns});
    refused({.success_below = 0.9, .window = 0s});
    refused({.success_below = 0.9, .clear_margin = 2});
    refused({.success_below = 0.9, .at_most = 0});
    refused({.success_below = 0.9, .per = -1s});
    CHECK_THROWS_AS(counted.alert({.success_below = 0.9}, nullptr), std::invalid_argument);
    // Zero is zero, and not "none".
    counted.alert({.open_breakers_above = 0}, [](recoup::alert const&) {});
    counted.alert({.success_below = 0}, [](recoup::alert const&) {});
    CHECK_THROWS_AS(counted.alert({.success_below = 0.9}, [](recoup::alert const&) {}),
                    std::length_error);
}
