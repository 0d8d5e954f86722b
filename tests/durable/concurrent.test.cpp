// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/testing.hpp>
#include <recoup/with_recovery.hpp>

#include "durable_support.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

// Catch2's assertions are for the main thread alone: others only say what they saw.

namespace {

using namespace std::chrono_literals;
using durable_test::by_hand;
using durable_test::crashing_store;
using recoup::operation;

/// An operation without arguments that nobody has begun to run.
void leave_pending(crashing_store& store, std::string const& name, std::string const& key) {
    recoup::operation_record head;
    head.id = {"", name, key};
    head.version = "1";
    head.input = recoup::detail::encode_arguments(std::tuple<>{});
    REQUIRE(store.inner.start(head, 0).has_value());
}

/// Whether that comes true in time.
template <class Condition>
bool comes_true(Condition&& condition) {
    auto const until = std::chrono::steady_clock::now() + 60s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::yield();
    }
    return true;
}

TEST_CASE("Calls of one key while it runs join it, and get its result", "[concurrent]") {
    recoup::memory_store store;
    recoup::testing::event_recorder seen;
    recoup::operations ops{store, by_hand(), seen};
    std::atomic<int> runs = 0;
    std::promise<void> joined;
    auto job = ops.define("job", [&](operation& op) {
        return op
            .step("slow",
                  [&] {
                      joined.get_future().wait();
                      return ++runs;
                  })
            .value();
    });
    std::vector<int> got(4);
    {
        std::vector<std::jthread> callers;
        for (auto& one : got) callers.emplace_back([&] { one = job.run("k").value(); });
        while (seen.count(recoup::event_kind::operation_joined) != got.size() - 1)
            std::this_thread::yield();
        joined.set_value();
    }
    CHECK(got == std::vector<int>{1, 1, 1, 1});
    CHECK(runs == 1);
}

TEST_CASE("A join ends with the caller's stop token, and leaves the operation alone",
          "[concurrent]") {
    recoup::memory_store store;
    recoup::testing::event_recorder seen;
    recoup::operations ops{store, by_hand(), seen};
    std::promise<void> go;
    std::promise<void> running;
    auto job = ops.define("job", [&](operation& op) {
        op.step("slow", [&] {
              running.set_value();
              go.get_future().wait();
          }).value();
    });
    auto first = std::async(std::launch::async, [&] { return job.run("k").has_value(); });
    running.get_future().wait();
    std::stop_source stop;
    auto second = std::async(std::launch::async, [&] {
        return job.run_with({.stop = stop.get_token()}, "k").error().stopped();
    });
    while (seen.count(recoup::event_kind::operation_joined) == 0) std::this_thread::yield();
    stop.request_stop();
    CHECK(second.get() == recoup::stop_reason::cancelled);
    go.set_value();
    CHECK(first.get());
}

TEST_CASE("field pain 20: steps with ids run at the same time, and each is recorded once",
          "[concurrent][field]") {
    crashing_store store;
    recoup::operations ops{store, by_hand()};
    std::atomic<int> runs = 0;
    auto job = ops.define("job", [&](operation& op) -> recoup::result<int> {
        std::atomic<int> sum = 0;
        {
            std::vector<std::jthread> threads;
            for (auto i = 0; i != 8; ++i)
                threads.emplace_back([&, i] {
                    auto const options =
                        recoup::step_options{.name = "part", .id = std::to_string(i)};
                    sum += op.step(options, [&] { return ++runs, i; }).value();
                });
        }
        if (op.generation() == 1) return recoup::failure{recoup::category::permission, "again"};
        return sum.load();
    });
    CHECK_FALSE(job.run("k").has_value());
    CHECK(job.run("k").value() == 28);
    CHECK(runs == 8);
    CHECK(ops.history("job", "k").value().size() == 8);
}

TEST_CASE("Steps of one name without ids that run at the same time are found out", "[concurrent]") {
    recoup::memory_store store;
    recoup::operations ops{store, by_hand()};
    auto job = ops.define("job", [&](operation& op) {
        std::promise<void> inside;
        std::promise<void> leave;
        auto other = std::jthread{[&] {
            static_cast<void>(op.step("same", [&] {
                inside.set_value();
                leave.get_future().wait();
            }));
        }};
        inside.get_future().wait();
        auto const found = op.step("same", [] {}).error().code() == recoup::errc::step_running;
        leave.set_value();
        return found;
    });
    CHECK(job.run("k").value());
}

TEST_CASE("A started operation is recorded at once, runs by itself and can be waited for",
          "[concurrent]") {
    crashing_store store;
    recoup::operations ops{store, {.threads = 2, .housekeeping = false}};
    auto job = ops.define("job", [&](operation& op, int n) -> recoup::result<int> {
        auto const got = op.step("a", [&] { return n; }).value();
        if (n == 0) return recoup::failure{recoup::category::permission, "none"};
        return got;
    });
    std::vector<recoup::started_run<int>> started;
    for (auto i = 0; i != 20; ++i) {
        started.push_back(job.start(std::to_string(i), i).value());
        CHECK(ops.find("job", std::to_string(i)).value().has_value());
    }
    for (auto i = 1; i != 20; ++i) CHECK(started[static_cast<std::size_t>(i)].wait().value() == i);
    CHECK(started[0].wait().error().message() == "none");
    CHECK(started[0].wait().error().message() == "none");  // and not a generation more
    CHECK(store.head("job", "0").generation == 1);
    CHECK(job.start("1", 7).error().code() == recoup::errc::input_mismatch);
}

TEST_CASE("Several threads resume what was left behind, each operation once", "[concurrent]") {
    crashing_store store;
    constexpr auto count = 50;
    for (auto i = 0; i != count; ++i) leave_pending(store, "job", std::to_string(i));
    recoup::operations ops{store, {.threads = 4, .housekeeping = false}};
    std::atomic<int> runs = 0;
    auto job = ops.define("job", [&](operation& op) { op.step("a", [&] { ++runs; }).value(); });
    auto const report = ops.resume();
    CHECK(report.succeeded == count);
    CHECK(report.resumed == count);
    CHECK(runs == count);
    CHECK_FALSE(report.trouble.has_value());
}

TEST_CASE("A worker gives a sleeper back, and takes it up when it is due", "[concurrent]") {
    crashing_store store;
    recoup::testing::manual_clock clock{{.auto_advance = false}};
    leave_pending(store, "nap", "k");
    recoup::testing::event_recorder seen;
    recoup::operations ops{store, {.threads = 1, .housekeeping = false}, recoup::on(clock), seen};
    std::atomic<int> runs = 0;
    ops.define("nap", [&](operation& op) {
        ++runs;
        op.sleep_for(1h);
    });
    ops.resume_async();
    REQUIRE(comes_true([&] {
        return seen.count(recoup::event_kind::operation_left) == 1 &&
               store.head("nap", "k").owner == 0;
    }));
    CHECK(store.head("nap", "k").status == recoup::operation_status::pending);
    CHECK(store.head("nap", "k").due == clock.system_now() + 1h);
    clock.await_waiting(1);  // the worker
    clock.advance(59min);
    clock.await_waiting(1);
    CHECK(runs == 1);
    clock.advance(1min);  // it may look just now, or have just looked: then it does so once more
    CHECK(comes_true([&] { return seen.count(recoup::event_kind::operation_succeeded) == 1; }));
    CHECK(runs == 2);
    CHECK(ops.shutdown(10s).left.empty());
}

TEST_CASE("A thread that has ended an operation takes up the next at once", "[concurrent]") {
    crashing_store store;
    recoup::testing::manual_clock clock{{.auto_advance = false}};  // no second look by the worker
    constexpr auto count = 20;
    for (auto i = 0; i != count; ++i) leave_pending(store, "job", std::to_string(i));
    recoup::testing::event_recorder seen;
    recoup::operations ops{store, {.threads = 2, .housekeeping = false}, recoup::on(clock), seen};
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    // Every third sleeps longer than a thread waits for it, and is given back.
    ops.define("job", [&](operation& op) {
        auto const inside_now = ++inside;
        for (auto was = most.load();
             was < inside_now && !most.compare_exchange_weak(was, inside_now);)
            continue;
        op.step("a", [] {}).value();
        --inside;
        if (std::stoi(op.key()) % 3 == 0) op.sleep_for(1h);
    });
    ops.resume_async();
    CHECK(comes_true([&] {
        return seen.count(recoup::event_kind::operation_succeeded) == 13 &&
               seen.count(recoup::event_kind::operation_left) == 7;
    }));
    CHECK(most <= 2);
    CHECK(clock.elapsed() == 0s);
    CHECK(ops.shutdown(10s).left.empty());
}

TEST_CASE("What the store does not let a thread do is not tried again before the next look",
          "[concurrent]") {
    crashing_store store;
    recoup::testing::manual_clock clock{{.auto_advance = false}};
    leave_pending(store, "job", "k");
    recoup::testing::event_recorder seen;
    // It answers again before the operation is let go.
    auto const revive = recoup::on_event([&](recoup::event const& one) {
        if (one.kind == recoup::event_kind::operation_left) store.revive();
    });
    recoup::operations ops{
        store, {.threads = 1, .housekeeping = false}, recoup::on(clock), seen, revive};
    std::atomic<int> runs = 0;
    ops.define("job", [&](operation& op) {
        if (++runs == 1) store.crash_at(1, false);
        op.step("a", [] {}).value();
    });
    ops.resume_async();
    REQUIRE(comes_true([&] {
        return seen.count(recoup::event_kind::operation_left) == 1 &&
               store.head("job", "k").owner == 0;
    }));
    clock.await_waiting(1);
    CHECK(runs == 1);
    clock.advance(1s);
    CHECK(comes_true([&] { return seen.count(recoup::event_kind::operation_succeeded) == 1; }));
    CHECK(runs == 2);
    CHECK(ops.shutdown(10s).left.empty());
}

TEST_CASE("Housekeeping renews the lease by itself, and sees who wants an operation to end",
          "[concurrent]") {
    crashing_store store;
    recoup::testing::manual_clock clock{{.auto_advance = false}};
    recoup::operations ops{store, {.threads = 1, .lease = 30s}, recoup::on(clock)};
    std::promise<void> stopped;
    auto job = ops.define("job", [&](operation& op) {
        op.step("wait", [&] {
              auto const on_stop =
                  std::stop_callback{op.stop_token(), [&] { stopped.set_value(); }};
              static_cast<void>(store.inner.request_cancel(op.number()));
              clock.await_waiting(1);  // the keeper
              clock.advance(10s);
              stopped.get_future().wait();
          }).value();
        op.step("next", [] {}).value();
    });
    CHECK(job.run("k").error().code() == recoup::errc::cancelled);
}

TEST_CASE("What does not end in time for a shutdown is reported, and cannot reach the store",
          "[concurrent]") {
    crashing_store store;
    auto ops = std::optional<recoup::operations>{std::in_place, store, by_hand()};
    std::promise<void> inside;
    std::promise<void> go;
    auto job = ops->define("job", [&](operation& op) {
        op.step("stuck", [&] {
              inside.set_value();
              go.get_future().wait();
          }).value();
    });
    auto run = std::async(std::launch::async, [&, job] { return job.run("k").error().stopped(); });
    inside.get_future().wait();
    CHECK(ops->shutdown(0s).left == std::vector<std::string>{"job/k"});
    ops.reset();
    auto const changes = store.changes();
    go.set_value();
    CHECK(run.get() == recoup::stop_reason::shut_down);
    CHECK(store.changes() == changes);
}

TEST_CASE("Another owner's operation is waited for, by looking less and less often",
          "[concurrent]") {
    crashing_store store;
    recoup::testing::manual_clock clock;
    std::vector<recoup::duration> waits;
    recoup::operations theirs{store, by_hand()};
    recoup::operations ours{store, by_hand(), recoup::on(clock)};
    auto const body = [](operation& op) { return op.step("a", [] { return 1; }).value(); };
    std::promise<void> inside;
    std::promise<void> go;
    auto slow = theirs.define("job", [&](operation& op) {
        return op
            .step("a",
                  [&] {
                      inside.set_value();
                      go.get_future().wait();
                      return 2;
                  })
            .value();
    });
    auto job = ours.define("job", body);
    auto run = std::async(std::launch::async, [&] { return slow.run("k").value(); });
    inside.get_future().wait();
    auto const busy = job.run_with({.deadline = 100ms}, "k");
    CHECK(busy.error().stopped() == recoup::stop_reason::deadline);
    CHECK(clock.waits() == std::vector<recoup::duration>{5ms, 10ms, 20ms, 40ms, 25ms});
    go.set_value();
    CHECK(run.get() == 2);
    CHECK(job.run("k").value() == 2);
}

}  // namespace
