// SPDX-License-Identifier: BSL-1.0
// The tests of the original's report one by one, with recoup in the place of its decorator: as they were
// taken, mistakes and all, and as they should have been.
#include "call/instant_clock.hpp"
#include "peers/recoup/roles.hpp"
#include "support/statistics.hpp"
#include "support/work.hpp"

#include <recoup/core/attempt.hpp>
#include <recoup/core/on.hpp>
#include <recoup/core/result.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/with_recovery.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <malloc.h>

using namespace std::chrono_literals;

namespace bench::peers {

namespace {

using number = std::uint64_t;
using outcome = recoup::result<number>;
using recoup::persist_when;

/// The breaker that the original's decorator had: 5 failures, 300 s.
recoup::circuit_breaker_options const its_breaker{.open_for = 300s, .consecutive_failures = 5};
/// Its `max_retries=3`.
constexpr std::uint32_t four_attempts = 4;

auto const by_number = [](number key) { return key; };

outcome sleep(std::chrono::nanoseconds span, number key) {
    std::this_thread::sleep_for(span);
    return key;
}

double milliseconds(std::chrono::nanoseconds span) {
    return std::chrono::duration<double, std::milli>{span}.count();
}

template <class Operation>
double timed_ms(Operation const& operation, number key) {
    auto const begin = std::chrono::steady_clock::now();
    static_cast<void>(operation(key));
    return milliseconds(std::chrono::steady_clock::now() - begin);
}

/// One after the other, as the original did.
template <class Operation>
double mean_ms(int iterations, Operation const& operation) {
    auto sum = 0.0;
    for (auto i = 0; i != iterations; ++i) sum += timed_ms(operation, static_cast<number>(i));
    return sum / iterations;
}

double percent_above(double with, double without) { return (with / without - 1) * 100; }

void tell(std::string const& test, double taken, double should, char const* unit,
          std::string const& note) {
    print({{"test", test},
           {"as_it_was_taken", taken},
           {"as_it_should_be", should},
           {"unit", unit},
           {"note", note}});
}

/// The same 1 ms of fixed work on each side, in turn: percent above the bare one, medians over the rounds.
struct overheads {
    double decorated = 0;
    double memory = 0;
    double sqlite = 0;
    double each_synced = 0;
    double itself =
        0;  ///< the bare one, a second time: what the method makes of no difference at all
};

overheads interleaved(std::string const& folder, bool quick) {
    auto const work = fixed_work{1ms};
    auto const bare = [&work](number) -> outcome { return work(); };
    recoup::circuit_breaker breaker;
    recoup::memory_store memory;
    recoup::sqlite_store sqlite{folder + "/overhead.db"};
    auto const kept = [&](auto& store, persist_when when, char const* name) {
        return recoup::with_recovery(
            bare, recoup::retry{}, breaker,
            recoup::persist(store, recoup::persist_options{.name = name, .when = when}, by_number));
    };
    std::vector<std::function<outcome(number)>> const sides{
        bare,
        bare,
        recoup::with_recovery(bare, recoup::retry{}, breaker),
        kept(memory, persist_when::start, "memory"),
        kept(sqlite, persist_when::failure, "failure"),
        kept(sqlite, persist_when::start, "start")};
    std::vector<std::vector<double>> above(sides.size());
    // By lot, so that none always comes after the one that blocks, and so begins with a time slice of its own.
    recoup::splitmix64 random{14};
    std::vector<std::size_t> order(sides.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    number key = 0;
    for (auto round = 0; round != (quick ? 100 : 400); ++round) {
        std::vector<double> took(sides.size());
        for (auto left = order.size(); left > 1; --left)
            std::swap(order[left - 1], order[random() % left]);
        for (auto const at : order) took[at] = timed_ms(sides[at], ++key);
        for (std::size_t i = 0; i != sides.size(); ++i)
            above[i].push_back(percent_above(took[i], took[0]));
    }
    auto const median = [&](std::size_t i) { return spread_of(above[i]).median; };
    return {median(2), median(3), median(4), median(5), median(1)};
}

void overhead_tests(std::string const& folder, bool quick) {
    auto const should = interleaved(folder, quick);
    auto const one_ms = [](number key) { return sleep(1ms, key); };
    recoup::circuit_breaker breaker{its_breaker};
    auto const decorated = recoup::with_recovery(one_ms, recoup::retry{.max_attempts = 1}, breaker);
    auto const iterations = quick ? 200 : 1'000;
    auto const without = mean_ms(iterations, one_ms);
    auto const with = mean_ms(iterations, decorated);
    char itself[64];
    std::snprintf(itself, sizeof itself, "%+.2f", should.itself);
    tell(
        "decorator overhead", percent_above(with, without), should.decorated, "%",
        "taken: a sleep of 1 ms without, then with; should be: the same 1 ms of fixed work on both "
        "sides, in turn (the bare work beside itself: " +
            std::string{itself} + " %)");

    recoup::memory_store memory;
    auto const longer = recoup::with_recovery(
        [](number key) { return sleep(10ms, key); }, recoup::retry{.max_attempts = 2}, breaker,
        recoup::persist(memory,
                        recoup::persist_options{.name = "taken", .when = persist_when::start},
                        by_number));
    constexpr auto pairs = 50;
    auto const not_kept = mean_ms(pairs, decorated);
    auto const taken = percent_above(mean_ms(pairs, longer), not_kept);
    tell("persistence overhead, memory store", taken, should.memory, "%",
         "taken: a sleep of 10 ms with a store by one of 1 ms without; should be: the same 1 ms of "
         "fixed work, each operation recorded at its start and its end");
    // The original measured no store that outlives a process.
    print({{"test", "persistence overhead, SQLite FULL, failures recorded (the default)"},
           {"as_it_was_taken", nullptr},
           {"as_it_should_be", should.sqlite},
           {"unit", "%"},
           {"note", "the same 1 ms of fixed work"}});
    print({{"test", "persistence overhead, SQLite FULL, each start and end synced to the disk"},
           {"as_it_was_taken", nullptr},
           {"as_it_should_be", should.each_synced},
           {"unit", "%"},
           {"note", "two commits an operation, inline"}});
}

/// Every attempt draws its own lot.
struct unreliable {
    recoup::splitmix64 random{8};
    outcome operator()(number key) {
        if (random() % 10 < 3) return std::make_error_code(std::errc::connection_refused);
        return key;
    }
};

double success_percent(bool quick) {
    instant_clock time;
    recoup::circuit_breaker breaker{its_breaker};
    unreliable callee;
    auto const call = recoup::with_recovery(
        std::ref(callee), recoup::retry{.max_attempts = four_attempts}, breaker, recoup::on(time));
    auto const operations = quick ? 100'000 : 1'000'000;
    auto succeeded = 0;
    for (auto i = 0; i != operations; ++i)
        succeeded += call(static_cast<number>(i)).has_value() ? 1 : 0;
    return 100.0 * succeeded / operations;
}

/// From the end of a failed attempt to the beginning of the next one, where no wait is asked for.
double between_attempts_ms(bool quick) {
    std::vector<double> seen;
    std::chrono::steady_clock::time_point failed;
    auto fails = true;
    auto const call = recoup::with_recovery(
        [&](number key) -> outcome {
            auto const began = std::chrono::steady_clock::now();
            if (fails) {
                fails = false;
                failed = std::chrono::steady_clock::now();
                return std::make_error_code(std::errc::connection_refused);
            }
            seen.push_back(milliseconds(began - failed));
            return key;
        },
        recoup::retry{.backoff = recoup::constant(0ms)});
    for (auto i = 0; i != (quick ? 1'000 : 10'000); ++i) {
        fails = true;
        static_cast<void>(call(static_cast<number>(i)));
    }
    return spread_of(seen).median;
}

void recovery_tests(bool quick) {
    recoup::circuit_breaker breaker{its_breaker};
    auto attempts = 0;
    auto const operation = recoup::with_recovery(
        [&](number key) -> outcome {
            ++attempts;
            if (key % 10 < 3) return std::make_error_code(std::errc::connection_refused);
            return sleep(20ms, key);
        },
        recoup::retry{.max_attempts = four_attempts, .backoff = recoup::exponential(10ms, 30s)},
        breaker);
    constexpr auto operations = 100;
    auto succeeded = 0;
    auto const mean = mean_ms(operations, [&](number key) {
        auto got = operation(key);
        succeeded += got.has_value() ? 1 : 0;
        return got;
    });
    auto const arithmetic = 100 * (1 - std::pow(0.3, four_attempts));
    char most[64];
    std::snprintf(most, sizeof most, "%.2f", arithmetic);
    tell(
        "recovery success", 100.0 * succeeded / operations, success_percent(quick), "%",
        "taken: whether an operation fails hangs on its number alone, 30 of 100 always do: 70 % is "
        "the most for anybody; should be: each attempt fails by its own lot in 30 %, 4 attempts, "
        "the same breaker: at most " +
            std::string{most} + " %");
    tell(
        "recovery time, of an attempt", mean, between_attempts_ms(quick), "ms",
        "taken: the mean of all operations, most of it the 20 ms of work of those that never fail, "
        "and waits (" +
            std::to_string(attempts) +
            " attempts here; the original made no second one); should be: from a failed attempt to "
            "the next one, no wait asked for");
}

double heap_mb() {
    auto const heap = ::mallinfo2();
    return static_cast<double>(heap.uordblks + heap.hblkhd) / 1e6;
}

/// The most that the heap grew by in so many calls, 30 % of whose attempts fail and are recorded.
double heap_growth_mb(int calls, bool failing) {
    auto const before = heap_mb();
    auto most = before;
    instant_clock time;
    recoup::circuit_breaker breaker;
    recoup::memory_store store;
    unreliable callee;
    auto const call = recoup::with_recovery(
        [&](number key) -> outcome { return failing ? callee(key) : outcome{key}; },
        // So many attempts that none fails for good: such a record is kept, as it should be.
        recoup::retry{.max_attempts = 30}, breaker, recoup::on(time),
        recoup::persist(store, "memory", by_number));
    auto const look_every = std::max(calls / 1'000, 1);
    for (auto i = 0; i != calls; ++i) {
        static_cast<void>(call(static_cast<number>(i)));
        if (i % look_every == 0) most = std::max(most, heap_mb());
    }
    return most - before;
}

void memory_test(bool quick) {
    auto const taken = heap_growth_mb(100, false);
    auto const calls = quick ? 100'000 : 1'000'000;
    tell("memory", taken, heap_growth_mb(calls, true), "MB",
         "taken: 100 calls that never fail; should be: " + std::to_string(calls) +
             " calls with a store, 30 % of the attempts failed and recorded: the most at any time");
}

constexpr int users = 20;

/// Operations a second of all users together.
template <class One>
double throughput(std::chrono::nanoseconds span, One const& one) {
    std::atomic<bool> go{false};
    std::atomic<bool> stop{false};
    std::atomic<number> made{0};
    std::vector<std::jthread> threads;
    for (auto user = 0; user != users; ++user)
        threads.emplace_back([&, user] {
            go.wait(false);
            auto const first = static_cast<number>(user) << 40U;
            number own = 0;
            for (; !stop.load(std::memory_order_relaxed); ++own) one(first + own);
            made += own;
        });
    auto const begin = std::chrono::steady_clock::now();
    go = true;
    go.notify_all();
    std::this_thread::sleep_for(span);
    stop = true;
    threads.clear();
    auto const took = std::chrono::duration<double>{std::chrono::steady_clock::now() - begin};
    return static_cast<double>(made) / took.count();
}

void load_test(bool quick) {
    recoup::circuit_breaker breaker;
    recoup::memory_store store;
    auto const decorated = [&](auto work) {
        return recoup::with_recovery(std::move(work), recoup::retry{}, breaker,
                                     recoup::persist(store, "load", by_number));
    };
    auto const sleeping = decorated([](number key) { return sleep(1ms, key); });
    auto const taken = throughput(quick ? std::chrono::nanoseconds{1s} : 10s, [&](number key) {
        static_cast<void>(sleeping(key));
        std::this_thread::sleep_for(10ms);
    });
    auto const work = fixed_work{20us};
    auto const bare = [&work](number) -> outcome { return work(); };
    auto const working = decorated(bare);
    constexpr auto slices = 6;
    auto const slice = std::chrono::nanoseconds{quick ? 100ms : 500ms};
    std::vector<double> without;
    std::vector<double> with;
    for (auto i = 0; i != slices; ++i) {
        without.push_back(throughput(slice, [&](number key) { static_cast<void>(bare(key)); }));
        with.push_back(throughput(slice, [&](number key) { static_cast<void>(working(key)); }));
    }
    char beside[48];
    std::snprintf(beside, sizeof beside, "%.0f", spread_of(without).median);
    tell("load, 20 users", taken, spread_of(with).median, "operations/s",
         "taken: each sleeps 1 ms and then 10 ms, so that 1818 a second is the most for anybody; "
         "should be: 20 µs of work and no sleep (bare: " +
             std::string{beside} + ")");
}

}  // namespace

void original(std::string const& folder, bool quick) {
    std::filesystem::create_directories(folder);
    memory_test(quick);  // first: what others leave to the heap would hide its growth
    overhead_tests(folder, quick);
    recovery_tests(quick);
    load_test(quick);
}

}  // namespace bench::peers
