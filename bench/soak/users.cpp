// SPDX-License-Identifier: BSL-1.0
#include "soak/users.hpp"

#include "support/statistics.hpp"

#include <recoup/chaos.hpp>
#include <recoup/durable.hpp>
#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/journal_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/with_recovery.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <malloc.h>

using namespace std::chrono_literals;

namespace soak {

namespace {

constexpr std::uint32_t attempts_max = 5;
constexpr double failure_rate = 0.3;

/// What the world is like while they work.
enum class weather { fine, failing, slow, down };

struct phase {
    char const* name;
    int threads;
    bool sleeps;  ///< as the original's users: 1 ms of work, and 10 ms of rest
    weather is;
};

constexpr phase all_phases[] = {
    {"20 users, asleep, fine", 20, true, weather::fine},
    {"1 thread, fine", 1, false, weather::fine},
    {"20 users, failing", 20, false, weather::failing},
    {"64 threads, fine", 64, false, weather::fine},
    {"20 users, asleep, failing", 20, true, weather::failing},
    {"4 threads, slow", 4, false, weather::slow},
    {"16 threads, all down", 16, false, weather::down},
    {"64 threads, failing", 64, false, weather::failing},
    {"20 users, fine", 20, false, weather::fine},
    {"2 threads, failing", 2, false, weather::failing},
};

recoup::chaos_options options_of(weather what, std::uint64_t seed) {
    auto chosen = recoup::chaos_options{.seed = seed};
    switch (what) {
        case weather::fine: break;
        case weather::failing:
            chosen.failure_rate = failure_rate / 2;
            chosen.throw_rate = failure_rate / 2;
            break;
        case weather::slow:
            chosen.latency_rate = 0.2;
            chosen.latency = 5ms;
            break;
        case weather::down: chosen.failure_rate = 1; break;
    }
    return chosen;
}

/// Some tens of microseconds of a service's work: real time, so that threads really get in each other's way.
std::uint64_t serve(std::uint64_t key) {
    auto state = key;
    for (auto i = 0; i != 10'000; ++i) state = state * 6'364'136'223'846'793'005U + 1;
    return state;
}

/// A store, what its users share, and what they have wrapped.
template <class Store>
struct service {
    explicit service(std::unique_ptr<Store> opened, recoup::metrics& counted)
        : store{std::move(opened)}, metrics{counted}, operations{*store, {.threads = 1}} {}

    std::unique_ptr<Store> store;
    recoup::metrics& metrics;
    recoup::circuit_breaker breaker{{.open_for = 50ms}};
    recoup::bulkhead room{{.at_once = 64}};
    recoup::operations operations;
    // They are gone a second after they have ended, so that the store stays as large as it is.
    decltype(std::declval<recoup::operations&>().define(
        "install", recoup::operation_options{},
        std::declval<std::uint64_t (*)(recoup::operation&, std::uint64_t)>())) install =
        operations.define("install", {.retain = 1s, .retain_failed = 1s}, &service::body);

    static std::uint64_t body(recoup::operation& op, std::uint64_t key) {
        auto const first = op.step("plan", serve, key).value();
        return op.step("write", serve, first).value();
    }
};

}  // namespace

struct users::parts {
    recoup::metrics metrics;
    std::optional<service<recoup::journal_store>> journal{};
    std::optional<service<recoup::sqlite_store>> sqlite{};
    recoup::chaos monkey{};
    mistake planted = mistake::none;
    std::uint64_t runs = 0;
    std::atomic<std::uint64_t> next_key{1};
    std::uint64_t operations = 0;  ///< counted beside the metrics
    std::uint64_t succeeded = 0;
    std::atomic<std::uint64_t> attempts{0};
    std::vector<std::jthread> kept_threads{};
    std::vector<std::unique_ptr<char[]>> kept_memory{};

    template <class Service, class Work>
    auto call(Service& of, Work work) {
        return recoup::with_recovery(
            [this, shaken = monkey.wrap(work)](std::uint64_t key) mutable {
                attempts.fetch_add(1, std::memory_order_relaxed);
                return shaken(key);
            },
            recoup::retry{.max_attempts = attempts_max, .backoff = recoup::exponential(50us, 2ms)},
            recoup::deadline{30s}, of.breaker, of.room, metrics.watch("soak"),
            recoup::persist(*of.store, {.name = "soak", .retain_failed = 1s},
                            [](std::uint64_t key) { return key; }));
    }

    /// Waits until breakers have found out that all is well again.
    void settle() {
        auto const until = std::chrono::steady_clock::now() + 10s;
        while (!(closed(journal) && closed(sqlite))) {
            if (std::chrono::steady_clock::now() > until)
                throw std::runtime_error{"a breaker stays open, ten seconds after all is well"};
            one_of_each();
            std::this_thread::sleep_for(5ms);
        }
    }
    template <class Service>
    static bool closed(std::optional<Service> const& of) {
        return !of || of->breaker.state() == recoup::breaker_state::closed;
    }
    void one_of_each() {
        if (journal) count(call(*journal, serve)(next_key++));
        if (sqlite) count(call(*sqlite, serve)(next_key++));
    }
    void count(recoup::result<std::uint64_t> const& got) {
        ++operations;
        succeeded += got.has_value() ? 1U : 0U;
    }
};

users::users(std::string const& folder, stores which, mistake planted)
    : parts_{std::make_unique<parts>()} {
    parts_->planted = planted;
    std::filesystem::create_directories(folder);
    // What is measured is the library, and not how quick this machine's disk is.
    if (which != stores::sqlite)
        parts_->journal.emplace(recoup::journal_store::open(folder + "/soak.journal").value(),
                                parts_->metrics);
    if (which != stores::journal)
        parts_->sqlite.emplace(
            recoup::sqlite_store::open(folder + "/soak.db",
                                       {.durability = recoup::durability::process_crash})
                .value(),
            parts_->metrics);
}

users::~users() = default;

std::size_t users::phases() { return std::size(all_phases); }

interval users::work(std::size_t number, double seconds) {
    auto& mine = *parts_;
    auto const& now = all_phases[number % std::size(all_phases)];
    mine.settle();
    auto found = interval{.phase = now.name, .judged = now.is != weather::down};
    mine.monkey.change(options_of(now.is, ++mine.runs));
    auto const attempts_before = mine.attempts.load();
    auto stop = std::stop_source{};
    std::mutex mutex;
    std::vector<double> latencies;
    auto const user = [&](auto& of) {
        auto const work = [sleeps = now.sleeps,
                           slow = mine.planted == mistake::slow
                                      ? std::chrono::milliseconds{mine.runs / 2}
                                      : 0ms](std::uint64_t key) {
            if (sleeps) std::this_thread::sleep_for(1ms);
            if (slow != 0ms) std::this_thread::sleep_for(slow);
            return serve(key);
        };
        auto fetch = mine.call(of, work);
        std::vector<double> own;
        own.reserve(2'000);
        std::uint64_t made = 0;
        std::uint64_t good = 0;
        for (; !stop.stop_requested(); ++made) {
            auto const key = mine.next_key.fetch_add(1, std::memory_order_relaxed);
            auto const begin = std::chrono::steady_clock::now();
            auto const got = fetch(key);
            auto const took = std::chrono::steady_clock::now() - begin;
            // All of the few, some of the many: a run of hours must not need more room than one of seconds.
            if (own.size() < own.capacity())
                own.push_back(std::chrono::duration<double, std::micro>{took}.count());
            auto const lost = mine.planted == mistake::lost && made % 50 == 49;
            good += got.has_value() && !lost ? 1U : 0U;
            if (made % 200 == 0 && now.is != weather::down) {
                auto const done = of.install.run(std::to_string(key), key);
                if (!done)
                    throw std::runtime_error{"an operation failed: " + done.error().message()};
            }
            if (now.sleeps) std::this_thread::sleep_for(10ms);
        }
        std::lock_guard const lock{mutex};
        latencies.insert(latencies.end(), own.begin(), own.end());
        found.operations += made;
        found.failed += made - good;
        mine.succeeded += good;
    };
    auto const begin = std::chrono::steady_clock::now();
    std::exception_ptr thrown;
    {
        std::vector<std::jthread> threads;
        for (auto i = 0; i != now.threads; ++i)
            threads.emplace_back([&, i] {
                try {
                    if (mine.journal && (!mine.sqlite || i % 2 == 0))
                        user(*mine.journal);
                    else
                        user(*mine.sqlite);
                } catch (...) {
                    std::lock_guard const lock{mutex};
                    thrown = std::current_exception();
                }
            });
        std::this_thread::sleep_for(std::chrono::duration<double>{seconds});
        stop.request_stop();
    }
    if (thrown) std::rethrow_exception(thrown);
    found.seconds = std::chrono::duration<double>{std::chrono::steady_clock::now() - begin}.count();
    mine.operations += found.operations;
    found.attempts = mine.attempts.load() - attempts_before;
    if (now.is == weather::failing)
        found.expected_to_fail =
            static_cast<double>(found.operations) * std::pow(failure_rate, attempts_max);
    found.p50_us = bench::quantile(latencies, 0.5);
    found.p99_us = bench::quantile(latencies, 0.99);
    mine.monkey.change({});
    auto const clean = [](auto& of) {
        if (of) static_cast<void>(of->operations.clean_up(1'000'000));
    };
    clean(mine.journal);
    clean(mine.sqlite);
    switch (mine.planted) {
        case mistake::descriptors:
            static_cast<void>(open("/dev/null", O_RDONLY | O_CLOEXEC));
            break;
        case mistake::threads:
            mine.kept_threads.emplace_back([](std::stop_token const& until) {
                while (!until.stop_requested()) std::this_thread::sleep_for(10ms);
            });
            break;
        case mistake::memory: {
            constexpr std::size_t bytes = std::size_t{2} << 20U;
            auto& kept = mine.kept_memory.emplace_back(new char[bytes]);
            for (std::size_t i = 0; i < bytes; i += 1024) kept[i] = 1;
            break;
        }
        default: break;
    }
    latencies = {};
    malloc_trim(0);  // what is free is nobody's
    found.after = read_resources();
    return found;
}

std::string users::disagreement() {
    auto const shown = parts_->metrics.snapshot();
    auto const* const one = shown.find("soak");
    if (one == nullptr) return "the metrics have seen nothing";
    auto const differ = [](char const* what, std::uint64_t told, std::uint64_t seen) {
        return std::string{"the metrics tell of "} + std::to_string(told) + ' ' + what +
               ", there were " + std::to_string(seen);
    };
    if (one->operations != parts_->operations)
        return differ("operations", one->operations, parts_->operations);
    if (parts_->planted != mistake::lost && one->succeeded != parts_->succeeded)
        return differ("successes", one->succeeded, parts_->succeeded);
    if (one->attempts != parts_->attempts)
        return differ("attempts", one->attempts, parts_->attempts);
    return {};
}

}  // namespace soak
