// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include <recoup/core/attempt.hpp>
#include <recoup/core/trace_context.hpp>
#include <recoup/guard/fallback.hpp>
#include <recoup/guard/hedge.hpp>
#include <recoup/observe/trace.hpp>
#include <recoup/retry/backoff.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/with_recovery.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "async/async_support.hpp"
#include "support/catch.hpp"

using namespace std::chrono_literals;
using async_test::asio::awaitable;
using recoup::trace;
using recoup::trace_context;
using recoup::testing::event_recorder;

namespace {

trace_context trace_of(std::uint8_t number) {
    trace_context made;
    made.trace_id.front() = made.span_id.front() = number;
    return made;
}

using traces = std::vector<std::optional<trace_context>>;

std::optional<trace_context> trace_in(recoup::attempt const& attempt) {
    auto const* const found = attempt.trace();
    return found == nullptr ? std::nullopt : std::optional{*found};
}

awaitable<void> let_others_run() {
    co_await async_test::asio::post(async_test::asio::use_awaitable);
}

/// What the attempt is part of, before it waited and after it.
awaitable<traces> look_twice(recoup::attempt& attempt) {
    traces seen{trace_in(attempt)};
    co_await let_others_run();
    seen.push_back(trace_in(attempt));
    co_return seen;
}

bool all_are(event_recorder const& seen, std::optional<trace_context> const& expected) {
    auto const events = seen.events();
    return !events.empty() && std::all_of(events.begin(), events.end(),
                                          [&](auto const& one) { return one.trace == expected; });
}

}  // namespace

TEST_CASE("coroutines that take turns on a thread each keep their own trace", "[async][trace]") {
    constexpr auto calls = std::size_t{4};
    async_test::asio::io_context context;
    std::array<event_recorder, calls> events;
    std::vector<traces> seen(calls);
    for (std::size_t i = 0; i != calls; ++i) {
        // The last one has none.
        auto const number = static_cast<std::uint8_t>(i + 1 == calls ? 0 : i + 1);
        auto const call = recoup::with_recovery(
            [](recoup::attempt& attempt) -> awaitable<recoup::result<traces>> {
                auto found = co_await look_twice(attempt);
                if (attempt.number() == 1)
                    co_return recoup::failure{recoup::category::network_connection};
                co_return found;
            },
            recoup::retry{.max_attempts = 2, .backoff = recoup::constant(0ms)},
            trace(trace_of(number)), events[i]);
        async_test::spawn(context, call(),
                          [&seen, i](recoup::result<traces> found) { seen[i] = found.value(); });
    }
    context.run();
    for (std::size_t i = 0; i != calls; ++i) {
        auto const expected = i + 1 == calls
                                  ? std::nullopt
                                  : std::optional{trace_of(static_cast<std::uint8_t>(i + 1))};
        CHECK(seen[i] == traces{expected, expected});
        CHECK(events[i].trace().size() == 6);
        CHECK(all_are(events[i], expected));
    }
}

TEST_CASE("within a coroutine a trace is handed on by hand", "[async][trace]") {
    auto const inner = recoup::with_recovery(look_twice);
    auto const outer = recoup::with_recovery(
        [&](recoup::attempt& attempt) -> awaitable<std::vector<traces>> {
            co_await let_others_run();
            std::vector<traces> found;
            found.push_back((co_await inner()).value());
            auto const handed_on = inner.with(trace(attempt.trace()));
            found.push_back((co_await handed_on()).value());
            co_return found;
        },
        trace(trace_of(1)));
    auto const found = async_test::run(outer()).value();
    CHECK(found == std::vector<traces>{{std::nullopt, std::nullopt}, {trace_of(1), trace_of(1)}});
}

TEST_CASE("a coroutine takes no trace from the call whose thread it runs on", "[async][trace]") {
    event_recorder events;
    auto const inside = recoup::with_recovery(look_twice, events);
    auto const outside = recoup::with_recovery([&] { return async_test::run(inside()).value(); },
                                               trace(trace_of(1)));
    CHECK(outside().value() == traces{std::nullopt, std::nullopt});
    CHECK(all_are(events, std::nullopt));
}

TEST_CASE("fallbacks and hedges of a coroutine are part of its trace", "[async][trace]") {
    event_recorder events;
    auto const failing = recoup::with_recovery(
        []() -> awaitable<recoup::result<int>> {
            co_return recoup::failure{recoup::category::permission};
        },
        trace(trace_of(2)), events, recoup::fallback(7));
    CHECK(async_test::run(failing()).value() == 7);
    CHECK(events.count(recoup::event_kind::fell_back) == 1);
    CHECK(all_are(events, trace_of(2)));

    events.clear();
    recoup::hedge hedges{{.delay = 1ms}};
    traces begun;
    auto const slow = recoup::with_recovery(
        [&](recoup::attempt& attempt) -> awaitable<int> {
            begun.push_back(trace_in(attempt));
            // The first goes on until it is cancelled, which the second sees to.
            if (begun.size() == 1) co_await async_test::sleep(1h);
            co_return 1;
        },
        hedges, trace(trace_of(3)), events);
    CHECK(async_test::run(slow()).value() == 1);
    CHECK(begun == traces{trace_of(3), trace_of(3)});
    CHECK(events.count(recoup::event_kind::hedged) == 1);
    CHECK(all_are(events, trace_of(3)));
}
