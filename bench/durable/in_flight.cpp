// SPDX-License-Identifier: BSL-1.0
// Fifty durable operations in flight, ten steps each: beside the fenced inserts alone, fifty a commit.
#include "durable/contest.hpp"
#include "durable/durable_runs.hpp"
#include "durable/folder.hpp"
#include "durable/io_count.hpp"
#include "durable/rows.hpp"
#include "support/keep_awake.hpp"

#include <recoup/store/sqlite_store.hpp>

#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

namespace bench {

namespace {

struct grouped {
    duel rates;
    double floor_syncs_a_step = 0;
    double product_syncs_a_step = 0;
};

grouped run(plan const& chosen, recoup::durability durability) {
    auto const synced = durability == recoup::durability::power_loss;
    auto const folder = fresh_folder(chosen, synced ? "in_flight" : "in_flight_unsynced");
    recoup::sqlite_store store{folder + "/product.db", {.durability = durability}};
    durable_runs product{store};
    product.run_one();
    auto const bytes = product.bytes();
    auto const floor = sqlite_floor(folder + "/floor.db", synced);
    keep_awake const awake;
    until_log_wrapped([&] { grouped_steps_a_second(*floor, 20ms, bytes); });
    until_log_wrapped([&] { product.steps_a_second(20ms); });
    constexpr auto slice = 300ms;
    io_count floor_io;
    io_count product_io;
    std::uint64_t floor_steps = 0;
    std::uint64_t product_steps = 0;
    grouped seen;
    seen.rates = compare(
        chosen.quick ? 5s : 30s,
        [&] {
            auto const before = io_now();
            auto const first = floor->next();
            auto const rate = grouped_steps_a_second(*floor, slice, bytes);
            floor_steps += (floor->next() - first) * steps_each;
            floor_io = floor_io + (io_now() - before);
            return rate;
        },
        [&] {
            auto const before = io_now();
            auto const first = product.steps();
            auto const rate = product.steps_a_second(slice);
            product_steps += product.steps() - first;
            product_io = product_io + (io_now() - before);
            return rate;
        });
    seen.floor_syncs_a_step =
        static_cast<double>(floor_io.syncs) / static_cast<double>(floor_steps);
    seen.product_syncs_a_step =
        static_cast<double>(product_io.syncs) / static_cast<double>(product_steps);
    return seen;
}

}  // namespace

void measure_in_flight(plan const& chosen, report& into, figures& details) {
    auto& rows = details.at("in_flight_50_of_10_steps");
    rows.set("floor",
             "the fenced inserts of the steps alone, 50 a commit, SQLite's C interface, WAL")
        .set("recoup", "50 threads, each with one operation after the other: start, 10 steps, end");
    for (auto const durability :
         {recoup::durability::power_loss, recoup::durability::process_crash}) {
        auto const seen = run(chosen, durability);
        auto const name = std::string{to_string(durability)};
        auto& row = rows.at(name);
        row.set("floor_steps_a_second", spread_of(seen.rates.floor))
            .set("recoup_steps_a_second", spread_of(seen.rates.product))
            .set("floor_syncs_a_step", seen.floor_syncs_a_step)
            .set("recoup_syncs_a_step", seen.product_syncs_a_step);
        tell(row, "ratio", seen.rates.ratio);
        char beside[96];
        std::snprintf(beside, sizeof beside, "%.0f steps/s, floor %.0f",
                      spread_of(seen.rates.product).median, spread_of(seen.rates.floor).median);
        if (durability == recoup::durability::power_loss)
            judge_ratio_above(into, "durable: power_loss, 50 in flight, against the SQLite floor",
                              seen.rates.ratio, 0.5, beside);
        else
            // Without syncs the processor's part shows, which a slow disk hides.
            into.judge("durable: process_crash, 50 in flight, against the SQLite floor", true,
                       shown(seen.rates.ratio, "%.3f", "×") + "; " + beside, "reported");
    }
}

}  // namespace bench
