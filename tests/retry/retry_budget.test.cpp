// SPDX-License-Identifier: BSL-1.0
#include <recoup/retry/retry_budget.hpp>

#include <recoup/retry/retry.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;
using recoup::retry_budget;
using recoup::retry_budget_options;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::manual_clock;

auto const at_once = recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ms)};

/// A dependency that is wholly down, and counts who calls it.
struct dead_dependency {
    std::atomic<int>& calls;
    recoup::result<int> operator()() const {
        ++calls;
        return recoup::failure{recoup::category::network_connection};
    }
};

std::string refusal_of(retry_budget_options const& options) {
    try {
        retry_budget const made{options};
        return "none";
    } catch (std::invalid_argument const& refused) {
        return refused.what();
    }
}

}  // namespace

TEST_CASE("a retry that is not paid for is not made, and the failure stays whole",
          "[retry_budget]") {
    manual_clock clock;
    std::atomic<int> calls = 0;
    retry_budget budget{{.ratio = 0, .per_second = 0, .reserve = 1, .at_most = 1}};
    auto const call = with_recovery(dead_dependency{calls}, at_once, budget, recoup::on(clock));
    auto const first = call();
    REQUIRE_FALSE(first);
    CHECK(calls == 2);
    CHECK(first.error().stopped() == stop_reason::budget_empty);
    CHECK(first.error().category() == recoup::category::network_connection);
    CHECK(first.error().attempts() == 2);
    CHECK(call().error().attempts() == 1);
    CHECK(calls == 3);
}

TEST_CASE(
    "field pain 6: a dependency that is down sees 1.1 times the normal calls, in three layers too",
    "[retry_budget][field]") {
    manual_clock clock;
    std::atomic<int> calls = 0;
    retry_budget budget{{.ratio = 0.1, .per_second = 0, .reserve = 0}};
    auto const inner = with_recovery(dead_dependency{calls}, at_once, budget, recoup::on(clock));
    auto const middle = with_recovery([&] { return inner(); }, at_once, recoup::on(clock));
    auto const outer = with_recovery([&] { return middle().value(); }, at_once, recoup::on(clock));
    SECTION("one layer") {
        for (auto i = 0; i < 10'000; ++i) CHECK_FALSE(inner());
        CHECK(calls == 11'000);
    }
    SECTION("three layers") {
        for (auto i = 0; i < 10'000; ++i) CHECK_FALSE(outer());
        CHECK(calls == 11'000);
    }
}

TEST_CASE("field pain 7: a budget is its model, whatever the calls",
          "[retry_budget][property][field]") {
    auto const holds = rc::check("retry budget", [] {
        retry_budget_options options;
        options.ratio = *rc::gen::inRange(0, 300) / 128.0;  // exact in binary
        options.per_second = *rc::gen::inRange<std::uint32_t>(0, 20);
        options.at_most = *rc::gen::inRange<std::uint32_t>(0, 50);
        options.reserve = *rc::gen::inRange<std::uint32_t>(0, options.at_most + 1);
        retry_budget budget{options};
        manual_clock clock;
        auto balance = static_cast<long double>(options.reserve);
        auto const most = static_cast<long double>(options.at_most);
        auto seen = clock.now();
        auto asked = false;
        auto const actions = *rc::gen::container<std::vector<std::pair<int, int>>>(
            rc::gen::pair(rc::gen::inRange(0, 3), rc::gen::inRange(0, 2'000)));
        for (auto const& [what, amount] : actions) {
            if (what == 0) {
                if (balance < most) balance += options.ratio;
                budget.deposit();
            } else if (what == 1) {
                clock.advance(std::chrono::milliseconds{amount});
            } else {
                if (asked && balance < most)
                    balance = std::min(
                        most,
                        balance + std::chrono::duration<long double>(clock.now() - seen).count() *
                                      options.per_second);
                asked = true;
                seen = clock.now();
                auto const pays = balance >= 1 - 1e-9L;
                if (pays) balance = std::min(balance, most) - 1;
                // Where the model itself cannot tell, either answer is right.
                if (std::abs(balance + (pays ? 1 : 0) - 1) < 1e-8L) return;
                RC_ASSERT(budget.try_withdraw(clock) == pays);
            }
        }
    });
    CHECK(holds);
}

TEST_CASE("what comes free comes with time, up to what is saved", "[retry_budget]") {
    manual_clock clock;
    retry_budget budget{{.ratio = 0, .per_second = 2, .reserve = 0, .at_most = 3}};
    CHECK_FALSE(budget.try_withdraw(clock));
    clock.advance(499ms);
    CHECK_FALSE(budget.try_withdraw(clock));
    clock.advance(1ms);
    CHECK(budget.try_withdraw(clock));
    CHECK_FALSE(budget.try_withdraw(clock));
    clock.advance(24h);
    for (auto i = 0; i < 3; ++i) CHECK(budget.try_withdraw(clock));
    CHECK_FALSE(budget.try_withdraw(clock));
}

TEST_CASE("many threads take out no more than was paid in", "[retry_budget][concurrent]") {
    manual_clock clock;
    retry_budget budget{{.ratio = 0.25, .per_second = 0, .reserve = 10, .at_most = 1'000'000}};
    std::atomic<int> taken = 0;
    {
        std::vector<std::jthread> threads;
        for (auto t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                for (auto i = 0; i < 10'000; ++i) {
                    budget.deposit();
                    if (budget.try_withdraw(clock)) ++taken;
                }
            });
    }
    while (budget.try_withdraw(clock)) ++taken;
    CHECK(taken == 10 + 10'000);
}

TEST_CASE("a budget that cannot be is refused with what is wrong", "[retry_budget]") {
    CHECK(refusal_of({.ratio = -0.1}) ==
          "recoup: retry_budget: ratio is -0.100000, expected 0 to 100");
    CHECK(refusal_of({.ratio = std::nan("")}) ==
          "recoup: retry_budget: ratio is nan, expected 0 to 100");
    CHECK(refusal_of({.reserve = 200}) ==
          "recoup: retry_budget: reserve is 200, expected 0 to at_most (100)");
    CHECK(refusal_of({.per_second = 2'000'000}) ==
          "recoup: retry_budget: per_second is 2000000, expected 0 to 1000000");
    CHECK(refusal_of({}) == "none");
}
