// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable.hpp>

#include <recoup/testing.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

TEST_CASE("An operation runs its steps and returns its body's result") {
    recoup::memory_store store;
    recoup::testing::manual_clock clock;
    recoup::testing::event_recorder seen;
    recoup::operations ops{store, {.housekeeping = false}, recoup::on(clock), seen};
    auto calls = 0;
    auto twice = ops.define("twice", [&](recoup::operation& op, int n) -> recoup::result<int> {
        return op
            .step(
                "double",
                [&](int x) {
                    ++calls;
                    return 2 * x;
                },
                n)
            .value();
    });
    CHECK(twice.run("a", 21).value() == 42);
    CHECK(twice.run("a", 21).value() == 42);
    CHECK(calls == 1);
    CHECK(seen.trace() == std::vector<std::string>{"operation_started", "step_recorded double 1",
                                                   "operation_succeeded", "operation_replayed"});
}

}  // namespace
