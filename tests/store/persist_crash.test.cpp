// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/persist.hpp>

#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/fault_plan.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "store/persist_support.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

// A process ends somewhere in an operation, and the next one finds what it left: the records as they
// were at that moment, in a store of their own.

namespace {

using namespace std::chrono_literals;
using namespace recoup_test;
using recoup::attempt;
using recoup::category;
using recoup::duration;
using recoup::failure;
using recoup::memory_store;
using recoup::persist;
using recoup::persist_when;
using recoup::record_status;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::testing::event_recorder;
using recoup::testing::manual_clock;
using recoup::testing::manual_clock_options;
using trace = std::vector<std::string>;
using delays = std::vector<duration>;
using left_behind = std::unique_ptr<memory_store>;

/// What one attempt does: a test's script.
using work = std::function<result<int>(attempt&)>;

// The first process lives in January 2026, and the next one a day later, unless a test says otherwise.
auto const at_first = recoup::system_time{std::chrono::seconds{1'767'225'600}};
auto const later = at_first + 24h;

/// One process that runs the operation `op` with key 1 on a store.
struct process {
    retry policy{.max_attempts = 5, .backoff = recoup::constant(10s)};
    persist_when when = persist_when::start;
    duration deadline = recoup::unlimited;
    std::function<void(duration)> on_wait{};
    std::stop_token stop{};
    recoup::system_time wall = later;
    int input = 0;

    // What it left to look at.
    trace seen{};
    delays waits{};

    result<int> run(memory_store& store, work const& what) {
        manual_clock clock{{.system_start = wall, .on_wait = on_wait}};
        return run(store, clock, what);
    }
    result<int> run(memory_store& store, manual_clock& clock, work const& what) {
        event_recorder recorder;
        auto const wrapped = recoup::with_recovery(
            [&](attempt& current, int) { return what(current); }, policy,
            persist(store, {.name = "op", .when = when}, [](int) { return 1; }),
            recoup::deadline{deadline}, recoup::on(clock), recoup::stop_on(stop),
            std::ref(recorder));
        auto end = wrapped(input);
        seen = recorder.trace();
        waits = clock.waits();
        return end;
    }
};

/// What a process leaves that dies in attempt `number`, where all before it failed.
left_behind dies_in_attempt(std::uint32_t number, process one = {}, work const& before_death = {}) {
    memory_store store;
    auto left = left_behind{};
    one.wall = at_first;
    static_cast<void>(one.run(store, [&](attempt& current) -> result<int> {
        if (current.number() == number) {
            if (before_death) static_cast<void>(before_death(current));
            left = crashed(store);
        }
        return reset;
    }));
    return left;
}

/// What a process leaves that dies in its first wait.
left_behind dies_in_wait(process one = {}) {
    memory_store store;
    auto left = left_behind{};
    one.wall = at_first;
    one.on_wait = [&](duration) {
        if (!left) left = crashed(store);
    };
    static_cast<void>(one.run(store, [](attempt&) -> result<int> { return reset; }));
    return left;
}

}  // namespace

TEST_CASE("A crash inside an attempt uses it up, and the next process goes on without a wait") {
    auto const left = dies_in_attempt(2);
    process next;
    CHECK(next.run(*left,
                   [](attempt& current) -> result<int> {
                       CHECK(current.number() == 3);
                       CHECK(current.resumed());
                       CHECK(current.previous_failure() == nullptr);
                       return 7;
                   })
              .value() == 7);
    CHECK(next.waits.empty());
    CHECK(next.seen == trace{"operation_started", "operation_resumed 2", "recorded 2",
                             "attempt_started 3", "operation_succeeded 3"});
    CHECK(left->size() == 0);
}

TEST_CASE(
    "With persist_when::failure a crash in the first attempt leaves nothing, in a later one the "
    "record") {
    CHECK(dies_in_attempt(1, {.when = persist_when::failure})->size() == 0);
    auto const left = dies_in_attempt(3, {.when = persist_when::failure});
    process next{.when = persist_when::failure};
    CHECK(
        next.run(*left,
                 [](attempt& current) -> result<int> { return static_cast<int>(current.number()); })
            .value() == 4);
}

TEST_CASE("A crash loop ends with the budget, and says what the last failure was") {
    for (auto const when : {persist_when::start, persist_when::failure}) {
        auto const policy = retry{.max_attempts = 4, .backoff = recoup::constant(0ms)};
        auto left = dies_in_attempt(2, {.policy = policy, .when = when});
        auto runs = 0;
        auto end = result<int>{0};
        auto seen = trace{};
        for (; runs != 20; ++runs) {
            auto died = left_behind{};
            process next{.policy = policy, .when = when};
            end = next.run(*left, [&](attempt&) -> result<int> {
                if (!died) died = crashed(*left);
                return reset;
            });
            seen = next.seen;
            if (!died) break;
            left = std::move(died);
        }
        CHECK(runs == 2);  // attempts 3 and 4
        CHECK(std::count_if(seen.begin(), seen.end(), [](auto const& line) {
                  return line.starts_with("operation_failed");
              }) == 1);
        CHECK(end.error().stopped() == stop_reason::attempts_exhausted);
        CHECK(end.error().attempts() == 4);
        CHECK(end.error().category() == category::network_connection);
        CHECK(end.error().code() == reset);
        CHECK(only_record(*left).status == record_status::failed);
        CHECK(only_record(*left).attempts == 4);
    }
}

TEST_CASE("A crash loop in the very first attempt ends, too") {
    auto const policy = retry{.max_attempts = 3, .backoff = recoup::constant(0ms)};
    auto left = dies_in_attempt(1, {.policy = policy});
    auto runs = 0;
    auto end = result<int>{0};
    for (; runs != 20; ++runs) {
        auto died = left_behind{};
        end = process{.policy = policy}.run(*left, [&](attempt&) -> result<int> {
            died = crashed(*left);
            return 1;
        });
        if (!died) break;
        left = std::move(died);
    }
    CHECK(runs == 2);
    CHECK(end.error().code() == recoup::errc::crash_budget_spent);
    CHECK(end.error().attempts() == 3);
}

TEST_CASE("A crash during a wait waits only the rest") {
    auto const left = dies_in_wait();
    auto const due = only_record(*left).due;
    struct row {
        duration after;
        delays waits;
    };
    for (auto const& [after, waits] : {row{0s, {10s}}, row{4s, {6s}}, row{10s - 1ns, {1ns}}}) {
        auto const copy = crashed(*left);
        process next{.wall = due - 10s + after};
        CHECK(next.run(*copy,
                       [](attempt& current) -> result<int> {
                           return static_cast<int>(current.number());
                       })
                  .value() == 2);
        CHECK(next.waits == waits);
        CHECK(next.seen == trace{"operation_started", "operation_resumed 1", "recorded 1",
                                 "attempt_started 2", "operation_succeeded 2"});
    }
}

TEST_CASE("When the wait was over, the attempt that was due counts as made") {
    auto const left = dies_in_wait();
    process next{.wall = only_record(*left).due};
    CHECK(
        next.run(*left,
                 [](attempt& current) -> result<int> { return static_cast<int>(current.number()); })
            .value() == 3);
    CHECK(next.waits.empty());
}

TEST_CASE("However the wall clock jumps, nobody waits longer than the recorded delay") {
    auto const left = dies_in_wait();
    for (auto const jump : delays{-1ns, -1h, -24h * 365 * 50, -24h * 365 * 200}) {
        auto const copy = crashed(*left);
        process next{.wall = recoup::saturating_add(only_record(*left).due, jump - 10s)};
        CHECK(next.run(*copy,
                       [](attempt& current) -> result<int> {
                           return static_cast<int>(current.number());
                       })
                  .value() == 2);
        CHECK(next.waits == delays{10s});
    }
    auto const copy = crashed(*left);
    process ahead{.wall = recoup::system_time::max() - 1h};
    CHECK(ahead.run(*copy, [](attempt&) -> result<int> { return 1; }).has_value());
    CHECK(ahead.waits.empty());
}

TEST_CASE("A crash loop ends although the wall clock was set back by years") {
    auto left = dies_in_wait();
    auto wall = only_record(*left).due - 24h * 365 * 20;
    auto runs = 0;
    for (; runs != 20; ++runs) {
        auto died = left_behind{};
        manual_clock clock{{.system_start = wall}};
        process next;
        auto const end = next.run(*left, clock, [&](attempt&) -> result<int> {
            if (!died) {
                died = crashed(*left);
                wall = clock.system_now();
            }
            return reset;
        });
        if (!died) break;
        left = std::move(died);
    }
    CHECK(runs == 4);  // attempts 2 to 5
}

TEST_CASE("A wait that is cut short again and again is waited for once in all") {
    auto left = dies_in_wait();
    auto wall = only_record(*left).due - 10s;
    for (auto const expected : {8s, 6s, 4s, 2s}) {
        wall += 2s;
        auto died = left_behind{};
        process next{.on_wait =
                         [&](duration) {
                             if (!died) died = crashed(*left);
                         },
                     .wall = wall};
        CHECK(next.run(*left, [](attempt&) -> result<int> { return 1; }).has_value());
        CHECK(next.waits == delays{expected});
        left = std::move(died);
    }
}

TEST_CASE("The budget of each category survives") {
    auto const policy =
        retry{.max_attempts = 2,
              .backoff = recoup::constant(0ms),
              .per_category = {{category::rate_limited,
                                {.max_attempts = 4, .backoff = recoup::linear(1s, 1h)}}}};
    memory_store store;
    auto left = left_behind{};
    auto const limited = [&](attempt& current) -> result<int> {
        if (current.number() == 3) left = crashed(store);
        return failure{category::rate_limited};
    };
    process first{.policy = policy};
    CHECK(first.run(store, limited).error().attempts() == 4);
    CHECK(first.waits == delays{1s, 2s, 3s});
    process next{.policy = policy, .wall = first.wall + 24h};
    auto const end =
        next.run(*left, [&](attempt&) -> result<int> { return failure{category::rate_limited}; });
    CHECK(end.error().attempts() == 5);  // 1 and 2 limited, 3 crashed, 4 and 5 limited
    CHECK(next.waits == delays{3s});
}

TEST_CASE("The spent deadline survives, and the time between the processes does not count") {
    memory_store store;
    auto left = left_behind{};
    manual_clock clock;
    auto const patient = retry{.max_attempts = 9, .backoff = recoup::constant(10s)};
    process first{.policy = patient, .deadline = 60s};
    static_cast<void>(first.run(store, clock, [&](attempt& current) -> result<int> {
        clock.advance(7s);
        if (current.number() == 3) left = crashed(store);
        return reset;
    }));
    CHECK(only_record(*left).active ==
          24s);  // two attempts and the wait between, as of the last failure
    manual_clock restarted{{.system_start = clock.system_now() + 24h * 300}};
    process next{.policy = patient, .deadline = 60s};
    auto remaining = delays{};
    auto const end = next.run(*left, restarted, [&](attempt& current) -> result<int> {
        remaining.push_back(current.remaining());
        restarted.advance(13s);
        return reset;
    });
    CHECK(remaining == delays{36s, 13s});
    CHECK(end.error().stopped() == stop_reason::deadline);
}

TEST_CASE("A deadline that was used up before the crash allows no further attempt") {
    memory_store store;
    auto left = left_behind{};
    manual_clock clock;
    static_cast<void>(
        process{.deadline = 60s}.run(store, clock, [&](attempt& current) -> result<int> {
            clock.advance(49s);
            if (current.number() == 2) left = crashed(store);
            return reset;
        }));
    process next{.deadline = 40s};
    auto calls = 0;
    auto const end = next.run(*left, [&](attempt&) -> result<int> { return ++calls; });
    CHECK(end.error().stopped() == stop_reason::deadline);
    CHECK(end.error().code() == reset);
    CHECK(calls == 0);
}

TEST_CASE("A rest of the wait that does not fit into the deadline is not begun") {
    memory_store store;
    auto left = left_behind{};
    manual_clock clock{{.on_wait = [&](duration) {
        if (!left) left = crashed(store);
    }}};
    static_cast<void>(process{.deadline = 60s}.run(store, clock, [&](attempt&) -> result<int> {
        clock.advance(5s);
        return reset;
    }));
    process next{.deadline = 15s, .wall = only_record(*left).due - 10s};
    auto const end = next.run(*left, [&](attempt&) -> result<int> { return 1; });
    CHECK(end.error().stopped() == stop_reason::deadline);
    CHECK(end.error().attempts() == 1);
    CHECK(next.waits.empty());
    CHECK(only_record(*left).status == record_status::failed);
}

TEST_CASE("A stop during the rest of the wait ends the operation") {
    auto const left = dies_in_wait();
    std::stop_source stop;
    process next{.on_wait = [&](duration) { stop.request_stop(); },
                 .stop = stop.get_token(),
                 .wall = only_record(*left).due - 3s};
    auto const end = next.run(*left, [](attempt&) -> result<int> { return 1; });
    CHECK(end.error().stopped() == stop_reason::cancelled);
    CHECK(end.error().code() == reset);
    CHECK(next.seen.back() == "operation_failed 1 network_connection cancelled");
}

TEST_CASE("Token and checkpoint survive a crash") {
    auto token = std::string{};
    for (auto const when : {persist_when::start, persist_when::failure}) {
        auto const left = dies_in_attempt(1, {.when = when}, [&](attempt& current) -> result<int> {
            current.save_checkpoint(std::string{"half"});
            token = current.idempotency_token();
            return 0;
        });
        process next{.when = when};
        CHECK(next.run(*left,
                       [&](attempt& current) -> result<int> {
                           CHECK(current.number() == 2);
                           CHECK(current.resumed());
                           CHECK(current.checkpoint<std::string>() == "half");
                           CHECK(current.idempotency_token() == token);
                           return 1;
                       })
                  .has_value());
        CHECK(left->size() == 0);  // a success discards the checkpoint with the record
    }
}

TEST_CASE(
    "After a terminal failure the checkpoint is inherited, with a fresh budget, deadline and "
    "token") {
    for (auto const when : {persist_when::start, persist_when::failure}) {
        memory_store store;
        manual_clock clock;
        auto tokens = trace{};
        process one{.when = when, .deadline = 1h};
        auto const script = [&](attempt& current) -> result<int> {
            if (current.number() == 1) tokens.push_back(current.idempotency_token());
            auto const done = current.checkpoint<int>().value_or(0);
            CHECK(current.resumed() == (tokens.size() > 1));
            CHECK(current.remaining() > 59min);
            current.save_checkpoint(done + 1);
            if (done == 7) return done;
            return reset;
        };
        auto const first = one.run(store, clock, script);
        CHECK(first.error().attempts() == 5);
        CHECK(only_record(store).status == record_status::failed);
        CHECK(only_record(store).generation == 1);
        clock.advance(24h);
        CHECK(one.run(store, clock, script).value() == 7);
        CHECK(one.seen[1] == "operation_resumed");
        CHECK(tokens.size() == 2);
        CHECK(tokens[0] != tokens[1]);
        CHECK(store.size() == 0);
    }
}

TEST_CASE("Generations are counted, and one of another input inherits nothing") {
    memory_store store;
    process one{.policy = {.max_attempts = 1}};
    auto const script = [](attempt& current) -> result<int> {
        CHECK_FALSE(current.checkpoint<int>());
        current.save_checkpoint(1);
        return reset;
    };
    CHECK_FALSE(one.run(store, script).has_value());
    one.input = 2;
    CHECK_FALSE(one.run(store, script).has_value());
    CHECK(only_record(store).generation == 2);
    CHECK(one.seen == trace{"operation_started", "recorded", "attempt_started 1", "recorded 1",
                            "checkpoint_saved 1", "attempt_failed 1 network_connection",
                            "recorded 1",
                            "operation_failed 1 network_connection attempts_exhausted"});
}

TEST_CASE("A failed record that has expired is as good as gone") {
    memory_store store;
    manual_clock clock;
    process one{.policy = {.max_attempts = 1}};
    CHECK_FALSE(one.run(store, clock,
                        [](attempt& current) -> result<int> {
                            current.save_checkpoint(1);
                            return reset;
                        })
                    .has_value());
    clock.advance(24h * 7);
    CHECK(one.run(store, clock,
                  [](attempt& current) -> result<int> {
                      return current.checkpoint<int>().value_or(-1);
                  })
              .value() == -1);
}

TEST_CASE(
    "A record of a running operation with another input is a typed error, and is left alone") {
    auto const left = dies_in_attempt(2);
    auto const before = only_record(*left);
    process next{.input = 5};
    auto calls = 0;
    auto const end = next.run(*left, [&](attempt&) -> result<int> { return ++calls; });
    CHECK(end.error().code() == recoup::errc::input_mismatch);
    CHECK(end.error().stopped() == stop_reason::input_mismatch);
    CHECK(calls == 0);
    CHECK(only_record(*left) == before);
    CHECK(next.seen == trace{"operation_started", "operation_failed invalid_input input_mismatch"});
}

TEST_CASE("A checkpoint of another type is an error, and it is kept for one who can read it") {
    auto const left = dies_in_attempt(1, {}, [&](attempt& current) -> result<int> {
        current.save_checkpoint(std::string{"half"});
        return 0;
    });
    process next;
    auto const end = next.run(
        *left, [](attempt& current) -> result<int> { return current.checkpoint<int>().value(); });
    CHECK(end.error().code() == recoup::errc::value_unreadable);
    CHECK(end.error().stopped() == stop_reason::not_retryable);
    CHECK(next.run(*left,
                   [](attempt& current) -> result<int> {
                       return static_cast<int>(current.checkpoint<std::string>()->size());
                   })
              .value() == 4);
}

TEST_CASE("Progress makes the recorded budget whole, too") {
    auto const policy =
        retry{.max_attempts = 2, .backoff = recoup::constant(0ms), .refill_on_progress = true};
    auto left = std::make_unique<memory_store>();
    for (int i = 1; i != 30; ++i) {  // each process makes a step and dies
        auto died = left_behind{};
        process next{.policy = policy};
        static_cast<void>(next.run(*left, [&](attempt& current) -> result<int> {
            if (!died) {
                CHECK(current.number() == static_cast<std::uint32_t>(i));
                CHECK(current.checkpoint<int>().value_or(1) == i);
                current.save_checkpoint(i + 1);
                died = crashed(*left);
            }
            return 0;
        }));
        REQUIRE(died);
        left = std::move(died);
    }
}

TEST_CASE("Hostile numbers in a record neither overflow nor lengthen anything") {
    auto const left = dies_in_wait();
    auto hostile = only_record(*left);
    hostile.active = GENERATE(duration::min(), duration::max());
    hostile.delay = GENERATE(duration::min(), duration{-1});
    hostile.due = GENERATE(recoup::system_time::min(), recoup::system_time::max());
    hostile.attempts = GENERATE(0U, UINT32_MAX);
    hostile.spent = GENERATE(0U, UINT32_MAX);
    hostile.revision = 0;
    memory_store store;
    store.save(hostile).value();
    process next{.deadline = 1h};
    auto remaining = duration{};
    auto const end = next.run(store, [&](attempt& current) -> result<int> {
        remaining = current.remaining();
        return 1;
    });
    CHECK(next.waits.empty());
    CHECK(remaining <= 1h);
    if (hostile.active == duration::max()) CHECK_FALSE(end.has_value());
}
