// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable.hpp>

#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/testing.hpp>
#include <recoup/with_recovery.hpp>

#include "durable_support.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using durable_test::by_hand;
using durable_test::crashing_store;
using recoup::operation;
using recoup::operation_status;
using recoup::result;
using recoup::stop_reason;

/// A store, a clock, and operations on them that can be made anew.
struct fixture {
    crashing_store store{};
    recoup::testing::manual_clock clock{};
    recoup::testing::event_recorder seen{};
    std::optional<recoup::operations> ops{std::in_place, store, by_hand(), recoup::on(clock), seen};

    /// Ends the process, and begins the next one.
    void restart() {
        store.crash_at(1, false);
        static_cast<void>(store.request_cancel(0));
        ops.reset();
        store.restart();
        seen.clear();
        ops.emplace(store, by_hand(), recoup::on(clock), seen);
    }
    operation_status status(std::string const& name, std::string const& key = "k") {
        return store.head(name, key).status;
    }
};

int free_body(operation& op, int n) {
    return op.step("one", [&] { return n; }).value();
}
int free_noexcept_body(operation&, int n) noexcept { return n; }

TEST_CASE("An operation runs its steps and returns its body's result, once") {
    fixture f;
    auto calls = 0;
    auto twice = f.ops->define("twice", [&](operation& op, int n) -> result<int> {
        return op.step("double", [&](int x) { return ++calls, 2 * x; }, n).value();
    });
    CHECK(twice.run("a", 21).value() == 42);
    CHECK(twice.run("a", 21).value() == 42);
    CHECK(calls == 1);
    CHECK(f.seen.trace() == std::vector<std::string>{"operation_started", "step_recorded double 1",
                                                     "operation_succeeded", "operation_replayed"});
}

TEST_CASE("Any callable with a signature is a body: functions, noexcept, mutable, and given ones") {
    fixture f;
    CHECK(f.ops->define("function", free_body).run("k", 1).value() == 1);
    CHECK(f.ops->define("noexcept", &free_noexcept_body).run("k", 2).value() == 2);
    CHECK(f.ops->define("mutable", [n = 0](operation&, int by) mutable { return n += by; })
              .run("k", 3)
              .value() == 3);
    CHECK(f.ops->define<int(int)>("generic", [](operation&, auto n) { return n; })
              .run("k", 4)
              .value() == 4);
    CHECK(f.ops->define("void", [](operation&) {}).run("k").has_value());
    CHECK(
        f.ops->define("text", [](operation&, std::string const& a, std::string b) { return a + b; })
            .run("k", "con", std::string{"cat"})
            .value() == "concat");
}

TEST_CASE("A step of any callable gives one flat result") {
    fixture f;
    auto all = f.ops->define("all", [](operation& op) {
        static_assert(std::is_same_v<decltype(op.step("a", [] { return 1; })), result<int>>);
        static_assert(std::is_same_v<decltype(op.step("a", [] {})), result<void>>);
        static_assert(
            std::is_same_v<decltype(op.step("a", []() -> result<int> { return 1; })), result<int>>);
        static_assert(
            std::is_same_v<decltype(op.step("a", recoup::with_recovery([] { return 1; }))),
                           result<int>>);
        static_assert(
            std::is_same_v<decltype(op.step("a", [] { return std::optional{1}; })), result<int>>);
        return op.step("sum", [](int a, int b) { return a + b; }, 2, 3).value();
    });
    CHECK(all.run("k").value() == 5);
}

TEST_CASE("The same key with other arguments is a typed error") {
    fixture f;
    auto echo = f.ops->define("echo", [](operation&, int n) { return n; });
    CHECK(echo.run("k", 1).value() == 1);
    auto const other = echo.run("k", 2);
    CHECK(other.error().code() == recoup::errc::input_mismatch);
    CHECK(other.error().stopped() == stop_reason::input_mismatch);
}

TEST_CASE("A step that succeeds at once costs one write") {
    fixture f;
    auto steps = f.ops->define("steps", [](operation& op, int n) {
        auto const wrapped = recoup::with_recovery([] { return 1; });
        for (auto i = 0; i != n; ++i) op.step("plain", [] { return 1; }).value();
        op.step("wrapped", wrapped).value();
    });
    REQUIRE(steps.run("k", 3).has_value());
    CHECK(f.store.changes() == 1 + 4 + 1);  // begun, four steps, ended
}

TEST_CASE("A name can be defined once") {
    fixture f;
    f.ops->define("a", [](operation&) {});
    CHECK_THROWS_AS(f.ops->define("a", [](operation&) {}), std::invalid_argument);
    CHECK_THROWS_AS(f.ops->define("", [](operation&) {}), std::invalid_argument);
}

TEST_CASE("A key that cannot be stored is refused before anything runs") {
    fixture f;
    auto ran = false;
    auto one = f.ops->define("a", [&](operation&) { ran = true; });
    CHECK(one.run("").error().code() == recoup::errc::key_invalid);
    CHECK(one.run("a\n").error().code() == recoup::errc::key_invalid);
    CHECK_FALSE(ran);
}

TEST_CASE("What has failed begins anew: with another token, and with what was recorded") {
    fixture f;
    auto firsts = 0;
    auto broken = true;
    std::vector<std::string> tokens;
    auto body = [&](operation& op, int) -> result<int> {
        tokens.push_back(op.idempotency_token());
        op.step("first", [&] { ++firsts; }).value();
        return op.step("second", [&]() -> result<int> {
            if (broken) return recoup::failure{recoup::category::permission, "not yet"};
            return 7;
        });
    };
    auto job = f.ops->define("job", body);
    CHECK(job.run("k", 1).error().message() == "not yet");
    CHECK(f.status("job") == operation_status::failed);
    broken = false;
    CHECK(job.run("k", 1).value() == 7);
    CHECK(firsts == 1);
    CHECK(f.store.head("job", "k").generation == 2);
    REQUIRE(tokens.size() == 2);
    CHECK(tokens[0] != tokens[1]);
}

TEST_CASE("What has failed begins without its steps where the arguments are others") {
    fixture f;
    auto firsts = 0;
    auto job = f.ops->define("job", [&](operation& op, int n) -> result<int> {
        op.step("first", [&] { ++firsts; }).value();
        if (n == 1) return recoup::failure{recoup::category::permission, "no"};
        return n;
    });
    CHECK_FALSE(job.run("k", 1).has_value());
    CHECK(job.run("k", 2).value() == 2);
    CHECK(firsts == 2);
}

TEST_CASE("A result that is no longer kept is made anew") {
    fixture f;
    auto runs = 0;
    auto job = f.ops->define("job", {.retain = 1h}, [&](operation& op) {
        return op.step("count", [&] { return ++runs; }).value();
    });
    CHECK(job.run("k").value() == 1);
    f.clock.advance(59min);
    CHECK(job.run("k").value() == 1);
    f.clock.advance(1min);
    CHECK(job.run("k").value() == 2);
}

TEST_CASE("A step that was recorded with other arguments is a typed failure") {
    fixture f;
    auto given = 1;
    auto job = f.ops->define("job", [&](operation& op) -> result<int> {
        auto const got = op.step("take", [](int n) { return n; }, given);
        if (!got.has_value()) return got.error();
        if (given == 1) return recoup::failure{recoup::category::permission, "again"};
        return got.value();
    });
    CHECK_FALSE(job.run("k").has_value());
    given = 2;
    CHECK(job.run("k").error().code() == recoup::errc::step_mismatch);
}

TEST_CASE("A recorded step that the body does not ask for is an event") {
    fixture f;
    auto first = true;
    auto job = f.ops->define("job", [&](operation& op) -> result<int> {
        if (!std::exchange(first, false)) return 1;
        op.step("only once", [] {}).value();
        return recoup::failure{recoup::category::permission, "again"};
    });
    CHECK_FALSE(job.run("k").has_value());
    CHECK(f.seen.count(recoup::event_kind::step_unreached) == 0);
    CHECK(job.run("k").value() == 1);
    CHECK(f.seen.count(recoup::event_kind::step_unreached) == 1);
}

TEST_CASE("A step inside of a step of its name needs an id") {
    fixture f;
    auto job = f.ops->define("job", [&](operation& op) {
        return op
            .step("a",
                  [&] {
                      auto const inner = op.step("a", [] { return 1; });
                      CHECK(inner.error().code() == recoup::errc::step_running);
                      return op
                          .step(recoup::step_options{.name = "a", .id = "inner"}, [] { return 2; })
                          .value();
                  })
            .value();
    });
    CHECK(job.run("k").value() == 2);
}

TEST_CASE("field pain 20: steps are known by name and count, so that their order may change",
          "[field]") {
    fixture f;
    auto turn = 0;
    std::vector<std::string> ran;
    auto job = f.ops->define("job", [&](operation& op) -> result<std::string> {
        auto const step = [&](std::string const& name) {
            return op.step(name, [&] { return ran.push_back(name), name; }).value();
        };
        if (++turn == 1) {
            step("a");
            step("b");
            return recoup::failure{recoup::category::permission, "again"};
        }
        auto all = step("c");
        for (auto const* name : {"b", "a", "a"}) all += step(name);
        return all;
    });
    CHECK_FALSE(job.run("k").has_value());
    CHECK(job.run("k").value() == "cbaa");
    CHECK(ran == std::vector<std::string>{"a", "b", "c", "a"});
}

TEST_CASE("An operation that runs itself is told so") {
    fixture f;
    std::optional<recoup::defined_operation<int()>> self;
    self = f.ops->define("self", [&](operation& op) -> result<int> {
        auto const direct = self->run("k");
        CHECK(direct.error().code() == recoup::errc::joins_itself);
        return op.run(*self, "k");
    });
    auto const got = self->run("k");
    CHECK(got.error().code() == recoup::errc::joins_itself);
}

TEST_CASE(
    "field pain 20: a record of another version is parked with the reason, until that version is "
    "accepted",
    "[field]") {
    fixture f;
    auto const crash = [&](operation& op) -> int {
        op.step("first", [] {}).value();
        f.store.crash_at(1, false);
        op.step("second", [] {}).value();
        return 1;
    };
    auto job = f.ops->define("job", {.version = "1"}, crash);
    CHECK(job.run("k").error().stopped() == stop_reason::store_failed);
    f.restart();
    auto next = f.ops->define("job", {.version = "2"}, [](operation& op) {
        op.step("first", [] {}).value();
        return 2;
    });
    auto report = f.ops->resume();
    CHECK(report.blocked == 1);
    CHECK(f.status("job") == operation_status::blocked);
    CHECK(f.store.head("job", "k").note ==
          "it is of version \"1\"; the definition is of version \"2\"");
    CHECK(f.ops->resume().resumed == 0);  // not looped
    CHECK(next.run("k").error().code() == recoup::errc::operation_blocked);
    CHECK(next.run("k").error().stopped() == stop_reason::blocked);
    REQUIRE(f.ops->accept("job", "k", "2").has_value());
    CHECK(f.ops->resume().succeeded == 1);
    CHECK(next.run("k").value() == 2);
}

TEST_CASE("An operation that crashes again and again is dead, until somebody retries it") {
    fixture f;
    auto crash = true;
    auto const body = [&](operation& op) {
        if (crash) f.store.crash_at(1, false);
        op.step("boom", [] {}).value();
        return 1;
    };
    auto job = f.ops->define("job", {.recoveries_max = 2}, body);
    CHECK_FALSE(job.run("k").has_value());
    for (auto i = 0; i != 2; ++i) {
        f.restart();
        job = f.ops->define("job", {.recoveries_max = 2}, body);
        CHECK(f.ops->resume().left == 1);
    }
    f.restart();
    job = f.ops->define("job", {.recoveries_max = 2}, body);
    CHECK(f.ops->resume().dead == 1);
    CHECK(f.status("job") == operation_status::dead);
    CHECK(f.ops->list({.status = operation_status::dead}).value().size() == 1);
    CHECK(f.ops->resume().resumed == 0);
    CHECK(job.run("k").error().stopped() == stop_reason::dead);
    crash = false;
    REQUIRE(f.ops->retry("job", "k").has_value());
    CHECK(job.run("k").value() == 1);
}

TEST_CASE("A running operation that is cancelled stops at its next step and is undone") {
    fixture f;
    std::vector<std::string> undone;
    auto refused = 0;
    auto job = f.ops->define("job", [&](operation& op) -> result<int> {
        op.step(recoup::step_options{.name = "a",
                                     .undo = [&](int n) { undone.push_back(std::to_string(n)); }},
                [] { return 5; })
            .value();
        REQUIRE(f.ops->cancel("job", "k").has_value());
        CHECK(op.stop_token().stop_requested());
        CHECK(op.cancelled());
        for (auto i = 0; i != 2; ++i) {
            try {
                op.step("b", [] {}).value();
                FAIL("a step was run");
            } catch (std::exception const&) {
                FAIL("the interruption is an exception that bodies catch");
            } catch (recoup::operation_interrupted const&) {
                ++refused;
            }
        }
        return 1;
    });
    auto const got = job.run("k");
    CHECK(got.error().code() == recoup::errc::cancelled);
    CHECK(got.error().stopped() == stop_reason::cancelled);
    CHECK(refused == 2);
    CHECK(undone == std::vector<std::string>{"5"});
    CHECK(f.status("job") == operation_status::cancelled);
    CHECK(f.ops->cancel("job", "k").error().code() == recoup::errc::request_refused);
    CHECK(f.ops->cancel("job", "other").error().code() == recoup::errc::no_such_operation);
}

TEST_CASE("A wish to cancel from another process is seen with the next record") {
    fixture f;
    auto job = f.ops->define("job", [&](operation& op) {
        REQUIRE(f.store.inner.request_cancel(op.number()).has_value());
        op.step("a", [] {}).value();  // its receipt tells
        op.step("b", [] { FAIL("a step was run"); }).value();
    });
    CHECK(job.run("k").error().code() == recoup::errc::cancelled);
    CHECK(f.status("job") == operation_status::cancelled);
}

TEST_CASE("A wish to cancel is seen by housekeeping while a step runs") {
    fixture f;
    auto job = f.ops->define("job", [&](operation& op) {
        op.step("a", [&] {
              REQUIRE(f.store.inner.request_cancel(op.number()).has_value());
              CHECK_FALSE(op.stop_token().stop_requested());
              f.ops->keep_house();
              CHECK(op.stop_token().stop_requested());
          }).value();
    });
    CHECK(job.run("k").has_value());  // it came to its end all the same
}

TEST_CASE("A stored operation that is cancelled is undone, too") {
    fixture f;
    auto crash = true;
    std::vector<std::string> undone;
    auto const body = [&](operation& op) {
        for (auto const* name : {"a", "b"})
            op.step(
                  recoup::step_options{
                      .name = name,
                      .undo = [&](std::string const& what) { undone.push_back(what); }},
                  [&] { return std::string{name}; })
                .value();
        if (std::exchange(crash, false)) f.store.crash_at(1, false);
        op.step("c", [] {}).value();
    };
    auto job = f.ops->define("job", body);
    CHECK_FALSE(job.run("k").has_value());
    f.restart();
    job = f.ops->define("job", body);
    REQUIRE(f.ops->cancel("job", "k").has_value());
    CHECK(undone == std::vector<std::string>{"b", "a"});
    CHECK(f.status("job") == operation_status::cancelled);
}

TEST_CASE("To cancel an operation cancels its children") {
    fixture f;
    auto child = f.ops->define("child", [&](operation& op) {
        REQUIRE(f.ops->cancel("parent", "p").has_value());
        op.step("never", [] { FAIL("a step was run"); }).value();
    });
    auto parent = f.ops->define("parent", [&](operation& op) { op.run(child, "c").value(); });
    CHECK(parent.run("p").error().code() == recoup::errc::cancelled);
    CHECK(f.status("parent", "p") == operation_status::cancelled);
    CHECK(f.status("child", "c") == operation_status::cancelled);
}

TEST_CASE("What was undone is done again in the next generation") {
    fixture f;
    auto broken = true;
    auto done = 0;
    auto undone = 0;
    auto job = f.ops->define("job", [&](operation& op) -> result<int> {
        op.step(recoup::step_options{.name = "a", .undo = [&] { ++undone; }}, [&] {
              ++done;
          }).value();
        if (broken) return recoup::failure{recoup::category::permission, "no"};
        return 1;
    });
    CHECK_FALSE(job.run("k").has_value());
    broken = false;
    CHECK(job.run("k").value() == 1);
    CHECK(done == 2);
    CHECK(undone == 1);
}

TEST_CASE("An undo that fails parks the operation, and goes on when that is retried") {
    fixture f;
    auto stuck = true;
    auto job = f.ops->define("job", [&](operation& op) -> result<int> {
        op.step(recoup::step_options{.name = "a",
                                     .undo =
                                         [&] {
                                             if (stuck) throw std::runtime_error{"stuck"};
                                         }},
                [] {})
            .value();
        return recoup::failure{recoup::category::permission, "no"};
    });
    CHECK(job.run("k").error().code() == recoup::errc::operation_blocked);
    CHECK(f.store.head("job", "k").note == "step \"a\" cannot be undone: stuck");
    stuck = false;
    REQUIRE(f.ops->retry("job", "k").has_value());
    CHECK(f.ops->resume().failed == 1);
    CHECK(f.store.head("job", "k").last_failure->message == "no");
}

TEST_CASE("A late writer stops at its next step and gives what the new owner recorded") {
    fixture f;
    recoup::operations other{f.store, by_hand(), recoup::on(f.clock)};
    auto second = 0;
    auto const body = [&](operation& op) {
        return op.step("second", [&] { return ++second; }).value();
    };
    auto theirs = other.define("job", body);
    auto mine = f.ops->define("job", [&](operation& op) {
        // Our lease is over, and another process takes the operation and ends it.
        REQUIRE(f.store.inner.leave(f.store.head("job", "k").owner).has_value());
        CHECK(theirs.run("k").value() == 1);
        op.step("second", [] { return 99; }).value();
        FAIL("the late writer went on");
        return 0;
    });
    CHECK(mine.run("k").value() == 1);
    CHECK(second == 1);
}

TEST_CASE("Where the store fails nothing goes on, and the next call continues") {
    fixture f;
    auto firsts = 0;
    auto fail = true;
    auto job = f.ops->define("job", [&](operation& op) {
        op.step("first", [&] { ++firsts; }).value();
        if (fail) f.store.crash_at(1, false);
        op.step("second", [] {}).value();
        CHECK_FALSE(fail);
        return 3;
    });
    auto const got = job.run("k");
    CHECK(got.error().code() == recoup::store_errc::unavailable);
    CHECK(got.error().stopped() == stop_reason::store_failed);
    CHECK(f.seen.count(recoup::event_kind::store_failed) == 1);
    // The store comes back, and we are still alive: nobody else could take what is ours.
    fail = false;
    f.store.revive();
    CHECK(job.run("k").value() == 3);
    CHECK(firsts == 1);
}

TEST_CASE("What waits and is not defined here is reported, and left alone") {
    fixture f;
    f.ops->define("mine", [](operation&) {});
    recoup::operation_record head;
    head.id = {"", "theirs", "k"};
    REQUIRE(f.store.inner.start(head, 0).has_value());
    auto const report = f.ops->resume();
    CHECK(report.resumed == 0);
    CHECK(report.undefined == std::vector<std::string>{"theirs"});
    CHECK(f.store.head("theirs", "k").epoch == 1);
}

TEST_CASE("Progress and steps can be looked at") {
    fixture f;
    auto job = f.ops->define("job", [&](operation& op) {
        op.progress("half \x01way");
        CHECK(f.ops->find("job", "k").value()->progress.find("half") == 0);
        CHECK(f.ops->find("job", "k").value()->status == operation_status::running);
        op.step("a", [] { return 1; }).value();
        f.clock.advance(1s);
        op.step("b", recoup::with_recovery(
                         [n = 0]() mutable -> result<int> {
                             if (++n < 3) return std::errc::connection_reset;
                             return n;
                         },
                         recoup::retry{.backoff = recoup::constant(1s)}))
            .value();
    });
    REQUIRE(job.run("k").has_value());
    auto const steps = f.ops->history("job", "k").value();
    REQUIRE(steps.size() == 2);
    CHECK(steps[0].name == "a");
    CHECK(steps[0].attempts == 1);
    CHECK(steps[1].name == "b");
    CHECK(steps[1].attempts == 3);
    CHECK(steps[1].last_failure->category == recoup::category::network_connection);
    CHECK(steps[1].updated - steps[0].updated == 3s);
    CHECK(f.ops->list().value().size() == 1);
    CHECK_FALSE(f.ops->find("job", "other").value().has_value());
    CHECK(f.ops->history("job", "other").error().code() == recoup::errc::no_such_operation);
}

TEST_CASE("An attempt of a step ends by its own limit, on the clock of the operations") {
    fixture f;
    auto job = f.ops->define("job", [&](operation& op) {
        return op
            .step("slow", recoup::with_recovery(
                              [&](recoup::attempt& current) -> result<std::uint32_t> {
                                  auto const stop = current.stop_token();
                                  if (current.number() == 2) return current.number();
                                  f.clock.advance(5s);
                                  CHECK(stop.stop_requested());
                                  return std::errc::operation_canceled;
                              },
                              recoup::attempt_timeout{5s}))
            .value();
    });
    CHECK(job.run("k").value() == 2);
    CHECK(f.ops->history("job", "k").value()[0].last_failure->category ==
          recoup::category::network_timeout);
    CHECK(f.clock.alarms() == 0);
}

TEST_CASE("A deadline leaves an operation pending, for a later call") {
    fixture f;
    auto job = f.ops->define("job", [&](operation& op) {
        op.step("slow", [&] { f.clock.advance(2s); }).value();
        op.step("next", [] {}).value();
        return 1;
    });
    auto const got = job.run_with({.deadline = 1s}, "k");
    CHECK(got.error().stopped() == stop_reason::deadline);
    CHECK(f.status("job") == operation_status::pending);
    CHECK(job.run("k").value() == 1);
    CHECK(f.store.head("job", "k").recoveries == 0);
}

TEST_CASE("A shutdown leaves an operation pending, and that is no crash") {
    fixture f;
    auto const body = [&](operation& op) {
        op.step("a", [&] { f.ops->shutdown(0s); }).value();
        op.step("b", [] {}).value();
        return 1;
    };
    auto job = f.ops->define("job", body);
    CHECK(job.run("k").error().stopped() == stop_reason::shut_down);
    CHECK(f.status("job") == operation_status::pending);
    CHECK(f.store.head("job", "k").owner == 0);
    CHECK(job.run("k").error().stopped() == stop_reason::shut_down);
    f.restart();
    job = f.ops->define("job", body);
    CHECK(f.ops->resume().succeeded == 1);
    CHECK(f.store.head("job", "k").recoveries == 0);
}

TEST_CASE("A step in a transaction that the store does not have is a typed error") {
    struct foreign {};
    fixture f;
    auto job = f.ops->define("job", [](operation& op) -> result<int> {
        return op.step_tx("t", [](foreign&) { return 1; });
    });
    auto const got = job.run("k");
    CHECK(got.error().code() == recoup::errc::not_transactional);
    CHECK(got.error().category() == recoup::category::configuration);
    recoup::memory_store plain;
    recoup::operations without{plain, by_hand()};
    auto none = without.define("job", [](operation& op) -> result<int> {
        return op.step_tx("t", [](crashing_store::transaction&) { return 1; });
    });
    CHECK(none.run("k").error().code() == recoup::errc::not_transactional);
}

TEST_CASE("A transaction whose body fails leaves nothing, and the step can be run again") {
    fixture f;
    auto broken = true;
    auto job = f.ops->define("job", [&](operation& op) -> result<int> {
        return op.step_tx("t", [&](crashing_store::transaction& tx) -> result<int> {
            tx.rows.push_back("row");
            if (broken) return recoup::failure{recoup::category::permission, "no"};
            return 1;
        });
    });
    CHECK(job.run("k").error().message() == "no");
    CHECK(f.store.rows.empty());
    broken = false;
    CHECK(job.run("k").value() == 1);
    CHECK(f.store.rows == std::vector<std::string>{"row"});
}

TEST_CASE("A body that throws fails with its exception") {
    fixture f;
    auto job = f.ops->define("job", [](operation&) -> int { throw std::domain_error{"odd"}; });
    CHECK_THROWS_AS(job.run("k").value(), std::domain_error);
    CHECK(f.store.head("job", "k").last_failure->message == "odd");
}

TEST_CASE("An operation has a bound on its steps") {
    fixture f;
    auto job = f.ops->define("job", {.steps_max = 2}, [](operation& op) -> result<void> {
        for (auto i = 0; i != 3; ++i) {
            auto got = op.step("a", [] {});
            if (!got.has_value()) return got;
        }
        return recoup::success();
    });
    CHECK(job.run("k").error().code() == recoup::errc::step_limit);
}

TEST_CASE("A step that stopped in doubt is run again when somebody retries its operation") {
    fixture f;
    auto runs = 0;
    auto const body = [&](operation& op) -> result<int> {
        return op.step(recoup::step_options{.name = "a", .in_doubt = recoup::in_doubt::stop}, [&] {
            if (++runs == 1) f.store.crash_at(1, false);
            return 1;
        });
    };
    auto job = f.ops->define("job", body);
    CHECK_FALSE(job.run("k").has_value());
    f.restart();
    job = f.ops->define("job", body);
    CHECK(f.ops->resume().blocked == 1);
    CHECK(runs == 1);
    REQUIRE(f.ops->retry("job", "k").has_value());
    CHECK(f.ops->resume().succeeded == 1);
    CHECK(runs == 2);
}

TEST_CASE("Operations own a store that is given as a shared pointer") {
    auto store = std::make_shared<recoup::memory_store>();
    recoup::operations ops{store, by_hand()};
    store.reset();
    CHECK(ops.define("a", [](operation&, int n) { return n; }).run("k", 1).value() == 1);
}

}  // namespace
