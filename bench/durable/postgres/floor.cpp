// SPDX-License-Identifier: BSL-1.0
#include "durable/postgres/floor.hpp"

#include <array>
#include <stdexcept>
#include <string>

#include <libpq-fe.h>

namespace bench {

namespace {

// The row of the operation is locked until the commit: at READ COMMITTED the comparison of the epoch
// alone would race with a takeover.
constexpr auto one_step =
    "WITH fence AS MATERIALIZED (SELECT number FROM floor_operations WHERE number=$1::bigint AND "
    "epoch=1"
    " FOR NO KEY UPDATE) "
    "INSERT INTO floor_steps SELECT number, $2::int, $3::bytea FROM fence";
constexpr auto many_steps =
    "WITH given AS MATERIALIZED (SELECT * FROM unnest($1::bigint[], $2::int[], $3::bytea[])"
    " AS each(number, idx, value)), "
    "fence AS MATERIALIZED (SELECT number FROM floor_operations WHERE epoch=1 AND"
    " number=ANY($1::bigint[]) FOR NO KEY UPDATE) "
    "INSERT INTO floor_steps SELECT given.* FROM given JOIN fence USING (number)";

class postgres final : public floor_store {
  public:
    explicit postgres(std::string const& connection) : db_{PQconnectdb(connection.c_str())} {
        if (PQstatus(db_) != CONNECTION_OK) fail("connecting");
        run("SET client_min_messages = warning");
        run("DROP TABLE IF EXISTS floor_operations, floor_steps");
        run("CREATE TABLE floor_operations(number bigint PRIMARY KEY, epoch bigint NOT NULL,"
            " head bytea NOT NULL)");
        run("CREATE TABLE floor_steps(operation bigint NOT NULL, idx int NOT NULL,"
            " value bytea NOT NULL, PRIMARY KEY(operation, idx))");
        prepare_as("start", "INSERT INTO floor_operations VALUES($1::bigint, 1, $2::bytea)");
        prepare_as(
            "finish",
            "UPDATE floor_operations SET head=$2::bytea WHERE number=$1::bigint AND epoch=1");
        prepare_as("step", one_step);
        prepare_as("steps", many_steps);
    }

    ~postgres() override { PQfinish(db_); }

    void run_one(operation_bytes const& bytes) override {
        auto const number = std::to_string(next_++);
        execute<2>("start", {number, payload(bytes.start)}, 1);
        for (std::uint32_t i = 0; i != steps_each; ++i)
            execute<3>("step", {number, std::to_string(i), payload(bytes.step)}, 1);
        execute<2>("finish", {number, payload(bytes.finish)}, 1);
    }

    void prepare(std::size_t operations, operation_bytes const& bytes) override {
        auto const first = next_;
        next_ += operations;
        run("INSERT INTO floor_operations SELECT number, 1, '" + payload(bytes.start) +
            "' FROM generate_series(" + std::to_string(first) + ", " + std::to_string(next_ - 1) +
            ") AS made(number)");
    }

    void insert_steps(std::uint64_t first, std::uint32_t index, std::size_t bytes) override {
        auto const value = payload(bytes);
        std::string numbers = "{";
        std::string indices = "{";
        std::string values = "{";
        for (std::size_t i = 0; i != in_flight; ++i) {
            auto const* const between = i == 0 ? "" : ",";
            numbers += between + std::to_string(first + i);
            indices += between + std::to_string(index);
            values += std::string{between} + "\"\\" + value + '"';
        }
        execute<3>("steps", {numbers + '}', indices + '}', values + '}'}, in_flight);
    }

    void read_and_rewrite_all(std::size_t a_commit) override {
        auto* const all = PQexec(db_, "SELECT number, epoch, head FROM floor_operations");
        auto const rows = PQntuples(all);
        PQclear(all);
        if (static_cast<std::uint64_t>(rows) != next_ - 1) fail("reading all rows");
        for (std::uint64_t number = 1; number < next_; number += a_commit)
            run("UPDATE floor_operations SET epoch=epoch+1 WHERE number BETWEEN " +
                std::to_string(number) + " AND " + std::to_string(number + a_commit - 1));
    }

  private:
    [[noreturn]] void fail(std::string const& doing) const {
        throw std::runtime_error{"PostgreSQL, " + doing + ": " + PQerrorMessage(db_)};
    }

    void run(std::string const& sql) {
        auto* const answer = PQexec(db_, sql.c_str());
        auto const done = PQresultStatus(answer) == PGRES_COMMAND_OK;
        PQclear(answer);
        if (!done) fail(sql);
    }

    void prepare_as(char const* name, char const* sql) {
        auto* const answer = PQprepare(db_, name, sql, 0, nullptr);
        auto const done = PQresultStatus(answer) == PGRES_COMMAND_OK;
        PQclear(answer);
        if (!done) fail(sql);
    }

    template <std::size_t Count>
    void execute(char const* name, std::array<std::string, Count> const& values, std::size_t rows) {
        std::array<char const*, Count> pointers{};
        for (std::size_t i = 0; i != Count; ++i) pointers[i] = values[i].c_str();
        auto* const answer = PQexecPrepared(db_, name, static_cast<int>(Count), pointers.data(),
                                            nullptr, nullptr, 0);
        auto const done = PQresultStatus(answer) == PGRES_COMMAND_OK &&
                          PQcmdTuples(answer) == std::to_string(rows);
        PQclear(answer);
        if (!done) fail(name);
    }

    /// As text; another one each time, as real ones are.
    std::string payload(std::size_t bytes) {
        std::string text = "\\x";
        text.reserve(2 + 2 * bytes);
        for (std::size_t i = 0; i != bytes; ++i) {
            text += "0123456789abcdef"[(writes_ + i) % 16];
            text += '7';
        }
        ++writes_;
        return text;
    }

    PGconn* db_;
    std::size_t writes_ = 0;
};

}  // namespace

std::unique_ptr<floor_store> postgres_floor(std::string const& connection) {
    return std::make_unique<postgres>(connection);
}

}  // namespace bench
