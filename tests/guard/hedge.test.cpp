// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/hedge.hpp>

#include <recoup/retry/retry_budget.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

// What a hedge decides; what is done with it is shown in tests/async/hedge.test.cpp.

namespace {

using namespace std::chrono_literals;
using recoup::hedge;
using recoup::hedge_options;

std::string hedge_refusal(hedge_options const& options) {
    try {
        hedge const made{options};
    } catch (std::invalid_argument const& refused) {
        return refused.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("a hedge names the option that is wrong", "[hedge]") {
    CHECK(hedge_refusal({}) == "accepted");
    CHECK(hedge_refusal({.delay = -1ns}) == "recoup: hedge: delay is -1 ns, expected 0 or more");
    CHECK(hedge_refusal({.percentile = 1}) ==
          "recoup: hedge: percentile is 1.000000, expected 0, or 0.5 up to below 1");
    CHECK(hedge_refusal({.percentile = std::numeric_limits<double>::quiet_NaN()}) ==
          "recoup: hedge: percentile is nan, expected 0, or 0.5 up to below 1");
    CHECK(hedge_refusal({.samples = 19}) == "recoup: hedge: samples is 19, expected 20 to 4096");
    CHECK(hedge_refusal({.most = 0}) == "recoup: hedge: most is 0, expected 1 to 10");
    CHECK(hedge_refusal({.ratio = 1.5}) == "recoup: hedge: ratio is 1.500000, expected 0 to 1");
    CHECK(hedge_refusal({.reserve = 3, .at_most = 2}) ==
          "recoup: hedge: reserve is 3, expected 0 to at_most (2)");
}

TEST_CASE("a fixed delay is not moved by what attempts take", "[hedge]") {
    hedge hedges{{.delay = 30ms}};
    for (auto i = 0; i < 100; ++i) hedges.note_success(1s);
    CHECK(hedges.delay() == 30ms);
}

TEST_CASE("a percentile forgets what is older than its window", "[hedge]") {
    hedge hedges{{.delay = 1s, .percentile = 0.95, .samples = 100}};
    for (auto i = 1; i <= 100; ++i) hedges.note_success(i * 1ms);
    // It is found anew with every sixth, for the last time at the 96th: of those the 92nd.
    CHECK(hedges.delay() == 92ms);
    for (auto i = 0; i < 106; ++i) hedges.note_success(500ms);
    CHECK(hedges.delay() == 500ms);
    for (auto i = 0; i < 106; ++i) hedges.note_success(2ms);
    CHECK(hedges.delay() == 2ms);
}

TEST_CASE("calls pay for hedges, which are saved up to a bound", "[hedge]") {
    recoup::testing::manual_clock clock;
    hedge hedges{{.ratio = 0.25, .reserve = 0, .at_most = 2}};
    CHECK_FALSE(hedges.try_withdraw(clock));
    for (auto i = 0; i < 3; ++i) hedges.deposit();
    CHECK_FALSE(hedges.try_withdraw(clock));
    hedges.deposit();
    CHECK(hedges.try_withdraw(clock));
    CHECK_FALSE(hedges.try_withdraw(clock));
    for (auto i = 0; i < 1'000; ++i) hedges.deposit();
    clock.advance(24h);  // time alone pays for none
    CHECK(hedges.try_withdraw(clock));
    CHECK(hedges.try_withdraw(clock));
    CHECK_FALSE(hedges.try_withdraw(clock));
}

TEST_CASE("a shared budget is paid into by those who name it, and by nobody else", "[hedge]") {
    recoup::testing::manual_clock clock;
    recoup::retry_budget budget{{.ratio = 0.5, .per_second = 0, .reserve = 0, .at_most = 5}};
    hedge hedges{{.ratio = 1, .reserve = 5}, budget};
    for (auto i = 0; i < 10; ++i) hedges.deposit();
    CHECK_FALSE(hedges.try_withdraw(clock));
    budget.deposit();
    budget.deposit();
    CHECK(hedges.try_withdraw(clock));
}

TEST_CASE("a hedge that is changed goes on with the new delay, and with what is saved up",
          "[hedge]") {
    recoup::testing::manual_clock clock;
    hedge hedges{{.delay = 30ms, .ratio = 0.5, .reserve = 2, .at_most = 4}};
    auto const other =
        hedge_options{.delay = 80ms, .most = 3, .ratio = 1, .reserve = 0, .at_most = 1};
    hedges.change(other);
    CHECK(hedges.options() == other);
    CHECK(hedges.delay() == 80ms);
    CHECK(hedges.most() == 3);
    CHECK(hedges.try_withdraw(clock));
    CHECK_FALSE(hedges.try_withdraw(clock));  // the other of the reserve was above the new bound
    hedges.deposit();
    CHECK(hedges.try_withdraw(clock));
}

TEST_CASE("a hedge that is changed keeps the latencies that it knows", "[hedge]") {
    hedge hedges{{.delay = 1s}};
    hedges.note_success(5ms);  // nobody asks for it
    hedges.change({.delay = 1s, .percentile = 0.5, .samples = 100});
    for (auto i = 1; i <= 100; ++i) hedges.note_success(i * 1ms);
    CHECK(hedges.delay() == 48ms);
    hedges.change({.delay = 1s, .percentile = 0.9, .samples = 100});
    CHECK(hedges.delay() == 90ms);
    hedges.change({.delay = 1s, .percentile = 0.9, .delay_min = 95ms, .samples = 100});
    CHECK(hedges.delay() == 95ms);
    hedges.change({.delay = 7ms, .samples = 100});
    CHECK(hedges.delay() == 7ms);
    hedges.change({.percentile = 0.5, .samples = 100});
    CHECK(hedges.delay() == 50ms);
}

TEST_CASE("a hedge refuses what it cannot be changed to, and stays as it was", "[hedge]") {
    auto const made = hedge_options{.delay = 1s, .percentile = 0.5, .samples = 100};
    hedge hedges{made};
    auto const refusal = [&](hedge_options const& to) {
        try {
            hedges.change(to);
        } catch (std::invalid_argument const& refused) {
            CHECK_THROWS_AS(hedges.check_change(to), std::invalid_argument);
            return std::string{refused.what()};
        }
        return std::string{"accepted"};
    };
    CHECK(refusal({.percentile = 0.5, .samples = 200}) ==
          "recoup: hedge: samples is 200, expected 100: it cannot change");
    CHECK(refusal({.most = 0}) == "recoup: hedge: most is 0, expected 1 to 10");
    CHECK(hedges.options() == made);
    CHECK_NOTHROW(hedges.check_change({.samples = 100}));
    CHECK(hedges.options() == made);
}

TEST_CASE("a hedge is changed while calls look at it, and they see one of its delays",
          "[hedge][concurrent]") {
    hedge hedges{{.delay = 30ms}};
    std::atomic<bool> over{false};
    auto threads = std::vector<std::jthread>{};
    for (auto t = 0; t != 2; ++t)
        threads.emplace_back([&] {
            while (!over.load(std::memory_order_relaxed)) {
                hedges.note_success(50ms);
                auto const delay = hedges.delay();
                if (delay != 30ms && delay != 40ms && delay != 50ms) std::terminate();
                if (auto const most = hedges.most(); most != 1 && most != 2) std::terminate();
            }
        });
    for (auto i = 0; i != 2'000; ++i) {
        hedges.change({.delay = 40ms, .percentile = 0.5, .most = 2});
        hedges.change({.delay = 30ms});
    }
    over = true;
    threads.clear();
    CHECK(hedges.delay() == 30ms);
    CHECK(hedges.options() == hedge_options{.delay = 30ms});
}

TEST_CASE("many threads note what they see, and the percentile is one that was seen",
          "[hedge][concurrent]") {
    hedge hedges{{.delay = 1h, .percentile = 0.5, .delay_min = 0ns, .samples = 64}};
    auto threads = std::vector<std::jthread>{};
    for (auto t = 1; t <= 4; ++t)
        threads.emplace_back([&hedges, t] {
            for (auto i = 0; i < 20'000; ++i) {
                hedges.note_success(t * 1ms);
                auto const delay = hedges.delay();
                if (delay != 1h && (delay < 1ms || delay > 4ms)) std::terminate();
            }
        });
    threads.clear();
    CHECK(hedges.delay() >= 1ms);
    CHECK(hedges.delay() <= 4ms);
}
