// SPDX-License-Identifier: BSL-1.0
#include <recoup/observe/trace.hpp>

#include <recoup/core/attempt.hpp>
#include <recoup/core/trace_context.hpp>
#include <recoup/guard/fallback.hpp>
#include <recoup/observe/event_log.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "observe/observe_support.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

using namespace observe_test;
using recoup::trace;
using recoup::trace_context;
using recoup::with_recovery;
using recoup::testing::event_recorder;

namespace {

trace_context numbered_trace(std::uint8_t number) {
    trace_context made;
    made.trace_id.back() = number;
    made.span_id.back() = static_cast<std::uint8_t>(number + 100);
    made.flags = trace_context::sampled_flag;
    return made;
}

std::optional<trace_context> seen_by(recoup::attempt const& attempt) {
    auto const* const found = attempt.trace();
    return found == nullptr ? std::nullopt : std::optional{*found};
}

auto const no_trace = trace_context{};

/// What the call is part of, or `no_trace`.
auto const tell_trace = [](recoup::attempt& attempt) {
    return seen_by(attempt).value_or(no_trace);
};

/// Whether all events of a recorder, of which there are some, have this trace.
bool all_have(event_recorder const& seen, std::optional<trace_context> const& expected) {
    auto const events = seen.events();
    return !events.empty() && std::all_of(events.begin(), events.end(),
                                          [&](auto const& one) { return one.trace == expected; });
}

}  // namespace

TEST_CASE("a call's trace is seen by each attempt and in each event", "[trace]") {
    auto const context = numbered_trace(1);
    event_recorder events;
    std::vector<std::optional<trace_context>> attempts;
    auto const call = with_recovery(
        [&](recoup::attempt& attempt) -> recoup::result<int> {
            attempts.push_back(seen_by(attempt));
            if (attempt.number() < 3) return transient();
            return 1;
        },
        at_once, trace(context), events);
    REQUIRE(call());
    CHECK(attempts == std::vector(3, std::optional{context}));
    CHECK(events.trace().size() == 9);
    CHECK(all_have(events, context));
    // After the call there is none.
    events.clear();
    REQUIRE(with_recovery(tell_trace, events)().value() == no_trace);
    CHECK(all_have(events, std::nullopt));
}

TEST_CASE("a call can be given a trace of its own", "[trace]") {
    auto const call = with_recovery(tell_trace, trace(numbered_trace(1)));
    CHECK(call.with(trace(numbered_trace(2)))().value() == numbered_trace(2));
    CHECK(call().value() == numbered_trace(1));
    auto const untraced = with_recovery(tell_trace, recoup::retry{});
    CHECK(untraced.with(trace(numbered_trace(3)))().value() == numbered_trace(3));
    CHECK(untraced().value() == no_trace);
    // As it is handed on, and where there is nothing to hand on.
    auto const context = numbered_trace(4);
    CHECK(untraced.with(trace(&context))().value() == context);
    CHECK(untraced.with(trace(static_cast<trace_context const*>(nullptr)))().value() == no_trace);
    // Read from a header.
    auto const read = trace_context::parse(context.traceparent());
    CHECK(untraced.with(trace(read.value()))().value() == context);
}

TEST_CASE("who gives a trace is asked once, at the start of a call", "[trace]") {
    auto asked = std::uint8_t{0};
    std::vector<std::string> order;
    auto const call = with_recovery(
        [&](recoup::attempt& attempt) -> recoup::result<std::optional<trace_context>> {
            order.emplace_back("attempt");
            if (attempt.number() < 3) return transient();
            return seen_by(attempt);
        },
        at_once, trace([&]() {
            order.emplace_back("asked");
            return numbered_trace(++asked);
        }),
        recoup::on_event([&](recoup::event const& what) {
            if (what.kind == recoup::event_kind::operation_started) order.emplace_back("started");
        }));
    CHECK(call().value() == numbered_trace(1));
    CHECK(order == std::vector<std::string>{"asked", "started", "attempt", "attempt", "attempt"});
    CHECK(call().value() == numbered_trace(2));
}

TEST_CASE("where a call is not to be followed it has no trace, and goes on", "[trace]") {
    auto const none = [](auto source) {
        return with_recovery(tell_trace, trace(std::move(source)))().value() == no_trace;
    };
    CHECK(none([]() -> trace_context { throw std::runtime_error{"no"}; }));
    CHECK(none([] { return std::optional<trace_context>{}; }));
    CHECK(none([] { return static_cast<trace_context const*>(nullptr); }));
    CHECK(none([] { return trace_context{}; }));
    CHECK(none(trace_context{}));
    auto half = numbered_trace(1);
    half.span_id = {};
    CHECK(none(half));

    static auto const context = numbered_trace(1);
    CHECK_FALSE(none([] { return std::optional{context}; }));
    CHECK_FALSE(none([] { return &context; }));
}

TEST_CASE("calls within a call are part of its trace, unless they have one of their own",
          "[trace]") {
    event_recorder inner_events;
    auto const inner = with_recovery(tell_trace, recoup::retry{}, inner_events);
    auto const own = inner.with(trace(numbered_trace(2)));
    auto const outer = with_recovery(
        [&](recoup::attempt& attempt) -> recoup::result<int> {
            CHECK(inner().value() == numbered_trace(1));
            CHECK(all_have(inner_events, numbered_trace(1)));
            CHECK(own().value() == numbered_trace(2));
            // One that has none goes on to be part of this one.
            CHECK(inner.with(trace(trace_context{}))().value() == numbered_trace(1));
            // Two levels down, through one that knows of no trace.
            CHECK(with_recovery([&] { return inner(); })().value() == numbered_trace(1));
            CHECK(seen_by(attempt) == numbered_trace(1));
            inner_events.clear();
            if (attempt.number() == 1) throw std::runtime_error{"no"};
            return 1;
        },
        at_once, trace(numbered_trace(1)));
    REQUIRE(outer());
    // It is over, although the first attempt threw.
    CHECK(inner().value() == no_trace);
}

TEST_CASE("a fallback is part of the trace of what it stands in for", "[trace]") {
    event_recorder events;
    std::optional<trace_context> seen;
    auto const instead = with_recovery([&](recoup::attempt& attempt) {
        seen = seen_by(attempt);
        return 2;
    });
    auto const call = with_recovery([](int) -> recoup::result<int> { return permanent(); }, events,
                                    trace(numbered_trace(1)),
                                    recoup::fallback([&](int) { return instead().value(); }));
    CHECK(call(1).value() == 2);
    CHECK(seen == numbered_trace(1));
    CHECK(events.count(recoup::event_kind::fell_back) == 1);
    CHECK(all_have(events, numbered_trace(1)));
    events.clear();
    auto const others = with_recovery(
        [](recoup::attempt& attempt, int which) -> recoup::result<std::optional<trace_context>> {
            if (which == 1) return permanent();
            return seen_by(attempt);
        },
        events, trace(numbered_trace(3)), recoup::fallback_to({2}));
    CHECK(others(1).value() == numbered_trace(3));
    CHECK(all_have(events, numbered_trace(3)));
    CHECK(instead().value() == 2);
    CHECK(seen == std::nullopt);
}

TEST_CASE("lines about a call name its trace and span", "[trace]") {
    std::vector<std::string> lines;
    auto const call = with_recovery(
        succeed_if, recoup::log_events(
                        [&](recoup::log_level, std::string const& line) { lines.push_back(line); },
                        recoup::log_level::debug));
    auto const context = numbered_trace(0xab);
    REQUIRE(call.with(trace(context))(true));
    auto const ids =
        std::string{" trace_id=000000000000000000000000000000ab span_id=000000000000000f"};
    CHECK(lines == std::vector<std::string>{"event=operation_started" + ids,
                                            "event=attempt_started attempt=1" + ids,
                                            "event=operation_succeeded attempt=1" + ids});
    lines.clear();
    REQUIRE(call(true));
    CHECK(lines.front() == "event=operation_started");
}

TEST_CASE("a traced call takes no memory", "[trace]") {
    auto const call = with_recovery(
        [](recoup::attempt& attempt) { return attempt.trace() != nullptr; }, recoup::retry{},
        trace(numbered_trace(1)), recoup::on_event([](recoup::event const&) {}));
    REQUIRE(call().value());
    auto const before = support::allocations();
    for (auto i = 0; i != 100; ++i) static_cast<void>(call());
    CHECK(support::allocations() == before);
}

TEST_CASE("each thread has the trace of its own calls", "[trace][concurrent]") {
    auto const inner = with_recovery(tell_trace, recoup::retry{});
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (std::uint8_t number = 1; number != 4; ++number)
        threads.emplace_back([&, number] {
            auto const outer =
                with_recovery([&] { return inner(); }, trace(numbered_trace(number)));
            for (auto i = 0; i != 500; ++i) {
                if (outer().value() != numbered_trace(number)) ++wrong;
                if (inner().value() != no_trace) ++wrong;
            }
        });
    for (auto& one : threads) one.join();
    CHECK(wrong == 0);
}
