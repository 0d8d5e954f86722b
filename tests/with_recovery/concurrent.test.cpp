// SPDX-License-Identifier: BSL-1.0
#include <recoup/with_recovery.hpp>

#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/fault_plan.hpp>
#include <recoup/testing/manual_clock.hpp>

#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

// One wrapper, many threads.

namespace {

using namespace std::chrono_literals;
using recoup::event_kind;
using recoup::result;
using recoup::retry;
using recoup::with_recovery;
using recoup::testing::event_recorder;
using recoup::testing::fault_plan;
using recoup::testing::manual_clock;

constexpr int threads = 4;
constexpr int calls = 1'000;

void from_threads(std::function<void(int)> const& body) {
    std::vector<std::jthread> running;
    for (int i = 0; i != threads; ++i) running.emplace_back([&, i] { body(i); });
}

}  // namespace

TEST_CASE("Calls of one wrapper from many threads do not disturb one another", "[concurrent]") {
    manual_clock clock;
    event_recorder seen;
    recoup::circuit_breaker breaker;
    auto const faults = fault_plan::random({.rate = 0.3, .seed = 3});
    auto wrong = std::atomic<int>{0};
    auto failed = std::atomic<int>{0};
    auto const echo = faults.wrap([](std::string const& text) { return text; });
    auto const wrapped =
        with_recovery(echo, retry{.max_attempts = 8}, breaker, recoup::deadline{10'000h},
                      recoup::on(clock), std::ref(seen));
    from_threads([&](int who) {
        for (int i = 0; i != calls; ++i) {
            auto const text = std::to_string(who * calls + i);
            auto const got = wrapped(text);
            if (!got.has_value())
                ++failed;
            else if (got.value() != text)
                ++wrong;
        }
    });
    CHECK(wrong == 0);
    CHECK(failed <= 4);  // 0.3^8 of 4,000 calls is 0.26
    CHECK(seen.count(event_kind::operation_started) == threads * calls);
    CHECK(seen.count(event_kind::operation_succeeded) + seen.count(event_kind::operation_failed) ==
          threads * calls);
    CHECK(seen.count(event_kind::attempt_started) == faults.calls());
    CHECK(seen.count(event_kind::attempt_failed) == faults.injected());
    CHECK(seen.count(event_kind::retry_scheduled) + static_cast<std::size_t>(failed) ==
          faults.injected());
    CHECK(clock.waits().size() <= faults.injected());
}

TEST_CASE("Attempts of concurrent calls have numbers, tokens and checkpoints of their own",
          "[concurrent]") {
    auto wrong = std::atomic<int>{0};
    auto const wrapped = with_recovery(
        [&](recoup::attempt& current, int who) -> result<int> {
            if (current.checkpoint<int>().value_or(who) != who) ++wrong;
            current.save_checkpoint(who);
            std::this_thread::yield();
            if (current.number() < 3) return std::make_error_code(std::errc::connection_reset);
            return who;
        },
        retry{.max_attempts = 3, .backoff = recoup::constant(0ms)});
    from_threads([&](int who) {
        for (int i = 0; i != 200; ++i)
            if (wrapped(who).value() != who) ++wrong;
    });
    CHECK(wrong == 0);
}
