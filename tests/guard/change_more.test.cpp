// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/concurrency_limit.hpp>
#include <recoup/retry/retry_budget.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"

// Limits and budgets that go on with other options, and a bulkhead that does so under load.

namespace change_more_test {

using namespace std::chrono_literals;
using recoup::bulkhead;
using recoup::category;
using recoup::concurrency_limit;
using recoup::concurrency_limit_options;
using recoup::retry_budget;
using recoup::steady_time;
using recoup::testing::manual_clock;
using algorithm = concurrency_limit_options::algorithm;

int withdrawn(retry_budget& budget, manual_clock& clock) {
    auto retries = 0;
    while (retries < 1'000 && budget.try_withdraw(clock)) ++retries;
    return retries;
}

/// One attempt that takes so long.
void attempt_of(concurrency_limit& limit, manual_clock& clock, recoup::duration took,
                category failed_of = category::unknown) {
    auto permit = limit.try_acquire(clock);
    REQUIRE(permit);
    clock.advance(took);
    if (failed_of == category::unknown)
        permit.succeeded(clock);
    else
        permit.failed(failed_of, true, clock);
}

TEST_CASE("a budget that is changed keeps what is saved up, within its new bound") {
    manual_clock clock;
    retry_budget budget{{.ratio = 1, .per_second = 0, .reserve = 10, .at_most = 20}};
    budget.change({.ratio = 0.5, .per_second = 0, .reserve = 0, .at_most = 4}, clock);
    CHECK(budget.options() ==
          recoup::retry_budget_options{.ratio = 0.5, .per_second = 0, .reserve = 0, .at_most = 4});
    // What was above the bound does not come back with a higher one.
    budget.change({.ratio = 0.5, .per_second = 0, .reserve = 0, .at_most = 20}, clock);
    CHECK(budget.balance() == 4);
    CHECK(withdrawn(budget, clock) == 4);
    for (auto i = 0; i != 6; ++i) budget.deposit();
    CHECK(withdrawn(budget, clock) == 3);
}

TEST_CASE("the free retries of a budget that is changed are of the rate that held then") {
    manual_clock clock;
    retry_budget budget{{.ratio = 0, .per_second = 1, .reserve = 0, .at_most = 1'000}};
    CHECK(withdrawn(budget, clock) == 0);
    clock.advance(10s);
    budget.change({.ratio = 0, .per_second = 5, .reserve = 0, .at_most = 1'000}, clock);
    CHECK(withdrawn(budget, clock) == 10);
    clock.advance(10s);
    CHECK(withdrawn(budget, clock) == 50);
    budget.change({.ratio = 0, .per_second = 0, .reserve = 0, .at_most = 1'000}, clock);
    clock.advance(1h);
    budget.change({.ratio = 0, .per_second = 1, .reserve = 0, .at_most = 1'000}, clock);
    CHECK(withdrawn(budget, clock) == 0);  // while there was no rate nothing came free
    clock.advance(3s);
    CHECK(withdrawn(budget, clock) == 3);
}

TEST_CASE("a concurrency limit that is changed goes on from where it is, within its new bounds") {
    manual_clock clock;
    auto options = concurrency_limit_options{.found_by = algorithm::aimd, .initial = 10};
    concurrency_limit limit{options};
    options.least = 15;
    options.initial = 100;
    limit.change(options);
    CHECK(limit.options() == options);
    CHECK(limit.limit() == 15);
    options.least = 1;
    options.initial = options.most = 8;
    limit.change(options);
    CHECK(limit.limit() == 8);

    // By what an attempt fails of, and by how much that lowers it.
    attempt_of(limit, clock, 1ms, category::permission);
    CHECK(limit.limit() == 8);
    options.overloaded = {category::permission};
    options.decrease = 0.5;
    limit.change(options);
    attempt_of(limit, clock, 1ms, category::permission);
    CHECK(limit.limit() == 4);
    attempt_of(limit, clock, 1ms, category::service_unavailable);
    CHECK(limit.limit() == 4);
    options.slow_after = 2ms;
    limit.change(options);
    attempt_of(limit, clock, 3ms);
    CHECK(limit.limit() == 2);
}

TEST_CASE("those who run stay where a concurrency limit shrinks, and nobody follows") {
    manual_clock clock;
    concurrency_limit limit{{.initial = 4}};
    auto running = std::vector<concurrency_limit::permit>{};
    for (auto i = 0; i != 4; ++i) running.push_back(limit.try_acquire(clock));
    limit.change({.initial = 2, .most = 2});
    CHECK(limit.running() == 4);
    running.pop_back();
    running.pop_back();
    CHECK_FALSE(limit.try_acquire(clock));
    running.pop_back();
    CHECK(limit.try_acquire(clock));
}

TEST_CASE("a concurrency limit measures anew after another time, and with another algorithm") {
    manual_clock clock;
    auto options = concurrency_limit_options{.initial = 20, .remeasure_every = 1h};
    concurrency_limit limit{options};
    for (auto i = 0; i != 20; ++i) attempt_of(limit, clock, 1ms);
    CHECK(limit.limit() == 20);
    options.remeasure_every = 1s;
    limit.change(options);
    clock.advance(2s);
    // A window that ends behind that moment has it measure, with few under way.
    for (auto i = 0; i != 10; ++i) attempt_of(limit, clock, 20ms);
    CHECK(limit.limit() == 3);
    options.found_by = algorithm::aimd;
    limit.change(options);
    CHECK(limit.limit() >= 10);
}

TEST_CASE("what a limit or a budget cannot be changed to it refuses, and stays as it is") {
    retry_budget budget;
    concurrency_limit limit;
    CHECK_THROWS_WITH(budget.change({.ratio = -1}),
                      "recoup: retry_budget: ratio is -1.000000, expected 0 to 100");
    CHECK_THROWS_WITH(limit.change({.least = 0}),
                      "recoup: concurrency_limit: least is 0, expected 1 or more");
    CHECK(budget.options() == recoup::retry_budget_options{});
    CHECK(limit.options() == concurrency_limit_options{});
}

TEST_CASE("limits and budgets that are changed under load keep their bounds", "[concurrent]") {
    recoup::real_clock clock;
    concurrency_limit limit{{.found_by = algorithm::aimd, .initial = 3, .most = 6}};
    retry_budget budget{{.ratio = 1, .per_second = 0, .reserve = 0, .at_most = 50}};
    std::atomic<bool> over{false};
    std::atomic<std::uint32_t> inside{0};
    std::atomic<int> too_many{0};
    std::atomic<int> paid{0};
    auto constexpr calls = 3'000;
    {
        std::jthread const changer{[&] {
            for (std::uint32_t i = 0; !over; ++i) {
                limit.change({.found_by = i % 3 == 0 ? algorithm::gradient : algorithm::aimd,
                              .initial = 1,
                              .most = 1 + i % 6,
                              .decrease = 0.5 + i % 5 / 10.0});
                budget.change({.ratio = 1, .per_second = 0, .at_most = 20 + i % 31}, clock);
            }
        }};
        {
            std::vector<std::jthread> callers;
            for (auto i = 0; i != 3; ++i)
                callers.emplace_back([&, i] {
                    for (auto n = 0; n != calls; ++n) {
                        budget.deposit();
                        if (auto permit = limit.try_acquire(clock)) {
                            if (++inside > 6) ++too_many;
                            if ((n + i) % 5 == 0)
                                permit.failed(category::service_unavailable, true, clock);
                            else
                                permit.succeeded(clock);
                            --inside;
                        }
                        if (budget.try_withdraw(clock)) ++paid;
                    }
                });
        }
        over = true;
    }
    CHECK(too_many == 0);
    CHECK(limit.running() == 0);
    CHECK(limit.limit() >= 1);
    CHECK(limit.limit() <= limit.options().most);
    CHECK(paid <= 3 * calls);
    CHECK(budget.balance() <= budget.options().at_most);
}

/// The limit that is in force, and how often it was another one.
struct in_force {
    std::uint32_t limit;
    std::uint32_t number;
    friend bool operator==(in_force, in_force) = default;
};

TEST_CASE("a bulkhead that is changed under load leaks no permit, is never too full, and wakes all",
          "[concurrent]") {
    constexpr std::uint32_t largest = 6;
    constexpr auto callers_count = 8;
    constexpr auto calls = 1'500;
    constexpr auto changes_least = 300;
    bulkhead room{{.at_once = largest, .waiting = 4, .wait_at_most = recoup::unlimited}};
    recoup::real_clock clock;
    std::atomic<in_force> bound{in_force{largest, 0}};
    std::atomic<bool> over{false};
    std::atomic<std::uint32_t> inside{0};
    std::atomic<int> too_many{0};
    std::atomic<int> made{0};
    std::atomic<int> passed{0};
    std::atomic<int> rejected{0};
    std::atomic<int> changes{0};
    {
        std::jthread const changer{[&] {
            for (std::uint32_t i = 1; !over; ++i) {
                auto const next = 1 + (i * 7) % largest;
                auto const now = bound.load();
                // A larger one counts from before the change, a smaller one from when those above it have left.
                if (next > now.limit) bound = {next, i};
                room.change({.at_once = next, .waiting = i % 5, .wait_at_most = recoup::unlimited});
                if (next <= now.limit) {
                    while (!over && room.snapshot().running > next) std::this_thread::yield();
                    if (!over) bound = {next, i};
                }
                ++changes;
                std::this_thread::yield();
            }
        }};
        {
            std::vector<std::jthread> callers;
            for (auto i = 0; i != callers_count; ++i)
                callers.emplace_back([&] {
                    for (auto n = 0; n < calls || changes < changes_least; ++n) {
                        ++made;
                        auto const before = bound.load();
                        // Whoever is not woken waits for ever.
                        auto const place = recoup::acquire(room, clock, steady_time::max(), {});
                        if (!place) {
                            ++rejected;
                            continue;
                        }
                        auto const now = ++inside;
                        auto const most = bound.load() == before ? before.limit : largest;
                        if (now > most || room.snapshot().running > largest) ++too_many;
                        ++passed;
                        if (n % 3 == 0) std::this_thread::yield();
                        --inside;
                    }
                });
        }
        over = true;
    }
    CHECK(too_many == 0);
    CHECK(passed + rejected == made);
    CHECK(passed > 0);
    CHECK(room.snapshot().running == 0);
    CHECK(room.snapshot().waiting == 0);
    // Every place can be had again.
    room.change({.at_once = largest});
    auto all = std::vector<bulkhead::permit>{};
    for (std::uint32_t i = 0; i != largest; ++i) all.push_back(room.try_acquire(clock));
    CHECK(std::all_of(all.begin(), all.end(), [](auto const& one) { return bool{one}; }));
    CHECK_FALSE(room.try_acquire(clock));
}

}  // namespace change_more_test
