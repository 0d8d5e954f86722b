// SPDX-License-Identifier: BSL-1.0
// What the library keeps in memory: over millions of operations whose beginning and end are recorded, and
// at rest behind them. Mapped files and SQLite's own memory have bounds of their own, and do not count.
#include "call/instant_clock.hpp"
#include "durable/folder.hpp"
#include "durable/rows.hpp"

#include <recoup/core/on.hpp>
#include <recoup/core/result.hpp>
#include <recoup/durable.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/journal_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/store/write_behind.hpp>
#include <recoup/with_recovery.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include <malloc.h>
#include <sqlite3.h>

using namespace std::chrono_literals;

namespace bench {

namespace {

struct memory {
    double heap = 0;      ///< bytes, without SQLite's
    double resident = 0;  ///< bytes that are no file's
};

memory now() {
    auto const heap = mallinfo2();
    memory seen{.heap = static_cast<double>(heap.uordblks + heap.hblkhd) -
                        static_cast<double>(sqlite3_memory_used())};
    if (auto* const file = std::fopen("/proc/self/status", "r")) {
        char line[256];
        unsigned long kilobytes = 0;
        while (std::fgets(line, sizeof line, file) != nullptr)
            if (std::sscanf(line, "RssAnon: %lu kB", &kilobytes) == 1)
                seen.resident = static_cast<double>(kilobytes) * 1024;
        std::fclose(file);
    }
    return seen;
}

/// The growth over many operations, and from the first tenth of them to the last.
struct growth {
    memory start{};
    memory early{};
    memory most{};
    memory end{};
};

template <class Call>
growth run(memory const& start, std::int64_t operations, Call const& call) {
    growth seen{.start = start, .most = start};
    auto const step = std::max<std::int64_t>(operations / 200, 1);
    for (std::int64_t i = 0; i != operations; ++i) {
        call(static_cast<std::uint64_t>(i));
        if ((i + 1) % step != 0) continue;
        seen.end = now();
        seen.most.heap = std::max(seen.most.heap, seen.end.heap);
        seen.most.resident = std::max(seen.most.resident, seen.end.resident);
        if (i < operations / 10) seen.early = seen.end;
    }
    return seen;
}

void tell(report& into, figures& details, std::string const& name, growth const& seen,
          std::int64_t operations) {
    constexpr double kib = 1024;
    auto const heap = (seen.end.heap - seen.early.heap) / kib;
    auto const resident = (seen.end.resident - seen.early.resident) / kib;
    auto const added = (seen.most.heap - seen.start.heap) / kib;
    auto const added_resident = (seen.most.resident - seen.start.resident) / kib;
    details.at(name)
        .set("operations", operations)
        .set("heap_kib_added_at_most", added)
        .set("resident_kib_added_at_most", added_resident)
        .set("heap_kib_added_in_the_last_nine_tenths", heap)
        .set("resident_kib_added_in_the_last_nine_tenths", resident);
    char shown[128];
    std::snprintf(shown, sizeof shown,
                  "heap %+.1f KiB, resident %+.1f KiB; at most +%.0f and +%.0f KiB", heap, resident,
                  added, added_resident);
    // A page or two of an allocator are no growth; a byte an operation would be.
    into.judge("durable: memory flat over " + std::to_string(operations) + " operations, " + name,
               heap < 64 && resident < 256 && added < 5'000 && added_resident < 5'000, shown,
               "last 9/10: < 64, < 256 KiB; at most 5 MB", requirement::memory)
        .figure = std::max(added, added_resident) * kib / 1e6;
}

/// What `made` keeps of the heap after it has worked and come to rest.
void at_rest(report& into, figures& details, std::string const& name, double bytes) {
    details.set(name, bytes / 1024);
    into.judge("durable: state at rest, " + name, bytes <= 64 * 1024, text(bytes / 1024, "KiB", 1),
               "≤ 64 KiB", requirement::goal, text(bytes / 1024 - 64, "KiB", 1));
}

auto const first_key = [](std::uint64_t key) { return key; };

template <class Store>
auto started(Store& store) {
    return recoup::with_recovery(
        [](std::uint64_t key) -> recoup::result<std::uint64_t> { return key; }, recoup::retry{},
        recoup::persist(store, {.name = "memory", .when = recoup::persist_when::start}, first_key));
}

void flat(plan const& chosen, report& into, figures& details) {
    {
        auto const folder = fresh_folder(chosen, "memory");
        auto const start = now();
        recoup::journal_store store{folder + "/journal"};
        auto const call = started(store);
        auto const operations = std::int64_t{chosen.quick ? 1'000'000 : 10'000'000};
        tell(into, details, "journal, each begun and completed",
             run(start, operations, [&](std::uint64_t key) { call(key).value(); }), operations);
    }
    {
        auto const folder = fresh_folder(chosen, "memory");
        auto const start = now();
        recoup::journal_store store{folder + "/journal"};
        instant_clock time;
        std::uint64_t attempts = 0;
        auto const call = recoup::with_recovery(
            [&](std::uint64_t key) -> recoup::result<std::uint64_t> {
                if (++attempts % 2 == 1) return std::make_error_code(std::errc::connection_reset);
                return key;
            },
            recoup::retry{}, recoup::on(time),
            recoup::persist(store, {.name = "memory", .when = recoup::persist_when::start},
                            first_key));
        auto const operations = std::int64_t{chosen.quick ? 200'000 : 10'000'000};
        tell(into, details, "journal, each failed once and recorded",
             run(start, operations, [&](std::uint64_t key) { call(key).value(); }), operations);
    }
    {
        auto const folder = fresh_folder(chosen, "memory");
        auto const start = now();
        recoup::journal_store store{folder + "/journal"};
        recoup::operations on{store};
        auto const defined = on.define(
            "memory", {.retain = 0ns},
            [](recoup::operation& op, std::uint64_t key) -> recoup::result<std::uint64_t> {
                return op.step("step", [&] { return key; });
            });
        auto const operations = std::int64_t{chosen.quick ? 100'000 : 10'000'000};
        tell(into, details, "journal, durable operations of one step, cleaned up",
             run(start, operations,
                 [&](std::uint64_t key) {
                     defined.run(std::to_string(key), key).value();
                     // What has ended and expired goes when the program says so: here as often in
                     // the interval of two looks at memory, or a look would count what still waits.
                     if (key % 250 == 0) on.clean_up(512).value();
                 }),
             operations);
    }
}

constexpr std::uint64_t before_rest = 20'000;

void rest(plan const& chosen, report& into, figures& details) {
    auto const folder = fresh_folder(chosen, "memory");
    {
        auto const start = now().heap;
        recoup::journal_store store{folder + "/journal"};
        auto const call = started(store);
        for (std::uint64_t key = 0; key != before_rest; ++key) call(key).value();
        store.flush().value();
        at_rest(into, details, "a journal_store and a callable that it remembers",
                now().heap - start);
    }
    {
        auto const start = now().heap;
        recoup::sqlite_store store{folder + "/store.db",
                                   {.durability = recoup::durability::process_crash}};
        auto const call = started(store);
        for (std::uint64_t key = 0; key != before_rest / 10; ++key) call(key).value();
        auto const between = now().heap;
        at_rest(into, details, "a sqlite_store and a callable that it remembers", between - start);
        recoup::write_behind behind{store};
        auto const sooner = started(behind);
        for (std::uint64_t key = 0; key != before_rest; ++key) sooner(key).value();
        behind.flush().value();
        at_rest(into, details, "a write_behind", now().heap - between);
    }
    recoup::journal_store store{folder + "/operations"};
    auto const start = now().heap;
    recoup::operations on{store};
    auto const defined =
        on.define("rest", {.retain = 0ns},
                  [](recoup::operation& op, std::uint64_t key) -> recoup::result<std::uint64_t> {
                      return op.step("step", [&] { return key; });
                  });
    for (std::uint64_t key = 0; key != before_rest / 10; ++key)
        defined.run(std::to_string(key), key).value();
    while (on.clean_up(512).value() != 0) {}
    at_rest(into, details, "operations, all of which are over", now().heap - start);
}

}  // namespace

void measure_durable_memory(plan const& chosen, report& into, figures& details) {
    auto& rows = details.at("memory");
    rows.set(
        "method",
        "the heap without SQLite's, and resident memory that is no file's; flat: what the last "
        "nine tenths of the operations added");
    flat(chosen, into, rows);
    rest(chosen, into, rows.at("kib_at_rest"));
}

}  // namespace bench
