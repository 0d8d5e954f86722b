// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/attempt_timeout.hpp>

#include <recoup/core/attempt.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "with_recovery/with_recovery_support.hpp"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

// The limit of each attempt of a plain call, which sees it in `attempt&`.

namespace {

using namespace std::chrono_literals;
using namespace with_recovery_test;
using recoup::attempt;
using recoup::attempt_timeout;
using recoup::result;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::manual_clock;

/// Blocks until a stop is requested: what a callable that cooperates does.
void await_stop(std::stop_token const& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock{mutex};
    wake.wait(lock, stop, [] { return false; });
}

}  // namespace

TEST_CASE("field pain 10: an attempt sees the lesser of its own time and the deadline, each anew",
          "[field]") {
    manual_clock clock;
    auto left = std::vector<recoup::duration>{};
    auto const wrapped = with_recovery(
        [&](attempt& current) -> result<int> {
            left.push_back(current.remaining());
            clock.advance(3s);
            left.push_back(current.remaining());
            return reset;
        },
        recoup::retry{.max_attempts = 3, .backoff = recoup::constant(1s)}, attempt_timeout{5s},
        recoup::deadline{10s}, recoup::on(clock));
    CHECK_FALSE(wrapped());
    CHECK(left == std::vector<recoup::duration>{5s, 2s, 5s, 2s, 2s, 0s});
}

TEST_CASE(
    "field pain 9: an attempt whose time has passed is told to stop, has timed out, and is tried "
    "again",
    "[field]") {
    manual_clock clock;
    recoup::testing::event_recorder seen;
    auto const wrapped = with_recovery(
        [&](attempt& current) -> result<int> {
            auto const stop = current.stop_token();
            CHECK_FALSE(stop.stop_requested());
            if (current.number() == 2) return 5;
            clock.advance(5s - 1ns);
            CHECK_FALSE(stop.stop_requested());
            clock.advance(1ns);
            CHECK(stop.stop_requested());
            return std::make_error_code(std::errc::operation_canceled);
        },
        at_once, attempt_timeout{5s}, recoup::on(clock), std::ref(seen));
    CHECK(wrapped().value() == 5);
    CHECK(seen.trace() == std::vector<std::string>{"operation_started", "attempt_started 1",
                                                   "attempt_failed 1 network_timeout",
                                                   "retry_scheduled 1 network_timeout 0s",
                                                   "attempt_started 2", "operation_succeeded 2"});
    CHECK(seen.events()[2].failure->code() == recoup::errc::attempt_timed_out);
    CHECK_THAT(
        seen.events()[2].failure->message(),
        Catch::Matchers::StartsWith("the attempt took longer than it may, and ended with: "));
    CHECK(clock.alarms() == 0);
}

TEST_CASE("A failure that comes late is a timeout, whatever it is; one in time is itself") {
    manual_clock clock;
    auto took = 5s;
    auto const wrapped = with_recovery(
        [&](attempt&) -> int {
            clock.advance(took);
            throw std::invalid_argument{"no such thing"};
        },
        at_once, attempt_timeout{5s}, recoup::on(clock));
    auto const late = wrapped();
    CHECK(late.error().category() == recoup::category::network_timeout);
    CHECK(late.error().attempts() == 3);
    CHECK_THAT(late.error().message(), Catch::Matchers::EndsWith("ended with: no such thing"));
    took = 4s;
    auto const in_time = wrapped();
    CHECK(in_time.error().category() == recoup::category::invalid_input);
    CHECK(in_time.error().attempts() == 1);
}

TEST_CASE("A value that comes late is a value") {
    manual_clock clock;
    auto const wrapped = with_recovery(
        [&](attempt& current) {
            clock.advance(1min);
            return current.stop_token().stop_requested();
        },
        attempt_timeout{5s}, recoup::on(clock));
    CHECK(wrapped().value());  // and whoever looks only now is told at once
}

TEST_CASE("Without a limit an attempt has the deadline's time and the caller's token alone") {
    manual_clock clock;
    std::stop_source source;
    auto const wrapped = with_recovery(
        [&](attempt& current) {
            CHECK(current.stop_token() == source.get_token());
            return current.remaining();
        },
        attempt_timeout{}, recoup::deadline{7s}, recoup::on(clock), source.get_token());
    CHECK(wrapped().value() == 7s);
    CHECK(clock.alarms() == 0);
}

TEST_CASE("The caller's stop reaches an attempt that watches its own time, and cancels") {
    manual_clock clock;
    std::stop_source source;
    auto told = false;
    auto const wrapped = with_recovery(
        [&](attempt& current) -> result<int> {
            auto const stop = current.stop_token();
            source.request_stop();
            told = stop.stop_requested();
            clock.advance(1min);
            return std::make_error_code(std::errc::operation_canceled);
        },
        at_once, attempt_timeout{5s}, recoup::on(clock), source.get_token());
    auto const ended = wrapped();
    CHECK(told);
    CHECK(ended.error().stopped() == stop_reason::cancelled);
    CHECK(ended.error().code() == std::errc::operation_canceled);  // no timeout hides it
    CHECK(ended.error().attempts() == 1);
}

TEST_CASE(
    "No alarm is made unless the token is asked for, one for each attempt, and none is left") {
    manual_clock clock;
    auto alarms = std::vector<std::size_t>{};
    auto asks = false;
    auto const wrapped = with_recovery(
        [&](attempt& current) -> result<int> {
            for (auto i = 0; i != 2; ++i) {
                if (asks) static_cast<void>(current.stop_token());
                alarms.push_back(clock.alarms());
            }
            return reset;
        },
        recoup::retry{.max_attempts = 2, .backoff = recoup::constant(0ms)}, attempt_timeout{5s},
        recoup::on(clock));
    CHECK_FALSE(wrapped());
    CHECK(alarms == std::vector<std::size_t>{0, 0, 0, 0});
    asks = true;
    alarms.clear();
    CHECK_FALSE(wrapped());
    CHECK(alarms == std::vector<std::size_t>{1, 1, 1, 1});
    CHECK(clock.alarms() == 0);
}

TEST_CASE("An attempt with a limit that does not ask for its token allocates nothing") {
    auto const wrapped = with_recovery(
        [](attempt& current) { return current.remaining() > 0s ? 1 : 0; }, attempt_timeout{5s});
    auto const before = support::allocations();
    auto const got = wrapped();
    CHECK(support::allocations() == before);
    CHECK(got.value() == 1);
}

TEST_CASE("The machine's clock stops an attempt that only waits for its token", "[concurrent]") {
    auto const wrapped = with_recovery(
        [](attempt& current) -> result<std::uint32_t> {
            if (current.number() == 3) return current.number();
            await_stop(current.stop_token());
            return std::make_error_code(std::errc::operation_canceled);
        },
        recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ms)}, attempt_timeout{1ms});
    CHECK(wrapped().value() == 3);
}

TEST_CASE("Attempts of many threads end at their own times, early or late", "[concurrent]") {
    std::atomic<int> stopped = 0;
    std::atomic<int> in_time = 0;
    auto const wrapped = with_recovery(
        [&](attempt& current, bool ends) -> result<int> {
            auto const stop = current.stop_token();
            if (ends) {
                ++in_time;
                return 1;
            }
            await_stop(stop);
            ++stopped;
            return reset;
        },
        recoup::retry{.max_attempts = 1}, attempt_timeout{500us});
    {
        std::vector<std::jthread> threads;
        for (auto i = 0; i != 8; ++i)
            threads.emplace_back([&, i] {
                for (auto call = 0; call != 100; ++call) {
                    auto const got = wrapped(call % 4 != i % 4);
                    if (!got && got.error().code() != recoup::errc::attempt_timed_out)
                        stopped = -1'000'000;
                }
            });
    }
    CHECK(stopped == 200);
    CHECK(in_time == 600);
    CHECK(recoup::detail::alarm_thread::instance().size() == 0);
}

TEST_CASE("A child of a fork has alarms of its own") {
    auto const wrapped = with_recovery(
        [](attempt& current) -> result<int> {
            await_stop(current.stop_token());
            return reset;
        },
        recoup::retry{.max_attempts = 1}, attempt_timeout{1ms});
    CHECK(wrapped().error().code() == recoup::errc::attempt_timed_out);  // its thread runs now
    auto const child = ::fork();
    if (child == 0) ::_exit(wrapped().error().code() == recoup::errc::attempt_timed_out ? 7 : 1);
    auto status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
}
