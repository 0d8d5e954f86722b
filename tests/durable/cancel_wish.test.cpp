// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable.hpp>

#include <recoup/testing.hpp>

#include "durable_support.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// A wish to cancel that another process notes just before a head is written by who has not heard of it.

namespace {

using namespace std::chrono_literals;
using durable_test::by_hand;
using durable_test::crashing_store;
using recoup::operation;
using recoup::operation_status;

/// A store where a wish to cancel comes in right before the n-th write of a head.
struct store_with_wish : crashing_store {
    std::size_t wish_at = 0;  ///< 0: at none
    std::size_t heads = 0;
    bool too_late = false;  ///< that head ended the operation
    bool dies = false;      ///< with that write: nobody hears its answer

    recoup::result<recoup::write_receipt> write(recoup::operation_write const& what,
                                                recoup::duration at_most = recoup::unlimited) {
        if (what.head != nullptr && !crashed() && ++heads == wish_at) {
            too_late = recoup::has_ended(what.head->status);
            REQUIRE(inner.request_cancel(what.number).has_value());
            if (dies) crash_at(1, true);
        }
        return crashing_store::write(what, at_most);
    }
};
static_assert(recoup::durable_store<store_with_wish>);

/// Lets `life` be with a wish before each write of a head in turn, then what is left be resumed.
/// Returns: how many writes of a head there were.
template <class Life>
std::size_t wish_everywhere(Life const& life, bool dies = false) {
    constexpr std::size_t places_max = 50;
    for (std::size_t at = 1; at != places_max; ++at) {
        INFO("before write " << at << " of a head");
        store_with_wish store;
        store.wish_at = at;
        store.dies = dies;
        life(store);
        if (store.heads < at) return at - 1;
        auto const head = store.head("job", "k");
        CHECK(head.status ==
              (store.too_late ? operation_status::succeeded : operation_status::cancelled));
    }
    FAIL("it writes heads without end");
    return 0;
}

int job_body(operation& op) {
    op.step("a", [] {}).value();
    op.progress("half way");
    op.sleep_for(1h);
    op.step("b", [] {}).value();
    return 1;
}

TEST_CASE("A wish to cancel that comes in just before a running head is written is obeyed") {
    CHECK(wish_everywhere([](store_with_wish& store) {
              recoup::testing::manual_clock clock;
              recoup::operations ops{store, by_hand(), recoup::on(clock)};
              auto job = ops.define("job", job_body);
              auto const got = job.run("k");
              if (!got.has_value()) CHECK(got.error().code() == recoup::errc::cancelled);
          }) == 4);  // the progress, to sleep, to wake, the end
}

TEST_CASE("A wish to cancel is obeyed by the next process where this one dies with its next head") {
    CHECK(wish_everywhere(
              [](store_with_wish& store) {
                  recoup::testing::manual_clock clock;
                  {
                      recoup::operations ops{store, by_hand(), recoup::on(clock)};
                      static_cast<void>(ops.define("job", job_body).run("k"));
                  }
                  if (!store.crashed()) return;
                  store.restart();
                  clock.advance(2h);
                  recoup::operations ops{store, by_hand(), recoup::on(clock)};
                  auto job = ops.define("job", job_body);
                  CHECK(ops.resume().cancelled == (store.too_late ? 0U : 1U));
              },
              true) == 4);
}

TEST_CASE("A wish to cancel that comes in just before a resumed one is written is obeyed") {
    CHECK(wish_everywhere([](store_with_wish& store) {
              recoup::testing::manual_clock clock;
              for (auto life = 0; life != 2; ++life) {
                  recoup::operations ops{store, by_hand(), recoup::on(clock)};
                  auto job = ops.define("job", [](operation& op) {
                      op.step("a", [] {}).value();
                      op.step("b", [] {}).value();
                  });
                  // The start and the first step are there.
                  if (life == 0) store.crash_at(3, false);
                  if (life == 0)
                      CHECK_FALSE(job.run("k").has_value());
                  else
                      CHECK(ops.resume().resumed == 1);
                  store.restart();
              }
          }) == 2);  // to go on, and the end
}

TEST_CASE("A wish to cancel that comes in just before it is given back is kept for the next run") {
    store_with_wish store;
    recoup::testing::manual_clock clock;
    auto undone = 0;
    std::optional<recoup::operations> ops;
    auto leaves = true;
    auto const body = [&](operation& op) {
        op.step({.name = "a", .undo = [&](int) { ++undone; }}, [] { return 1; }).value();
        if (std::exchange(leaves, false)) static_cast<void>(ops->shutdown(0s));
        op.step("b", [] {}).value();
        FAIL("a cancelled operation went on");
    };
    ops.emplace(store, by_hand(), recoup::on(clock));
    auto job = ops->define("job", body);
    store.wish_at = 1;
    CHECK(job.run("k").error().stopped() == recoup::stop_reason::shut_down);
    CHECK(store.heads == 1);
    auto const head = store.head("job", "k");
    CHECK(head.status == operation_status::pending);
    CHECK(head.cancel_requested);
    CHECK(head.owner == 0);
    ops.reset();
    store.restart();
    ops.emplace(store, by_hand(), recoup::on(clock));
    job = ops->define("job", body);
    CHECK(ops->resume().cancelled == 1);
    CHECK(undone == 1);
}

TEST_CASE(
    "A wish to cancel meets a new generation where it is new, and not where it is left over") {
    store_with_wish store;
    recoup::testing::manual_clock clock;
    recoup::operations ops{store, by_hand(), recoup::on(clock)};
    auto job = ops.define("job", [](operation& op) -> recoup::result<int> {
        if (op.generation() == 1) return recoup::failure{recoup::category::permission, "no"};
        return op.step("a", [] { return 1; });
    });
    CHECK_FALSE(job.run("k").has_value());
    SECTION("one that came too late for the last run does not end this one") {
        REQUIRE(store.inner.request_cancel(store.head("job", "k").number).has_value());
        CHECK(job.run("k").value() == 1);
    }
    SECTION("one that came as it was started anew does") {
        store.wish_at = store.heads + 1;
        CHECK(job.run("k").error().code() == recoup::errc::cancelled);
        CHECK(store.head("job", "k").status == operation_status::cancelled);
    }
    SECTION("one that came as it was started anew is there when the process dies with that") {
        store.wish_at = store.heads + 1;
        store.dies = true;
        CHECK_FALSE(job.run("k").has_value());
        CHECK(store.head("job", "k").generation == 2);
        CHECK(store.head("job", "k").cancel_requested);
    }
}

TEST_CASE("A wish to cancel that comes in as a request is applied is not taken back by it") {
    store_with_wish store;
    store.dies = GENERATE(false, true);
    auto const owner = store.inner.enter("me", 1h).value();
    auto blocked = recoup::operation_record{};
    blocked.id = {"", "job", "k"};
    blocked.status = operation_status::blocked;
    auto const number = store.inner.start(blocked, 0).value().record.number;
    store.wish_at = 1;
    REQUIRE(recoup::apply_request(store, {recoup::operation_request::kind::accept, number, "1"},
                                  owner, {})
                .has_value() != store.dies);
    CHECK(store.head("job", "k").status == operation_status::pending);
    CHECK(store.head("job", "k").cancel_requested);
}

}  // namespace
