// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable.hpp>

#include <recoup/testing.hpp>

#include "durable_support.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace {

using namespace std::chrono_literals;
using durable_test::by_hand;
using durable_test::crashing_store;
using recoup::operation;
using recoup::operation_status;

TEST_CASE(
    "field pain 19: who lost an operation to another owner stops at its next record, and changes "
    "nothing",
    "[field]") {
    crashing_store store;
    recoup::testing::manual_clock clock;
    recoup::operations ops{store, by_hand(), recoup::on(clock)};
    auto const other = store.inner.enter("another", 1h).value();
    std::optional<recoup::operation_record> taken;
    auto went_on = false;
    auto job = ops.define("job", [&](operation& op) {
        op.step("a", [] {}).value();
        if (!taken) {
            // As if this process had been stopped until its lease was over.
            auto const mine = store.head("job", "k");
            REQUIRE(store.inner.leave(mine.owner).has_value());
            taken = store.inner.take(mine.number, mine.epoch, other).value();
        }
        op.step("b", [] {}).value();
        went_on = true;
        op.step("c", [] {}).value();
    });
    auto const got = job.run_with({.deadline = 1min}, "k");
    CHECK_FALSE(got.has_value());
    CHECK_FALSE(went_on);
    REQUIRE(taken);
    CHECK(store.head("job", "k") == *taken);
    CHECK(store.inner.steps(taken->number).value().size() == 1);
}

TEST_CASE("Each crash of a run is counted as a recovery, and recorded before the body runs again") {
    crashing_store store;
    auto runs = std::uint32_t{0};
    for (auto life = std::uint32_t{0}; life != 4; ++life) {
        recoup::testing::manual_clock clock;
        recoup::operations ops{store, by_hand(), recoup::on(clock)};
        auto job = ops.define("job", [&](operation& op) {
            CHECK(store.head("job", "k").recoveries == life);
            ++runs;
            if (life != 3) store.crash_at(1, false);
            op.step("a", [] {}).value();
        });
        if (life == 0)
            CHECK_FALSE(job.run("k").has_value());
        else
            CHECK(ops.resume().resumed == 1);
        store.restart();
    }
    CHECK(runs == 4);
    CHECK(store.head("job", "k").recoveries == 3);
    CHECK(store.head("job", "k").status == operation_status::succeeded);
}

}  // namespace
