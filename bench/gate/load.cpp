// SPDX-License-Identifier: BSL-1.0
// Twenty users at once: as the original slept, beside the bound that its sleeps set, and without sleeps.
#include "sections.hpp"
#include "support/work.hpp"

#include <recoup/core/result.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/with_recovery.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace bench {

namespace {

constexpr int users = 20;
constexpr auto work_sleep = 1ms;
constexpr auto pause_sleep = 10ms;

/// Operations a second of all users together; `one(key)` is an operation.
template <class One>
double throughput(std::chrono::nanoseconds span, One const& one) {
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

/// `work` with all that a service would name, and the memory store.
template <class Work>
auto decorated(Work work, recoup::circuit_breaker& breaker, recoup::memory_store& store) {
    return recoup::with_recovery(
        std::move(work), recoup::retry{}, breaker,
        recoup::persist(store, "load", [](std::uint64_t key) { return key; }));
}

}  // namespace

void measure_load(plan const& chosen, report& into) {
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
    auto const bound = users / std::chrono::duration<double>{work_sleep + pause_sleep}.count();
    // In slices of both in turn: what else the machine does meets both.
    constexpr auto slices = 8;
    std::vector<double> bare_slept;
    std::vector<double> with_slept;
    for (auto i = 0; i != slices; ++i) {
        bare_slept.push_back(throughput(span / slices, [&](std::uint64_t key) {
            static_cast<void>(sleeping(key));
            std::this_thread::sleep_for(pause_sleep);
        }));
        with_slept.push_back(throughput(span / slices, [&](std::uint64_t key) {
            static_cast<void>(call(key));
            std::this_thread::sleep_for(pause_sleep);
        }));
    }
    auto const bare = spread_of(bare_slept).median;
    auto const with = spread_of(with_slept).median;
    details.at("with_the_sleeps_of_the_original")
        .set("bound_by_the_sleeps_ops_per_second", bound)
        .set("bare_ops_per_second", spread_of(bare_slept))
        .set("decorated_ops_per_second", spread_of(with_slept));
    char shown[96];
    std::snprintf(shown, sizeof shown, "%.0f a second (bare %.0f, bound %.0f)", with, bare, bound);
    into.judge("load: 20 users, 1 ms + 10 ms of sleep", with >= 0.95 * bare, shown,
               "≥ 95 % of bare");

    // On a microsecond of work: what is measured is what threads do to each other.
    auto const work = fixed_work{1us};
    auto const working = [&work](std::uint64_t) -> recoup::result<std::uint64_t> { return work(); };
    auto const quick_call = decorated(working, breaker, store);
    std::vector<double> bare_rates;
    std::vector<double> with_rates;
    for (auto i = 0; i != slices; ++i) {
        bare_rates.push_back(
            throughput(span / slices, [&](std::uint64_t key) { static_cast<void>(working(key)); }));
        with_rates.push_back(throughput(
            span / slices, [&](std::uint64_t key) { static_cast<void>(quick_call(key)); }));
    }
    details.at("without_sleeps_1_us_of_work")
        .set("bare_ops_per_second", spread_of(bare_rates))
        .set("decorated_ops_per_second", spread_of(with_rates));
    std::snprintf(shown, sizeof shown, "%.2f million a second (bare %.2f)",
                  spread_of(with_rates).median / 1e6, spread_of(bare_rates).median / 1e6);
    into.judge("load: 20 users, 1 µs of work, no sleep", true, shown, "reported");
}

}  // namespace bench
