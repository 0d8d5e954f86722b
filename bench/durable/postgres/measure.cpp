// SPDX-License-Identifier: BSL-1.0
// The same as on SQLite, on a PostgreSQL server that is started for it.
#include "durable/contest.hpp"
#include "durable/postgres/floor.hpp"
#include "durable/rows.hpp"
#include "support/keep_awake.hpp"
#include "support/postgres_server.hpp"

#include <chrono>
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
    auto const floor = postgres_floor(server->connection_string());
    operation_bytes const bytes{.start = 180, .step = 80, .finish = 190};
    keep_awake const awake;
    std::vector<double> alone;
    std::vector<double> grouped;
    for (auto round = 0; round != (chosen.quick ? 5 : 30); ++round) {
        auto const begin = std::chrono::steady_clock::now();
        floor->run_one(bytes);
        auto const took = std::chrono::steady_clock::now() - begin;
        alone.push_back(std::chrono::duration<double, std::micro>{took}.count());
        grouped.push_back(grouped_steps_a_second(*floor, 200ms, bytes));
    }
    details.at("postgres")
        .set("floor_one_caller_us_an_operation_of_12_commits", spread_of(alone))
        .set("floor_50_a_statement_steps_a_second", spread_of(grouped));
    into.skip("durable: power_loss, 50 in flight, against the PostgreSQL floor",
              "the library has no store on PostgreSQL yet; the floor is " +
                  text(spread_of(grouped), "steps/s", 0));
}

}  // namespace bench
