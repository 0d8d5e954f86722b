// SPDX-License-Identifier: BSL-1.0
// Steps of a durable operation are part of the trace of the call that runs it.
#include <recoup/observe/trace.hpp>

#include <recoup/core/on.hpp>
#include <recoup/core/trace_context.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <algorithm>
#include <optional>

#include "durable/durable_support.hpp"
#include "support/catch.hpp"

TEST_CASE(
    "An operation that is run within a traced call is part of its trace, with all its steps") {
    auto context = recoup::trace_context{};
    context.trace_id.back() = context.span_id.back() = 1;
    auto other = context;
    other.span_id.back() = 2;

    durable_test::crashing_store store;
    recoup::testing::manual_clock clock;
    recoup::testing::event_recorder seen;
    recoup::operations ops{store, durable_test::by_hand(), recoup::on(clock), seen};
    auto const traced_as = [](recoup::trace_context const& expected) {
        return [expected](recoup::attempt& attempt) {
            return attempt.trace() != nullptr && *attempt.trace() == expected;
        };
    };
    auto work = ops.define("work", [&](recoup::operation& op, int) -> recoup::result<int> {
        auto const inherits = recoup::with_recovery(traced_as(context));
        auto const own = recoup::with_recovery(traced_as(other), recoup::trace(other));
        auto const right = op.step("inherits", inherits).value() && op.step("own", own).value();
        return right ? 1 : 0;
    });
    auto const request =
        recoup::with_recovery([&] { return work.run("k", 1); }, recoup::trace(context));
    CHECK(request().value() == 1);
    auto const events = seen.events();
    CHECK(events.size() >= 4);
    CHECK(std::all_of(events.begin(), events.end(),
                      [&](auto const& one) { return one.trace == context; }));
}
