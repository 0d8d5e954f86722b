// SPDX-License-Identifier: BSL-1.0
// The same as on SQLite, on a PostgreSQL server that is started for it.
#include "durable/contest.hpp"
#include "durable/durable_runs.hpp"
#include "durable/postgres/floor.hpp"
#include "durable/rows.hpp"
#include "support/keep_awake.hpp"
#include "support/postgres_server.hpp"

#include <recoup/store/postgres_store.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace bench {

void measure_postgres(plan const& chosen, report& into, figures& details) {
    std::string why_not;
    auto const server = support::postgres_server::start(why_not);
    if (!server) {
        into.skip("durable: all on PostgreSQL", why_not);
        return;
    }
    auto const store =
        recoup::postgres_store::open(server->connection_string(), {.schema = "product"}).value();
    durable_runs product{*store};
    product.run_one();
    auto const bytes = product.bytes();
    auto const floor = postgres_floor(server->connection_string());
    keep_awake const awake;
    auto const alone = compare(
        chosen.quick ? 1s : 5s,
        [&] {
            auto const begin = std::chrono::steady_clock::now();
            floor->run_one(bytes);
            return std::chrono::duration<double, std::micro>{std::chrono::steady_clock::now() -
                                                             begin}
                .count();
        },
        [&] {
            auto const begin = std::chrono::steady_clock::now();
            product.run_one();
            return std::chrono::duration<double, std::micro>{std::chrono::steady_clock::now() -
                                                             begin}
                .count();
        });
    auto const grouped = compare(
        chosen.quick ? 5s : 30s, [&] { return grouped_steps_a_second(*floor, 300ms, bytes); },
        [&] { return product.steps_a_second(300ms); });

    auto& rows = details.at("postgres");
    rows.set("floor_one_caller_us_an_operation_of_12_commits", spread_of(alone.floor))
        .set("recoup_one_caller_us_an_operation_of_12_commits", spread_of(alone.product))
        .set("floor_50_a_statement_steps_a_second", spread_of(grouped.floor))
        .set("recoup_50_in_flight_steps_a_second", spread_of(grouped.product));
    tell(rows, "one_caller_ratio", alone.ratio);
    tell(rows, "in_flight_ratio", grouped.ratio);
    into.judge("durable: power_loss, one caller, by the PostgreSQL floor", true,
               shown(alone.ratio, "%.3f", "×") + "; " +
                   text(spread_of(alone.product).median, "µs an operation", 0),
               "reported");
    char beside[96];
    std::snprintf(beside, sizeof beside, "%.0f steps/s, floor %.0f",
                  spread_of(grouped.product).median, spread_of(grouped.floor).median);
    judge_ratio_above(into, "durable: power_loss, 50 in flight, against the PostgreSQL floor",
                      grouped.ratio, 0.5, beside);
}

}  // namespace bench
