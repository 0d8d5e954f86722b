// SPDX-License-Identifier: BSL-1.0
#include <recoup/with_recovery.hpp>

#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/fault_plan.hpp>
#include <recoup/testing/manual_clock.hpp>

#include "support/catch.hpp"
#include "with_recovery/with_recovery_support.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

// The deadline over the whole operation, and the stop token: what ends a call from outside.

namespace {

using namespace std::chrono_literals;
using namespace with_recovery_test;
using recoup::attempt;
using recoup::category;
using recoup::deadline;
using recoup::duration;
using recoup::failure;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::event_recorder;
using recoup::testing::fault_plan;
using recoup::testing::manual_clock;
using trace = std::vector<std::string>;
using delays = std::vector<duration>;

struct counting_clock {
    int reads = 0;
    std::uint64_t draws = 0;
    recoup::steady_time now() noexcept { return ++reads, recoup::steady_time{1h}; }
    recoup::steady_time coarse_now() noexcept { return ++reads, recoup::steady_time{1h}; }
    recoup::system_time system_now() noexcept { return ++reads, recoup::system_time{1h}; }
    bool wait_until(recoup::steady_time, std::stop_token const&) { return true; }
    std::uint64_t random() noexcept { return ++draws; }
};

auto const patient = retry{.max_attempts = 100, .backoff = recoup::constant(3s)};

}  // namespace

TEST_CASE("A deadline counts attempts and waits together") {
    manual_clock clock;
    auto left = std::vector<duration>{};
    auto const wrapped = with_recovery(
        [&](attempt& current) -> result<int> {
            left.push_back(current.remaining());
            clock.advance(1s);
            return reset;
        },
        patient, deadline{10s}, recoup::on(clock));
    auto const failed = wrapped();
    CHECK(left == delays{10s, 6s, 2s});
    CHECK(clock.waits() == delays{3s, 3s});
    CHECK(clock.elapsed() == 9s);  // the third wait would have ended behind the deadline
    CHECK(failed.error().stopped() == stop_reason::deadline);
    CHECK(failed.error().attempts() == 3);
    CHECK(failed.error().code() == reset);
    CHECK(wrapped().error().attempts() == 3);  // each call has a deadline of its own
}

TEST_CASE("An attempt that runs past the deadline is let finish, and its value counts") {
    manual_clock clock;
    auto const wrapped = with_recovery(
        [&](attempt& current) {
            clock.advance(1min);
            return current.remaining();
        },
        deadline{10s}, recoup::on(clock));
    CHECK(wrapped().value() == 0s);
}

TEST_CASE("A deadline of zero or less allows no attempt at all") {
    for (auto const total : {duration{0}, duration{-1s}, duration::min()}) {
        manual_clock clock;
        event_recorder seen;
        fault_plan faults{"ok"};
        auto const failed =
            with_recovery(faults.wrap(five), deadline{total}, recoup::on(clock), std::ref(seen))();
        CHECK(failed.error().stopped() == stop_reason::deadline);
        CHECK(failed.error().code() == recoup::errc::deadline_exceeded);
        CHECK(failed.error().attempts() == 0);
        CHECK(faults.calls() == 0);
        CHECK(seen.trace() == trace{"operation_started", "operation_failed unknown deadline"});
    }
}

TEST_CASE("A deadline without limit is none") {
    manual_clock clock;
    auto const wrapped = with_recovery([](attempt& current) { return current.remaining(); },
                                       deadline{recoup::unlimited}, recoup::on(clock));
    CHECK(wrapped().value() == recoup::unlimited);
    auto const far = with_recovery([](attempt& current) { return current.remaining(); },
                                   deadline{duration::max() - 1ns}, recoup::on(clock));
    CHECK(far().value() == recoup::unlimited);  // beyond what the clock can show
}

TEST_CASE("Time that is lost before the wait is not taken from behind the deadline") {
    manual_clock clock;
    // An observer takes a second; the wait of 3 s does not fit into the 3 that are left then.
    auto const slow = recoup::on_retry([&](recoup::event const&) { clock.advance(1s); });
    auto const failed = with_recovery([&]() -> result<int> { return reset; }, patient, deadline{4s},
                                      slow, recoup::on(clock))();
    CHECK(failed.error().stopped() == stop_reason::deadline);
    CHECK(clock.waits().empty());
    CHECK(clock.elapsed() == 1s);
}

TEST_CASE("field pain 10: a wait that oversleeps the deadline is followed by no attempt",
          "[field]") {
    manual_clock* shown = nullptr;
    manual_clock clock{{.on_wait = [&](duration) { shown->advance(1h); }}};
    shown = &clock;
    auto calls = 0;
    auto const failed = with_recovery(
        [&]() -> result<int> {
            ++calls;
            return reset;
        },
        patient, deadline{1min}, recoup::on(clock))();
    CHECK(calls == 1);
    CHECK(failed.error().stopped() == stop_reason::deadline);
    CHECK(failed.error().attempts() == 1);
}

TEST_CASE("Without a deadline no clock is read but for waiting") {
    counting_clock clock;
    CHECK(with_recovery(five, patient, recoup::on(clock))().has_value());
    CHECK(clock.reads == 0);
    CHECK(clock.draws == 0);
    CHECK(with_recovery(five, patient, deadline{1h}, recoup::on(clock))().has_value());
    CHECK(clock.reads == 1);
    CHECK(clock.draws == 0);
}

TEST_CASE("The guards of the first attempt go by the moment at which the deadline began") {
    counting_clock clock;
    recoup::rate_limiter bucket{recoup::token_bucket(100, 1s)};
    recoup::rate_limiter window{recoup::sliding_window(100, 1s)};
    recoup::bulkhead room;
    auto const wrapped = with_recovery(five, deadline{1h}, bucket, window, room, recoup::on(clock));
    CHECK(wrapped().has_value());
    CHECK(clock.reads == 1);

    // An observer may have taken its time meanwhile.
    clock.reads = 0;
    auto const slow = recoup::on_event([](recoup::event const&) {});
    CHECK(with_recovery(five, deadline{1h}, bucket, window, slow, recoup::on(clock))().has_value());
    CHECK(clock.reads == 3);
}

TEST_CASE("A guard that knows one clock alone is asked with that, beside a deadline as well") {
    struct own_guard {
        struct permit {
            explicit operator bool() const noexcept { return true; }
            void succeeded(recoup::real_clock&) noexcept {}
            void failed(category, bool, recoup::real_clock&) noexcept {}
        };
        int asked = 0;
        permit try_acquire(recoup::real_clock&) noexcept { return ++asked, permit{}; }
        duration retry_in(recoup::real_clock&) noexcept { return {}; }
    };
    own_guard mine;
    CHECK(with_recovery(five, deadline{1h}, std::ref(mine))().has_value());
    CHECK(mine.asked == 1);
}

TEST_CASE("A guard behind one at which an attempt has waited sees when that was") {
    manual_clock clock;
    recoup::rate_limiter first{recoup::token_bucket(1, 10s).waiting(1min)};
    recoup::rate_limiter second{recoup::sliding_window(1, 9s)};
    auto const wrapped = with_recovery(five, deadline{1h}, first, second, recoup::on(clock));
    CHECK(wrapped().has_value());
    CHECK(wrapped().has_value());  // 10 s later, when the second has room again: it had none before
    CHECK(clock.elapsed() == 10s);
}

TEST_CASE("The guards of a later attempt go by the time of that attempt") {
    manual_clock clock;
    recoup::rate_limiter window{recoup::sliding_window(1, 10s)};
    fault_plan faults{"fail,ok"};
    auto const wrapped = with_recovery(faults.wrap(five), retry{.backoff = recoup::constant(11s)},
                                       deadline{1h}, window, recoup::on(clock));
    CHECK(wrapped().has_value());
    CHECK(clock.waits() == delays{11s});  // and none for a rejection
}

TEST_CASE("A stop that was requested before the call makes no attempt") {
    manual_clock clock;
    event_recorder seen;
    fault_plan faults{"ok"};
    std::stop_source stop;
    stop.request_stop();
    auto const failed = with_recovery(faults.wrap(five), recoup::stop_on(stop.get_token()),
                                      recoup::on(clock), std::ref(seen))();
    CHECK(failed.error().stopped() == stop_reason::cancelled);
    CHECK(failed.error().code() == recoup::errc::cancelled);
    CHECK(failed.error().category() == category::cancelled);
    CHECK(faults.calls() == 0);
    CHECK(seen.trace() == trace{"operation_started", "operation_failed cancelled cancelled"});
}

TEST_CASE("A stop during an attempt ends the operation with what that attempt failed with") {
    manual_clock clock;
    event_recorder seen;
    std::stop_source stop;
    auto const wrapped = with_recovery(
        [&](attempt& current) -> result<int> {
            CHECK_FALSE(current.stop_token().stop_requested());
            stop.request_stop();
            CHECK(current.stop_token().stop_requested());
            return reset;
        },
        patient, recoup::stop_on(stop.get_token()), recoup::on(clock), std::ref(seen));
    auto const failed = wrapped();
    CHECK(failed.error().stopped() == stop_reason::cancelled);
    CHECK(failed.error().code() == reset);
    CHECK(failed.error().attempts() == 1);
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1",
                                "attempt_failed 1 network_connection",
                                "operation_failed 1 network_connection cancelled"});
}

TEST_CASE("A value that an attempt gives after a stop request is a value") {
    std::stop_source stop;
    auto const wrapped = with_recovery(
        [&] {
            stop.request_stop();
            return 5;
        },
        stop.get_token());
    CHECK(wrapped().value() == 5);
}

TEST_CASE("A stop during the wait ends it and the operation") {
    std::stop_source stop;
    manual_clock clock{{.on_wait = [&](duration) { stop.request_stop(); }}};
    event_recorder seen;
    fault_plan faults{"fail*"};
    auto const failed = with_recovery(faults.wrap(five), patient, stop.get_token(),
                                      recoup::on(clock), std::ref(seen))();
    CHECK(failed.error().stopped() == stop_reason::cancelled);
    CHECK(failed.error().category() == category::network_connection);
    CHECK(failed.error().attempts() == 1);
    CHECK(clock.elapsed() == 0s);
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1",
                                "attempt_failed 1 network_connection",
                                "retry_scheduled 1 network_connection 3s",
                                "operation_failed 1 network_connection cancelled"});
}

TEST_CASE("A stop ends retries that do not wait, too") {
    std::stop_source stop;
    auto calls = 0;
    auto const without_wait = retry{.max_attempts = 100, .backoff = recoup::constant(0ms)};
    auto const when_due = recoup::on_retry([&](recoup::event const& what) {
        if (what.attempt == 7) stop.request_stop();
    });
    auto const failed = with_recovery(
        [&]() -> result<int> {
            ++calls;
            return reset;
        },
        without_wait, when_due, stop.get_token())();
    CHECK(calls == 7);
    CHECK(failed.error().stopped() == stop_reason::cancelled);
}

TEST_CASE("field pain 8: another thread's stop request wakes a call out of a wait of hours",
          "[concurrent][field]") {
    std::stop_source stop;
    std::atomic<bool> waits = false;
    auto const hours = retry{.max_attempts = 2, .backoff = recoup::constant(100h)};
    auto const tell = recoup::on_retry([&](recoup::event const&) { waits = true; });
    auto const wrapped =
        with_recovery([]() -> result<int> { return reset; }, hours, tell, stop.get_token());
    auto reason = stop_reason::none;
    std::thread caller{[&] { reason = wrapped().error().stopped(); }};
    while (!waits) std::this_thread::yield();
    stop.request_stop();
    caller.join();
    CHECK(reason == stop_reason::cancelled);
}
