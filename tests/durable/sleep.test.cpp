// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable/operation.hpp>

#include <recoup/durable.hpp>
#include <recoup/testing.hpp>

#include "durable_support.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <optional>
#include <vector>

namespace {

using namespace std::chrono_literals;
using durable_test::by_hand;
using durable_test::crashing_store;
using recoup::operation;
using recoup::operation_status;

auto const waits_of = [](recoup::testing::manual_clock const& clock) { return clock.waits(); };

TEST_CASE("A sleep waits once, and is not repeated") {
    crashing_store store;
    recoup::testing::manual_clock clock;
    recoup::operations ops{store, by_hand(), recoup::on(clock)};
    auto nap = ops.define("nap", [&](operation& op) -> recoup::result<int> {
        op.sleep_for(1h);
        // Who takes it over from here on must not wait for a moment that has been.
        CHECK(store.head("nap", "k").status == operation_status::running);
        CHECK(store.head("nap", "k").due == recoup::system_time{});
        if (op.generation() == 1) return recoup::failure{recoup::category::permission, "again"};
        return 1;
    });
    CHECK_FALSE(nap.run("k").has_value());
    CHECK(nap.run("k").value() == 1);
    CHECK(waits_of(clock) == std::vector<recoup::duration>{1h});
}

TEST_CASE(
    "While it sleeps an operation is pending and due; after a crash it is not claimed before") {
    crashing_store store;
    std::optional<recoup::operations> ops;
    recoup::testing::manual_clock clock{{.on_wait = [&](recoup::duration) {
        CHECK(store.head("nap", "k").status == operation_status::pending);
        if (!store.crashed()) store.crash_at(1, false);
    }}};
    auto const body = [](operation& op) {
        op.sleep_for(10h);
        return 1;
    };
    ops.emplace(store, by_hand(), recoup::on(clock));
    auto nap = ops->define("nap", body);
    auto const begun = clock.system_now();
    CHECK_FALSE(nap.run("k").has_value());  // the wait is over, and its end is not recorded
    auto const head = store.head("nap", "k");
    CHECK(head.due == begun + 10h);
    CHECK(head.delay == 10h);

    ops.reset();
    store.restart();
    clock.set_system(begun + 4h);
    ops.emplace(store, by_hand(), recoup::on(clock));
    nap = ops->define("nap", body);
    CHECK(ops->resume().resumed == 0);
    clock.set_system(begun + 10h);
    CHECK(ops->resume().succeeded == 1);
    CHECK(store.head("nap", "k").recoveries == 0);  // to crash asleep is no crash of the body
}

TEST_CASE("After a restart a sleep waits what is left of it, and never longer than it was to be") {
    auto const left = [](recoup::duration clock_moves) {
        crashing_store store;
        std::optional<recoup::operations> ops;
        auto crash = true;
        recoup::testing::manual_clock clock{{.on_wait = [&](recoup::duration) {
            if (std::exchange(crash, false)) store.crash_at(1, false);
        }}};
        auto const body = [](operation& op) { op.sleep_for(10h); };
        ops.emplace(store, by_hand(), recoup::on(clock));
        auto const begun = clock.system_now();
        auto nap = ops->define("nap", body);
        CHECK_FALSE(nap.run("k").has_value());
        ops.reset();
        store.restart();
        clock.set_system(begun + clock_moves);
        ops.emplace(store, by_hand(), recoup::on(clock));
        nap = ops->define("nap", body);
        CHECK(nap.run("k").has_value());
        auto const waits = waits_of(clock);
        return waits.size() == 1 ? recoup::duration{} : waits.at(1);
    };
    CHECK(left(4h) == 6h);
    CHECK(left(10h) == 0h);
    CHECK(left(1000h) == 0h);
    CHECK(left(-1000h) == 10h);
}

TEST_CASE("A sleep until a moment that has passed does not wait") {
    crashing_store store;
    recoup::testing::manual_clock clock;
    recoup::operations ops{store, by_hand(), recoup::on(clock)};
    auto nap = ops.define("nap", [&](operation& op) {
        op.sleep_until(clock.system_now() - 1h);
        op.sleep_for(-1h);
        op.sleep_until(recoup::system_time::min());
    });
    CHECK(nap.run("k").has_value());
    CHECK(waits_of(clock).empty());
}

TEST_CASE("A cancelled sleeper wakes at once") {
    crashing_store store;
    std::optional<recoup::operations> ops;
    recoup::testing::manual_clock clock{
        {.on_wait = [&](recoup::duration) { REQUIRE(ops->cancel("nap", "k").has_value()); }}};
    ops.emplace(store, by_hand(), recoup::on(clock));
    auto nap = ops->define("nap", [&](operation& op) {
        op.sleep_until(recoup::system_time::max());
        FAIL("it slept on");
    });
    CHECK(nap.run("k").error().code() == recoup::errc::cancelled);
    CHECK(store.head("nap", "k").status == operation_status::cancelled);
}

TEST_CASE("A sleeper that is shut down stays pending, and is due when it was") {
    crashing_store store;
    std::optional<recoup::operations> ops;
    recoup::testing::manual_clock clock{{.on_wait = [&](recoup::duration) { ops->shutdown(0s); }}};
    ops.emplace(store, by_hand(), recoup::on(clock));
    auto nap = ops->define("nap", [&](operation& op) { op.sleep_for(1h); });
    auto const begun = clock.system_now();
    CHECK(nap.run("k").error().stopped() == recoup::stop_reason::shut_down);
    CHECK(store.head("nap", "k").status == operation_status::pending);
    CHECK(store.head("nap", "k").due == begun + 1h);
}

TEST_CASE("A sleep ends with the caller's deadline") {
    crashing_store store;
    recoup::testing::manual_clock clock;
    recoup::operations ops{store, by_hand(), recoup::on(clock)};
    auto nap = ops.define("nap", [&](operation& op) { op.sleep_for(1h); });
    CHECK(nap.run_with({.deadline = 1min}, "k").error().stopped() == recoup::stop_reason::deadline);
    CHECK(clock.elapsed() == 1min);
    CHECK(nap.run("k").has_value());
    CHECK(clock.elapsed() == 1h);
}

}  // namespace
