// SPDX-License-Identifier: BSL-1.0
// What the library keeps: resident memory and heap over a million calls, of which many fail and are
// recorded.
#include "call/instant_clock.hpp"
#include "sections.hpp"

#include <recoup/core/on.hpp>
#include <recoup/core/result.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/platform/memory.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/with_recovery.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>

#include <malloc.h>

using namespace std::chrono_literals;

namespace bench {

namespace {

struct memory {
    double heap_mb = 0;
    double resident_mb = 0;
};

memory now() {
    auto const heap = mallinfo2();
    memory seen{.heap_mb = static_cast<double>(heap.uordblks + heap.hblkhd) / 1e6};
    if (auto const bytes = recoup::platform::resident_bytes())
        seen.resident_mb = static_cast<double>(*bytes) / 1e6;
    return seen;
}

/// Three attempts of ten fail, each by itself.
struct unreliable {
    recoup::splitmix64 random{5};
    recoup::result<std::uint64_t> operator()(std::uint64_t key) {
        if (random() % 10 < 3) return std::make_error_code(std::errc::connection_reset);
        return key;
    }
};

struct growth {
    memory start{};
    memory peak{};
    memory end{};
    memory early{};  ///< after a tenth of the calls
};

template <class Store>
growth run(Store& store, memory const& start, std::int64_t calls) {
    instant_clock time;
    recoup::circuit_breaker breaker;
    unreliable callee;
    // So many attempts that none fails for good: such a record is kept for a week, as it should be,
    // and would look like a leak.
    auto const call = recoup::with_recovery(
        std::ref(callee), recoup::retry{.max_attempts = 30}, recoup::deadline{24h * 365 * 100},
        breaker, recoup::on(time),
        recoup::persist(store, "memory", [](std::uint64_t key) { return key; }));
    growth seen{.start = start, .peak = start};
    auto const step = std::max<std::int64_t>(calls / 1'000, 1);
    for (std::int64_t i = 0; i != calls; ++i) {
        static_cast<void>(call(static_cast<std::uint64_t>(i)));
        if (i % step != 0 && i + 1 != calls) continue;
        seen.end = now();
        seen.peak.heap_mb = std::max(seen.peak.heap_mb, seen.end.heap_mb);
        seen.peak.resident_mb = std::max(seen.peak.resident_mb, seen.end.resident_mb);
        if (i <= calls / 10) seen.early = seen.end;
    }
    return seen;
}

void tell(report& into, figures& details, std::string const& name, growth const& seen,
          std::int64_t calls) {
    auto const heap = seen.peak.heap_mb - seen.start.heap_mb;
    auto const resident = seen.peak.resident_mb - seen.start.resident_mb;
    details.at(name)
        .set("calls", calls)
        .set("heap_mb_before", seen.start.heap_mb)
        .set("heap_mb_most", seen.peak.heap_mb)
        .set("heap_mb_added", heap)
        .set("heap_mb_added_in_the_last_nine_tenths", seen.end.heap_mb - seen.early.heap_mb)
        .set("resident_mb_before", seen.start.resident_mb)
        .set("resident_mb_most", seen.peak.resident_mb)
        .set("resident_mb_added", resident);
    char shown[96];
    std::snprintf(shown, sizeof shown, "heap +%.3f MB, resident +%.3f MB", heap, resident);
    into.judge("memory, " + std::to_string(calls) + " calls, " + name, heap < 5 && resident < 5,
               shown, "< 5 MB", requirement::memory)
        .figure = std::max(heap, resident);
}

}  // namespace

void measure_memory(plan const& chosen, report& into) {
    auto& details = into.details.at("memory_usage");
    details.set(
        "method",
        "retry, breaker, deadline and persist_when::failure; 30 % of the attempts fail and are "
        "recorded; the most seen at 1000 points above what there was before the store");
    {
        auto const start = now();
        recoup::memory_store store;
        constexpr std::int64_t calls = 1'000'000;
        tell(into, details, "memory store", run(store, start, calls), calls);
    }
    auto const folder = chosen.scratch + "/memory";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    auto const start = now();
    recoup::sqlite_store store{folder + "/memory.db",
                               {.durability = recoup::durability::process_crash}};
    // Every failed attempt is a commit here.
    auto const calls = std::int64_t{chosen.quick ? 20'000 : 1'000'000};
    tell(into, details, "sqlite store", run(store, start, calls), calls);
}

}  // namespace bench
