// SPDX-License-Identifier: BSL-1.0
// Twenty users at once: as the original slept, beside the bound that its sleeps set, and without sleeps.
// The same by the number of users, from 1 to 64.
#include "sections.hpp"
#include "support/machine.hpp"
#include "support/statistics.hpp"
#include "support/work.hpp"

#include <recoup/core/result.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/with_recovery.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace bench {

namespace {

constexpr auto work_sleep = 1ms;
constexpr auto pause_sleep = 10ms;

/// Operations a second of all users together; `one(key)` is an operation.
template <class One>
double throughput(int users, std::chrono::nanoseconds span, One const& one) {
    std::atomic<bool> go{false};
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> made{0};
    std::vector<std::thread> threads;
    for (auto user = 0; user != users; ++user)
        threads.emplace_back([&, user] {
            while (!go) std::this_thread::yield();
            auto key = static_cast<std::uint64_t>(user) << 40U;
            std::uint64_t own = 0;
            for (; !stop.load(std::memory_order_relaxed); ++own) one(++key);
            made += own;
        });
    auto const begin = std::chrono::steady_clock::now();
    go = true;
    std::this_thread::sleep_for(span);
    stop = true;
    for (auto& thread : threads) thread.join();
    auto const took = std::chrono::duration<double>{std::chrono::steady_clock::now() - begin};
    return static_cast<double>(made) / took.count();
}

/// Operations a second, bare and decorated, in slices of both in turn: what else the machine does meets
/// both.
struct rates {
    spread bare{};
    spread decorated{};
};
template <class Bare, class Decorated>
rates in_turn(int users, int slices, std::chrono::nanoseconds span, Bare const& bare,
              Decorated const& decorated) {
    std::vector<double> bare_rates;
    std::vector<double> decorated_rates;
    for (auto i = 0; i != slices; ++i) {
        bare_rates.push_back(throughput(users, span / slices, bare));
        decorated_rates.push_back(throughput(users, span / slices, decorated));
    }
    return {spread_of(bare_rates), spread_of(decorated_rates)};
}

/// `work` with all that a service would name, and the memory store.
template <class Work>
auto decorated(Work work, recoup::circuit_breaker& breaker, recoup::memory_store& store) {
    return recoup::with_recovery(
        std::move(work), recoup::retry{}, breaker,
        recoup::persist(store, "load", [](std::uint64_t key) { return key; }));
}

}  // namespace

void measure_load(plan const& chosen, report& into) {
    constexpr auto users = 20;
    constexpr auto slices = 8;
    auto const span = std::chrono::nanoseconds{chosen.quick ? 2s : 10s};
    recoup::circuit_breaker breaker;
    recoup::memory_store store;
    auto& details = into.details.at("load_testing");
    details.set("concurrent_users", std::int64_t{users})
        .set("duration_seconds", std::chrono::duration<double>{span}.count());

    auto const sleeping = [](std::uint64_t key) -> recoup::result<std::uint64_t> {
        std::this_thread::sleep_for(work_sleep);
        return key;
    };
    auto const call = decorated(sleeping, breaker, store);
    auto const bare_then_pause = [&](std::uint64_t key) {
        static_cast<void>(sleeping(key));
        std::this_thread::sleep_for(pause_sleep);
    };
    auto const call_then_pause = [&](std::uint64_t key) {
        static_cast<void>(call(key));
        std::this_thread::sleep_for(pause_sleep);
    };
    auto const bound_of_one = 1 / std::chrono::duration<double>{work_sleep + pause_sleep}.count();
    auto const bound = users * bound_of_one;
    auto const slept = in_turn(users, slices, span, bare_then_pause, call_then_pause);
    details.at("with_the_sleeps_of_the_original")
        .set("bound_by_the_sleeps_ops_per_second", bound)
        .set("bare_ops_per_second", slept.bare)
        .set("decorated_ops_per_second", slept.decorated);
    char shown[96];
    std::snprintf(shown, sizeof shown, "%.0f a second (bare %.0f, bound %.0f)",
                  slept.decorated.median, slept.bare.median, bound);
    into.judge("load: 20 users, 1 ms + 10 ms of sleep",
               slept.decorated.median >= 0.95 * slept.bare.median, shown, "≥ 95 % of bare");

    // On a microsecond of work: what is measured is what threads do to each other.
    auto const work = fixed_work{1us};
    auto const working = [&work](std::uint64_t) -> recoup::result<std::uint64_t> { return work(); };
    auto const quick_call = decorated(working, breaker, store);
    auto const bare_work = [&](std::uint64_t key) { static_cast<void>(working(key)); };
    auto const call_work = [&](std::uint64_t key) { static_cast<void>(quick_call(key)); };
    auto const worked = in_turn(users, slices, span, bare_work, call_work);
    details.at("without_sleeps_1_us_of_work")
        .set("bare_ops_per_second", worked.bare)
        .set("decorated_ops_per_second", worked.decorated);
    std::snprintf(shown, sizeof shown, "%.2f million a second (bare %.2f)",
                  worked.decorated.median / 1e6, worked.bare.median / 1e6);
    into.judge("load: 20 users, 1 µs of work, no sleep", true, shown, "reported");

    // A slice lasts for a dozen of the sleeps and more: one that is cut off at its end is no matter.
    constexpr auto slices_of_each = 3;
    auto const span_of_each = std::chrono::nanoseconds{chosen.quick ? 600ms : 3s};
    auto const plot = [&](char const* workload, int count, double most, rates const& seen) {
        into.series.add("throughput")
            .set("workload", workload)
            .set("users", std::int64_t{count})
            .set("bound_ops_per_second", most)
            .set("bare_ops_per_second", seen.bare)
            .set("decorated_ops_per_second", seen.decorated);
    };
    for (auto const count : {1, 2, 4, 8, 16, 32, 64})
        plot("1 ms and 10 ms of sleep", count, count * bound_of_one,
             in_turn(count, slices_of_each, span_of_each, bare_then_pause, call_then_pause));
    auto bound_of_a_processor = 0.0;
    for (auto const count : {1, 2, 4, 8, 16, 32, 64}) {
        auto const seen = in_turn(count, slices_of_each, span_of_each / 3, bare_work, call_work);
        // The most that a processor does by itself, times those that can be at work.
        if (count == 1) bound_of_a_processor = seen.bare.greatest;
        plot("1 µs of work", count,
             bound_of_a_processor * std::min(count, static_cast<int>(processors())), seen);
    }
}

}  // namespace bench
