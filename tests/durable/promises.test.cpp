// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable.hpp>
#include <recoup/json.hpp>
#include <recoup/observe/on_event.hpp>

#include <recoup/testing.hpp>
#include <recoup/with_recovery.hpp>

#include "durable_support.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using durable_test::by_hand;
using durable_test::crashing_store;
using recoup::operation;
using recoup::operation_request;
using recoup::operation_status;

std::vector<std::string> read_plan(std::string const& file) {
    return {file + "/unet", file + "/vae"};
}

std::vector<std::string> fetched;

recoup::result<void> fetch_model(std::string const& model) {
    fetched.push_back(model);
    return recoup::success();
}

TEST_CASE("The fifth example of the design is what it says") {
    fetched.clear();
    recoup::memory_store store;
    recoup::operations ops{store};
    auto install = ops.define("install-workflow",
                              [&](recoup::operation& op, std::string file) -> recoup::result<int> {
                                  auto plan = op.step("plan", [&] { return read_plan(file); });
                                  for (auto const& model : plan.value())
                                      op.step("download", fetch_model, model).value();
                                  return static_cast<int>(plan.value().size());
                              });
    ops.resume();
    recoup::result<int> n = install.run("workflow-42", "workflow.json");
    CHECK(n.value() == 2);
    CHECK(fetched == std::vector<std::string>{"workflow.json/unet", "workflow.json/vae"});
    CHECK(install.run("workflow-42", "workflow.json").value() == 2);
    CHECK(fetched.size() == 2);
}

TEST_CASE("A step's name may not begin as those of the library do") {
    crashing_store store;
    recoup::operations ops{store, by_hand()};
    auto child = ops.define("child", [](operation&) { return 1; });
    auto job = ops.define("job", [&](operation& op) {
        CHECK(op.run(child, "c").value() == 1);
        CHECK(op.step("recoup:run child", [] { return 2; }).error().code() ==
              recoup::errc::key_invalid);
        CHECK(
            op.step_tx("recoup:x", [](crashing_store::transaction&) { return 2; }).error().code() ==
            recoup::errc::key_invalid);
        CHECK(op.step("recoup", [] { return 3; }).value() == 3);
    });
    CHECK(job.run("k").has_value());
}

TEST_CASE("A wrapped callable whose stages are in a written order is a step as any other") {
    crashing_store store;
    recoup::testing::manual_clock clock;
    recoup::operations ops{store, by_hand(), recoup::on(clock)};
    auto calls = 0;
    auto const flaky = recoup::with_recovery(
        [&]() -> recoup::result<int> {
            if (++calls < 3) return std::errc::connection_reset;
            return 7;
        },
        recoup::in_order(recoup::deadline{1h}, recoup::retry{.max_attempts = 3}));
    auto job = ops.define(
        "job", [&](operation& op) -> recoup::result<int> { return op.step("flaky", flaky); });
    CHECK(job.run("k").value() == 7);
    CHECK(calls == 3);
}

TEST_CASE("A wrapped callable that is in doubt is not called again") {
    crashing_store store;
    auto calls = 0;
    for (auto life = 0; life != 2; ++life) {
        recoup::testing::manual_clock clock;
        recoup::operations ops{store, by_hand(), recoup::on(clock)};
        auto const pay = recoup::with_recovery([&] { return ++calls; }, recoup::retry{});
        auto job = ops.define("job", [&](operation& op) -> recoup::result<int> {
            return op.step(recoup::step_options{.name = "pay", .in_doubt = recoup::in_doubt::stop},
                           pay);
        });
        // The operation, the intent, and then the result, which is lost.
        if (life == 0) store.crash_at(3, false);
        auto const got = job.run("k");
        CHECK_FALSE(got.has_value());
        if (life == 0) CHECK(got.error().stopped() == recoup::stop_reason::store_failed);
        if (life == 1) CHECK(got.error().stopped() == recoup::stop_reason::blocked);
        store.restart();
    }
    CHECK(calls == 1);
}

TEST_CASE("A child that was interrupted is resumed by itself, and once") {
    crashing_store store;
    auto calls = 0;
    for (auto life = 0; life != 2; ++life) {
        recoup::testing::manual_clock clock;
        recoup::operations ops{store, by_hand(), recoup::on(clock)};
        auto child = ops.define("child", [&](operation& op) {
            op.step("a", [&] { ++calls; }).value();
            op.step("b", [] {}).value();
            return 5;
        });
        auto parent =
            ops.define("parent", [&](operation& op) { return op.run(child, "c").value(); });
        if (life == 0) {
            store.crash_at(4, false);  // both heads and the child's first step are there
            CHECK_FALSE(parent.run("p").has_value());
            store.restart();
        } else {
            auto const report = ops.resume();
            CHECK(report.resumed >= 1);
            CHECK(store.head("child", "c").status == operation_status::succeeded);
            CHECK(parent.run("p").value() == 5);
        }
    }
    CHECK(calls == 1);
}

/// A store in which others leave what they want.
struct store_with_requests : crashing_store {
    recoup::result<std::vector<operation_request>> requests() { return std::exchange(waiting, {}); }
    std::vector<operation_request> waiting{};
};

TEST_CASE("What others ask of a store reaches the owner who runs") {
    store_with_requests store;
    recoup::testing::manual_clock clock;
    auto fail = true;
    recoup::operations ops{store, by_hand(), recoup::on(clock)};
    auto job = ops.define("job", [&](operation& op) -> recoup::result<int> {
        op.step("a", [&] {
              if (op.key() != "cancelled") return;
              store.waiting = {{operation_request::kind::cancel, op.number(), {}}};
              ops.keep_house();
          }).value();
        return op.step("b", [&]() -> recoup::result<int> {
            if (fail) return recoup::failure{recoup::category::invalid_input, "not yet"};
            return 1;
        });
    });
    SECTION("to cancel stops what runs") {
        CHECK(job.run("cancelled").error().code() == recoup::errc::cancelled);
        CHECK(store.head("job", "cancelled").status == operation_status::cancelled);
    }
    SECTION("to retry makes pending what has failed") {
        CHECK_FALSE(job.run("k").has_value());
        store.waiting = {{operation_request::kind::retry, store.head("job", "k").number, {}}};
        ops.keep_house();
        CHECK(store.head("job", "k").status == operation_status::pending);
        fail = false;
        CHECK(ops.resume().succeeded == 1);
    }
    SECTION("to accept lets a blocked one go on") {
        auto old = recoup::operation_record{};
        old.id = {"", "job", "old"};
        old.status = operation_status::blocked;
        old.version = "0";
        auto const number = store.inner.start(old, 0).value().record.number;
        store.waiting = {{operation_request::kind::accept, number, "1"}};
        ops.keep_house();
        CHECK(store.head("job", "old").status == operation_status::pending);
        CHECK(store.head("job", "old").version == "1");
    }
    CHECK(store.waiting.empty());
}

TEST_CASE("A store's call that does not return is not waited for without a bound", "[concurrent]") {
    struct shared {
        std::promise<void> inside;
        std::promise<void> go;
        std::promise<void> over;
    };
    auto const at = std::make_shared<shared>();
    auto const store = std::make_shared<crashing_store>();
    auto left = std::string{};
    auto ops = std::optional<recoup::operations>{
        std::in_place, store,
        recoup::operations_options{.threads = 1, .drain = 20ms, .housekeeping = false},
        recoup::on_event([&left](recoup::event const& what) {
            if (what.kind == recoup::event_kind::operation_left && left.empty())
                left = std::string{what.operation} + '/' + std::string{what.key};
        })};
    auto job = ops->define("job", [](operation& op) { op.step("a", [] {}).value(); });
    store->on_change = [at, first = true](std::string_view what) mutable {
        if (what != "write" || !std::exchange(first, false)) return;
        at->inside.set_value();
        at->go.get_future().wait();
    };
    auto run = std::async(std::launch::async, [job] { return job.run("k").error().stopped(); });
    at->inside.get_future().wait();
    ops.reset();  // while the call is on its way
    CHECK(left == "job/k");
    left = "told";  // what comes later is not this test's
    at->go.set_value();
    CHECK(run.get() == recoup::stop_reason::shut_down);
}

}  // namespace
