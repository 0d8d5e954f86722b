// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/postgres_store.hpp>

#include "support/catch.hpp"

#include "postgres/server.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>
#include <vector>

// What the store costs beside the bare statements, in one run: by hand, with `postgres_test [rate]`.

namespace {

using namespace recoup_test;
using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::uint32_t in_flight = 50;
constexpr std::uint32_t steps_each = 10;
constexpr unsigned waves = 40;

double seconds_since(clock_type::time_point begin) {
    return std::chrono::duration<double>(clock_type::now() - begin).count();
}

/// The locked fence and the rows, fifty a statement, and nothing else.
double floor_rate(std::string const& schema, std::string const& payload) {
    using namespace recoup::detail;
    plain_client client;
    client.run("CREATE SCHEMA " + schema);
    client.run("CREATE TABLE " + schema + ".o (number bigint PRIMARY KEY, epoch bigint NOT NULL)");
    client.run("CREATE TABLE " + schema +
               ".s (operation bigint, idx bigint, payload bytea, PRIMARY KEY (operation, idx))");
    client.run("INSERT INTO " + schema + ".o SELECT n, 1 FROM generate_series(1, " +
               std::to_string(in_flight * waves) + ") n");
    client.run("ANALYZE");
    auto const sql = "WITH fence AS (SELECT o.number FROM " + schema +
                     ".o o JOIN unnest($1::bigint[]) AS w(number) ON o.number = w.number "
                     "WHERE o.epoch = 1 FOR NO KEY UPDATE OF o) INSERT INTO " +
                     schema +
                     ".s SELECT t.operation, t.idx, t.payload FROM unnest($1::bigint[], "
                     "$2::bigint[], $3::bytea[]) AS t(operation, idx, payload) "
                     "JOIN fence f ON f.number = t.operation";
    PQclear(PQprepare(client.get(), "floor", sql.c_str(), 0, nullptr));
    auto const begin = clock_type::now();
    for (unsigned wave = 0; wave != waves; ++wave)
        for (std::uint32_t index = 0; index != steps_each; ++index) {
            postgres_array number{pg_bigint}, place{pg_bigint}, bytes{pg_bytea};
            for (std::uint32_t i = 0; i != in_flight; ++i) {
                number.add(std::int64_t{wave * in_flight + i + 1});
                place.add(std::int64_t{index});
                bytes.add(std::string_view{payload});
            }
            postgres_values values;
            values.array(std::move(number)).array(std::move(place)).array(std::move(bytes));
            auto const all = values.get();
            postgres_rows const got{PQexecPrepared(client.get(), "floor", all.count(),
                                                   all.values.data(), all.lengths.data(),
                                                   all.formats.data(), 1)};
            REQUIRE(got.changed() == in_flight);
        }
    return in_flight * waves * steps_each / seconds_since(begin);
}

/// Operations of ten steps, fifty at a time, each in a thread of its own, from start to end.
double store_rate(recoup::postgres_store& store, std::string const& value, bool whole) {
    auto const owner = value_of(store.enter("rate", 1h));
    auto const one_operation = [&](std::string key, recoup::operation_record const* begun) {
        auto head = begun != nullptr ? *begun
                                     : store.start(operation(std::move(key)), owner).value().record;
        for (std::uint32_t index = 0; index != steps_each; ++index) {
            std::vector const steps{step(index, value)};
            if (!store.write(writing(head, steps)).has_value()) std::abort();
        }
        if (!whole) return;
        head.status = recoup::operation_status::succeeded;
        auto last = writing(head, {});
        last.head = &head;
        last.release = true;
        if (!store.write(last).has_value()) std::abort();
    };
    std::vector<std::vector<recoup::operation_record>> begun(in_flight);
    if (!whole)
        for (std::uint32_t i = 0; i != in_flight; ++i)
            for (unsigned wave = 0; wave != waves; ++wave)
                begun[i].push_back(
                    value_of(store.start(operation("s" + std::to_string(i * waves + wave)), owner))
                        .record);
    auto const begin = clock_type::now();
    {
        std::vector<std::jthread> threads;
        for (std::uint32_t i = 0; i != in_flight; ++i)
            threads.emplace_back([&, i] {
                for (unsigned wave = 0; wave != waves; ++wave)
                    one_operation(std::to_string(i) + "/" + std::to_string(wave),
                                  whole ? nullptr : &begun[i][wave]);
            });
    }
    return in_flight * waves * steps_each / seconds_since(begin);
}

TEST_CASE("fifty operations in flight are written at half the floor or more", "[.][rate]") {
    std::string const value(20, 'v');
    auto const payload = recoup::detail::encode_step(1, step(0, value));
    std::vector<double> floors, steps, wholes;
    for (int round = 0; round != 5; ++round) {
        auto const options = fresh_options();
        floors.push_back(floor_rate(options.schema + "_floor", payload));
        auto const store = open_store(options);
        steps.push_back(store_rate(*store, value, false));
        wholes.push_back(store_rate(*store, value, true));
    }
    auto const median = [](std::vector<double> all) {
        std::nth_element(all.begin(), all.begin() + 2, all.end());
        return all[2];
    };
    std::cout << "floor " << median(floors) << " steps/s; steps of begun operations "
              << median(steps) << " (" << median(steps) / median(floors)
              << "); whole operations, with start and end " << median(wholes) << " ("
              << median(wholes) / median(floors) << ")\n";
}

}  // namespace
