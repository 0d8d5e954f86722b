// SPDX-License-Identifier: BSL-1.0
// What an intent before and a completion after an operation add to it: to 1 µs and 20 µs on the journal,
// to 1 ms also on SQLite behind write_behind. Fixed work, beside the bare operation.
#include "durable/contest.hpp"
#include "durable/folder.hpp"
#include "durable/rows.hpp"
#include "support/work.hpp"

#include <recoup/core/result.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/journal_store.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/store/write_behind.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace bench {

namespace {

using number = std::uint64_t;

template <class Call>
side made_of(std::string name, Call call, std::function<void()> settle = {}) {
    return {.name = std::move(name),
            .run =
                [call = std::move(call)](number first, std::size_t count) {
                    for (std::size_t i = 0; i != count; ++i)
                        if (!call(first + i).has_value())
                            throw std::runtime_error{"an operation failed"};
                },
            .settle = std::move(settle)};
}

auto bare_call(fixed_work const& work) {
    return [&work](number) -> recoup::result<number> { return work(); };
}

template <class Store>
auto persisted_call(fixed_work const& work, Store& store, recoup::duration retain = {}) {
    return recoup::with_recovery(
        bare_call(work), recoup::retry{},
        recoup::persist(store,
                        recoup::persist_options{
                            .name = "added", .when = recoup::persist_when::start, .retain = retain},
                        [](number key) { return key; }));
}

template <class Store>
std::function<void()> flushed(Store& store) {
    return [&store] { store.flush().value(); };
}

constexpr auto bare = "bare";
constexpr auto again = "bare, a second time";
constexpr auto no_store = "retry alone";
constexpr auto in_memory = "memory, start";
constexpr auto on_journal = "journal, process_crash, start";
constexpr auto on_journal_synced = "journal, power_loss, start";
constexpr auto on_sqlite = "sqlite, process_crash, start";
constexpr auto on_sqlite_synced = "sqlite, power_loss, start";
constexpr auto behind = "sqlite behind write_behind, start";
constexpr auto behind_kept = "sqlite behind write_behind, start, each result kept";
constexpr auto behind_logged = "sqlite behind write_behind with a journal, start";

void add_bare(contest& to, fixed_work const& work) {
    to.add(made_of(bare, bare_call(work)));
    // What the method itself makes of no difference at all.
    to.add(made_of(again, bare_call(work)));
    to.add(made_of(no_store, recoup::with_recovery(bare_call(work), recoup::retry{})));
}

std::string beside(contest const& compared, char const* which, bool nanoseconds) {
    std::string said;
    auto const& one = compared.at(which);
    if (nanoseconds)
        said = shown(one.added, "%+.0f", "ns") + "; ";
    else
        said = "of the mean " + shown(one.mean_percent, "%+.2f", "%") + "; ";
    return said + "bare against bare " + shown(compared.at(again).percent, "%+.2f", "%");
}

/// One point of the plot of overheads by the size of the operation.
void plot(report& into, contest const& compared, std::chrono::nanoseconds operation,
          char const* which, char const* store, char const* durability) {
    auto& point = into.series.add("overhead");
    point.set("operation_ns", std::int64_t{operation.count()})
        .set("name", which)
        .set("store", store)
        .set("durability", durability);
    auto const& one = compared.at(which);
    tell(point, "overhead_percent", one.percent);
    tell(point, "added_ns", one.added);
}

void plot_fast(report& into, contest const& compared, std::chrono::nanoseconds operation) {
    plot(into, compared, operation, again, "none", "none");
    plot(into, compared, operation, no_store, "none", "none");
    plot(into, compared, operation, in_memory, "memory", "none");
    plot(into, compared, operation, on_journal, "journal", "process_crash");
}

void short_operations(plan const& chosen, report& into, figures& details) {
    struct row {
        char const* name;
        std::chrono::nanoseconds span;
        std::size_t batch;
        double most;
    };
    for (auto const& one : {row{"1 µs", 1us, 256, 5}, row{"20 µs", 20us, 16, 0.5}}) {
        auto const folder = fresh_folder(chosen, "added_time");
        auto const work = fixed_work{one.span};
        recoup::journal_store journal{folder + "/journal"};
        recoup::memory_store memory;
        contest compared;
        add_bare(compared, work);
        compared.add(made_of(in_memory, persisted_call(work, memory)));
        compared.add(made_of(on_journal, persisted_call(work, journal), flushed(journal)));
        compared.run({.rounds = chosen.quick ? 1'200 : 10'000, .batch = one.batch});
        auto& figures = details.at(std::string{"added_to_"} + one.name);
        figures.set("operations_a_batch", static_cast<std::int64_t>(one.batch));
        compared.tell(figures.at("sides"));
        judge_percent(into,
                      std::string{"durable: intent and completion on the journal, "} + one.name,
                      compared.at(on_journal).percent, one.most, requirement::goal,
                      noise_of(compared.at(again).percent), beside(compared, on_journal, true));
        plot_fast(into, compared, one.span);
    }
}

void tell(figures& into, recoup::write_behind_statistics const& seen) {
    auto const milliseconds = [](recoup::duration span) {
        return std::chrono::duration<double, std::milli>{span}.count();
    };
    into.set("accepted", static_cast<std::int64_t>(seen.accepted))
        .set("calls_of_the_store", static_cast<std::int64_t>(seen.written))
        .set("waiting_most", static_cast<std::int64_t>(seen.waiting_most))
        .set("window_of_loss_typical_ms", milliseconds(seen.typical))
        .set("window_of_loss_longest_ms", milliseconds(seen.longest))
        .set("lost", static_cast<std::int64_t>(seen.lost));
}

void millisecond_operations(plan const& chosen, report& into, figures& details) {
    auto const folder = fresh_folder(chosen, "added_time");
    auto const work = fixed_work{1ms};
    recoup::journal_store journal{folder + "/journal"};
    recoup::memory_store memory;
    recoup::sqlite_store dropped{folder + "/dropped.db"};
    recoup::sqlite_store kept{folder + "/kept.db"};
    recoup::sqlite_store logged{folder + "/logged.db"};
    recoup::journal_store log{folder + "/log"};
    recoup::write_behind behind_dropped{dropped};
    recoup::write_behind behind_keeping{kept};
    recoup::write_behind behind_log{logged, log};
    contest compared;
    add_bare(compared, work);
    compared.add(made_of(in_memory, persisted_call(work, memory)));
    compared.add(made_of(on_journal, persisted_call(work, journal), flushed(journal)));
    compared.add(made_of(behind, persisted_call(work, behind_dropped), flushed(behind_dropped)));
    compared.add(
        made_of(behind_kept, persisted_call(work, behind_keeping, 24h), flushed(behind_keeping)));
    compared.add(made_of(behind_logged, persisted_call(work, behind_log), flushed(behind_log)));
    // A turn is two windows of write_behind and more: what its thread does meets the caller.
    constexpr std::size_t turn = 110;
    if (turn * 1ms < 2 * behind_dropped.window())
        throw std::runtime_error{"write_behind would not be at work while it is measured"};
    compared.run({.rounds = chosen.quick ? 15 : 100, .batches = turn});

    auto& figures = details.at("added_to_1_ms");
    figures.set("operations_a_turn", static_cast<std::int64_t>(turn));
    compared.tell(figures.at("sides"));
    tell(figures.at("write_behind"), behind_dropped.statistics());
    tell(figures.at("write_behind_each_result_kept"), behind_keeping.statistics());
    tell(figures.at("write_behind_with_a_journal"), behind_log.statistics());
    plot_fast(into, compared, 1ms);
    plot(into, compared, 1ms, behind, "sqlite behind write_behind", "none until flushed");
    plot(into, compared, 1ms, behind_logged, "sqlite behind write_behind with a journal",
         "process_crash");
    auto const noise = noise_of(compared.at(again).percent);
    for (auto const* which : {on_journal, behind, behind_kept, behind_logged}) {
        auto const& percent = compared.at(which).percent;
        auto const said = beside(compared, which, false);
        // The gate of the original report, and what is aimed at.
        into.overheads_percent.push_back(spread_of(percent).median);
        judge_percent(into, std::string{"overhead on 1 ms: "} + which, percent, 5,
                      requirement::overhead, noise, said);
        judge_percent(into, std::string{"durable: 1 ms, "} + which, percent, 0.5, requirement::goal,
                      noise, said);
    }
}

/// Each record committed, or synced, before the caller goes on. Slow beside the operation, so that few
/// rounds tell enough; apart from the others, whom its syncs would disturb.
void committed_operations(plan const& chosen, report& into, figures& details) {
    struct row {
        char const* name;
        std::chrono::nanoseconds span;
    };
    for (auto const& one : {row{"1 µs", 1us}, row{"20 µs", 20us}, row{"1 ms", 1ms}}) {
        auto const folder = fresh_folder(chosen, "added_time");
        auto const work = fixed_work{one.span};
        recoup::journal_store journal{folder + "/journal",
                                      {.durability = recoup::durability::power_loss}};
        recoup::sqlite_store committed{folder + "/committed.db",
                                       {.durability = recoup::durability::process_crash}};
        recoup::sqlite_store synced{folder + "/synced.db"};
        contest compared;
        compared.add(made_of(bare, bare_call(work)));
        compared.add(made_of(on_journal_synced, persisted_call(work, journal)));
        compared.add(made_of(on_sqlite, persisted_call(work, committed)));
        compared.add(made_of(on_sqlite_synced, persisted_call(work, synced)));
        compared.run({.rounds = chosen.quick ? 25 : 200, .batches = 5});
        compared.tell(details.at(std::string{"committed_before_the_caller_goes_on_"} + one.name));
        plot(into, compared, one.span, on_sqlite, "sqlite", "process_crash");
        plot(into, compared, one.span, on_journal_synced, "journal", "power_loss");
        plot(into, compared, one.span, on_sqlite_synced, "sqlite", "power_loss");
    }
}

}  // namespace

void measure_added_time(plan const& chosen, report& into, figures& details) {
    short_operations(chosen, into, details);
    millisecond_operations(chosen, into, details);
    committed_operations(chosen, into, details);
}

}  // namespace bench
