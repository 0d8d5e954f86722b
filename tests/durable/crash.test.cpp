// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable.hpp>

#include <recoup/testing.hpp>
#include <recoup/with_recovery.hpp>

#include "durable_support.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using durable_test::by_hand;
using durable_test::crash_everywhere;
using durable_test::crashing_store;

/// Counts how often a step's callable has run, and that it did not where its result was recorded.
struct witness {
    crashing_store* store;
    std::string key;
    std::map<std::string, int> runs{};

    void saw(std::string const& operation, std::string const& step, std::uint32_t count = 0) {
        INFO("step " << step << " of " << operation << '/' << key);
        CHECK_FALSE(store->recorded(operation, key, step, count));
        ++runs[step + std::to_string(count)];
    }
};

TEST_CASE("No crash at any write makes a recorded step run again, or the result wrong") {
    std::map<std::string, int> total;
    auto lives = 0;
    auto const places = crash_everywhere(
        [&](crashing_store& store) {
            recoup::testing::manual_clock clock;
            auto seen = witness{&store, "k"};
            {
                recoup::operations ops{store, by_hand(), recoup::on(clock)};
                auto sum = ops.define("sum", [&](recoup::operation& op, int n) {
                    auto total_so_far = 0;
                    for (auto i = 0; i != n; ++i)
                        total_so_far +=
                            op.step(
                                  "add",
                                  [&](int x) {
                                      seen.saw("sum", "add", static_cast<std::uint32_t>(i));
                                      return x;
                                  },
                                  i)
                                .value();
                    op.progress("half");
                    op.sleep_for(1h);
                    op.step("note", [&] { seen.saw("sum", "note"); }).value();
                    return total_so_far;
                });
                ops.resume();
                auto const got = sum.run("k", 4);
                if (!store.crashed()) CHECK(got.value() == 6);
                ops.shutdown(0s);
            }
            ++lives;
        },
        [&](crashing_store& store, std::size_t at, bool after) {
            INFO("crash at " << at << (after ? " after" : " before"));
            auto const head = store.head("sum", "k");
            CHECK(head.status == recoup::operation_status::succeeded);
            CHECK(head.owner == 0);
            CHECK(head.recoveries <= 1);
            std::map<std::pair<std::string, std::uint32_t>, int> rows;
            auto const steps = store.inner.steps(head.number).value();
            for (auto const& row : steps) ++rows[{row.name, row.count}];
            CHECK(rows.size() == 6);
            for (auto const& [which, count] : rows) CHECK(count == 1);
        });
    CHECK(places >= 20);
}

TEST_CASE(
    "field pain 1: a wrapped callable in a step keeps its attempts, token and checkpoint through "
    "any crash",
    "[field]") {
    auto const places = crash_everywhere(
        [&](crashing_store& store) {
            recoup::testing::manual_clock clock;
            recoup::operations ops{store, by_hand(), recoup::on(clock)};
            auto const fetch = recoup::with_recovery(
                [&](recoup::attempt& attempt) -> recoup::result<std::string> {
                    auto const done = attempt.checkpoint<int>().value_or(0);
                    // What attempt n finds is what attempt n - 1 has left, in whatever process.
                    CHECK(done <= static_cast<int>(attempt.number()));
                    CHECK(done + 2 >= static_cast<int>(attempt.number()));
                    attempt.save_checkpoint(static_cast<int>(attempt.number()));
                    if (attempt.number() < 4) return std::errc::connection_reset;
                    return attempt.idempotency_token();
                },
                recoup::retry{.max_attempts = 6, .backoff = recoup::constant(10s)});
            auto get = ops.define("get", [&](recoup::operation& op) -> recoup::result<std::string> {
                return op.step("fetch", fetch);
            });
            ops.resume();
            auto const got = get.run("k");
            if (!store.crashed()) CHECK(got.value().size() == 36);
        },
        [&](crashing_store& store, std::size_t at, bool after) {
            INFO("crash at " << at << (after ? " after" : " before"));
            auto const head = store.head("get", "k");
            CHECK(head.status == recoup::operation_status::succeeded);
            auto const rows = store.inner.steps(head.number).value();
            REQUIRE(rows.size() == 1);
            CHECK(rows[0].attempts >= 4);
            CHECK(rows[0].attempts <= 5);
        });
    CHECK(places >= 10);
}

TEST_CASE("A child's result is its parent's step, through any crash") {
    auto const places = crash_everywhere(
        [&](crashing_store& store) {
            recoup::testing::manual_clock clock;
            auto inner = witness{&store, "c"};
            recoup::operations ops{store, by_hand(), recoup::on(clock)};
            auto child = ops.define("child", [&](recoup::operation& op, int n) {
                return op
                    .step("square",
                          [&] {
                              inner.saw("child", "square");
                              return n * n;
                          })
                    .value();
            });
            auto parent = ops.define(
                "parent", [&](recoup::operation& op) { return op.run(child, "c", 7).value() + 1; });
            ops.resume();
            auto const got = parent.run("p");
            if (!store.crashed()) CHECK(got.value() == 50);
        },
        [&](crashing_store& store, std::size_t at, bool after) {
            INFO("crash at " << at << (after ? " after" : " before"));
            CHECK(store.head("parent", "p").status == recoup::operation_status::succeeded);
            CHECK(store.head("child", "c").status == recoup::operation_status::succeeded);
            CHECK(store.head("child", "c").parent == store.head("parent", "p").number);
        });
    CHECK(places >= 10);
}

TEST_CASE("What failed is undone backwards, once each, through any crash") {
    auto undone = std::vector<std::string>{};
    auto const places = crash_everywhere(
        [&](crashing_store& store) {
            recoup::testing::manual_clock clock;
            recoup::operations ops{store, by_hand(), recoup::on(clock)};
            auto const undo = [&](std::string const& what) {
                auto const rows = store.inner.steps(store.head("book", "k").number).value();
                for (auto const& row : rows)
                    CHECK_FALSE((row.name == what && row.status == recoup::step_status::undone));
                store.rows.push_back("undo " + what);
            };
            auto book = ops.define("book", [&](recoup::operation& op) -> recoup::result<void> {
                for (auto const* name : {"flight", "hotel", "car"})
                    static_cast<void>(op.step(recoup::step_options{.name = name, .undo = undo},
                                              [&] { return std::string{name}; }));
                return op.step("pay", []() -> recoup::result<void> {
                    return recoup::failure{recoup::category::invalid_input, "no money"};
                });
            });
            ops.resume();
            if (store.inner.find(recoup::operation_ref{"", "book", "k"}).value() &&
                recoup::has_ended(store.head("book", "k").status))
                return;
            auto const got = book.run("k");
            if (!store.crashed()) CHECK(got.error().message() == "no money");
        },
        [&](crashing_store& store, std::size_t at, bool after) {
            INFO("crash at " << at << (after ? " after" : " before"));
            CHECK(store.head("book", "k").status == recoup::operation_status::failed);
            CHECK_FALSE(store.head("book", "k").undoing);
            auto distinct = store.rows;
            // One whose record was lost in the crash is undone again: it comes twice in a row.
            distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
            CHECK(distinct == std::vector<std::string>{"undo car", "undo hotel", "undo flight"});
            CHECK(store.rows.size() <= 4);
        });
    CHECK(places >= 15);
}

TEST_CASE(
    "What a step writes in the store's transaction is there exactly once, through any crash") {
    auto const places = crash_everywhere(
        [&](crashing_store& store) {
            recoup::testing::manual_clock clock;
            recoup::operations ops{store, by_hand(), recoup::on(clock)};
            auto pay = ops.define("pay", [&](recoup::operation& op, int amount) {
                op.step("check", [] {}).value();
                return op
                    .step_tx("book",
                             [&](crashing_store::transaction& tx) {
                                 tx.rows.push_back(std::to_string(amount));
                                 return amount;
                             })
                    .value();
            });
            ops.resume();
            auto const got = pay.run("k", 5);
            if (!store.crashed()) CHECK(got.value() == 5);
        },
        [&](crashing_store& store, std::size_t at, bool after) {
            INFO("crash at " << at << (after ? " after" : " before"));
            CHECK(store.rows == std::vector<std::string>{"5"});
            CHECK(store.head("pay", "k").status == recoup::operation_status::succeeded);
        });
    CHECK(places >= 6);
}

TEST_CASE("A step that stops in doubt runs at most once, and parks its operation") {
    auto blocked = 0;
    crash_everywhere(
        [&](crashing_store& store) {
            recoup::testing::manual_clock clock;
            recoup::operations ops{store, by_hand(), recoup::on(clock)};
            auto send = ops.define("send", [&](recoup::operation& op) -> recoup::result<int> {
                return op.step(
                    recoup::step_options{.name = "mail", .in_doubt = recoup::in_doubt::stop}, [&] {
                        store.rows.push_back("sent");
                        return 1;
                    });
            });
            ops.resume();
            static_cast<void>(send.run("k"));
        },
        [&](crashing_store& store, std::size_t at, bool after) {
            INFO("crash at " << at << (after ? " after" : " before"));
            CHECK(store.rows.size() <= 1);
            auto const head = store.head("send", "k");
            if (head.status == recoup::operation_status::blocked) {
                ++blocked;
                CHECK_THAT(head.note, Catch::Matchers::StartsWith("in doubt: step \"mail\""));
            } else {
                CHECK(head.status == recoup::operation_status::succeeded);
                CHECK(store.rows.size() == 1);
            }
        });
    CHECK(blocked == 2);  // the answer to the intent is lost, or the result is not recorded
}

TEST_CASE("A probe tells after a crash whether the step has happened") {
    crash_everywhere(
        [&](crashing_store& store) {
            recoup::testing::manual_clock clock;
            recoup::operations ops{store, by_hand(), recoup::on(clock)};
            auto send = ops.define("send", [&](recoup::operation& op) -> recoup::result<int> {
                return op.step(
                    recoup::step_options{
                        .name = "mail",
                        .in_doubt = recoup::in_doubt::probe,
                        .probe =
                            [&] { return store.rows.empty() ? std::nullopt : std::optional{1}; }},
                    [&] {
                        store.rows.push_back("sent");
                        return 1;
                    });
            });
            ops.resume();
            auto const got = send.run("k");
            if (!store.crashed()) CHECK(got.value() == 1);
        },
        [&](crashing_store& store, std::size_t at, bool after) {
            INFO("crash at " << at << (after ? " after" : " before"));
            CHECK(store.rows == std::vector<std::string>{"sent"});
            CHECK(store.head("send", "k").status == recoup::operation_status::succeeded);
        });
}

}  // namespace
