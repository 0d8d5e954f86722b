// SPDX-License-Identifier: BSL-1.0
// Durable operations one after the other, each record synced before the next: beside the same commits
// made by hand.
#include "durable/contest.hpp"
#include "durable/durable_runs.hpp"
#include "durable/folder.hpp"
#include "durable/io_count.hpp"
#include "durable/rows.hpp"
#include "support/keep_awake.hpp"

#include <recoup/store/sqlite_store.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

namespace bench {

namespace {

struct counted {
    io_count io{};
    double operations = 0;

    [[nodiscard]] double each(std::uint64_t number) const {
        return static_cast<double>(number) / operations;
    }
};

/// Microseconds of `work`; what it asked of its files goes to `into`.
template <class Work>
double timed(counted& into, Work const& work) {
    auto const before = io_now();
    auto const begin = std::chrono::steady_clock::now();
    work();
    auto const took = std::chrono::steady_clock::now() - begin;
    into.io = into.io + (io_now() - before);
    ++into.operations;
    return std::chrono::duration<double, std::micro>{took}.count();
}

void tell(figures& into, counted const& what) {
    into.set("syncs", what.each(what.io.syncs))
        .set("writes", what.each(what.io.writes))
        .set("bytes_written", what.each(what.io.bytes));
}

}  // namespace

void measure_one_caller(plan const& chosen, report& into, figures& details) {
    auto const folder = fresh_folder(chosen, "one_caller");
    recoup::sqlite_store store{folder + "/product.db"};
    durable_runs product{store};
    product.run_one();
    auto const bytes = product.bytes();
    auto const floor = sqlite_floor(folder + "/floor.db", true);
    keep_awake const awake;
    until_log_wrapped([&] { grouped_steps_a_second(*floor, 20ms, bytes); });
    until_log_wrapped([&] { product.steps_a_second(20ms); });

    counted of_floor;
    counted of_product;
    auto const seen = compare(
        chosen.quick ? 4s : 30s, [&] { return timed(of_floor, [&] { floor->run_one(bytes); }); },
        [&] { return timed(of_product, [&] { product.run_one(); }); });

    auto const commits = static_cast<double>(steps_each + 2);
    auto& row = details.at("power_loss_one_caller");
    row.set("operation",
            "its start, 10 steps, and its end: 12 records, each durable when it returns")
        .set("floor", "12 commits of as many bytes through SQLite's C interface, WAL, FULL")
        .set("record_bytes_of_a_step", static_cast<std::int64_t>(bytes.step));
    row.at("floor_an_operation").set("time_us", spread_of(seen.floor));
    tell(row.at("floor_io_an_operation"), of_floor);
    row.at("recoup_an_operation").set("time_us", spread_of(seen.product));
    tell(row.at("recoup_io_an_operation"), of_product);
    tell(row, "ratio", seen.ratio);

    char beside[96];
    std::snprintf(beside, sizeof beside, "%.0f µs a commit, floor %.0f",
                  spread_of(seen.product).median / commits, spread_of(seen.floor).median / commits);
    judge_ratio_below(into, "durable: power_loss, one caller, against its bare commits", seen.ratio,
                      1.1, beside);
    // The comparison is worth nothing if one side does not sync.
    auto const syncs = of_product.each(of_product.io.syncs);
    auto const least = of_floor.each(of_floor.io.syncs);
    std::snprintf(beside, sizeof beside, "%.2f syncs, the floor %.2f", syncs, least);
    into.judge("durable: an operation of 10 steps syncs each of its 12 records",
               syncs >= commits && least >= commits, beside, "≥ 12 both");
}

}  // namespace bench
