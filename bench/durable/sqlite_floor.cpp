// SPDX-License-Identifier: BSL-1.0
#include "durable/floors.hpp"

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <sqlite3.h>

namespace bench {

namespace {

class sqlite final : public floor_store {
  public:
    sqlite(std::string const& path, bool synced) : payload_(std::size_t{1} << 16U, 'p') {
        for (auto const* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix);
        expect(sqlite3_open(path.c_str(), &db_), "opening");
        // A checkpoint as often as the library makes one.
        run("PRAGMA journal_mode=WAL");
        run(synced ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
        run("PRAGMA wal_autocheckpoint=1000");
        run("CREATE TABLE operations(number INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,"
            " head BLOB NOT NULL) STRICT");
        run("CREATE TABLE steps(operation INTEGER NOT NULL, idx INTEGER NOT NULL,"
            " value BLOB NOT NULL, PRIMARY KEY(operation, idx)) STRICT, WITHOUT ROWID");
        begin_ = prepared("BEGIN IMMEDIATE");
        commit_ = prepared("COMMIT");
        start_ = prepared("INSERT INTO operations VALUES(?1, 1, ?2)");
        step_ = prepared(
            "INSERT INTO steps SELECT ?1, ?2, ?3 FROM operations WHERE number=?1 AND epoch=1");
        finish_ = prepared("UPDATE operations SET head=?2 WHERE number=?1 AND epoch=1");
    }

    ~sqlite() override {
        for (auto* each : {begin_, commit_, start_, step_, finish_}) sqlite3_finalize(each);
        sqlite3_close(db_);
    }

    void run_one(operation_bytes const& bytes) override {
        auto const number = next_++;
        write(start_, number, 0, bytes.start);
        for (std::uint32_t i = 0; i != steps_each; ++i) write(step_, number, i, bytes.step);
        write(finish_, number, 0, bytes.finish);
    }

    void prepare(std::size_t operations, operation_bytes const& bytes) override {
        done(begin_);
        head_bytes_ = bytes.start;
        for (std::size_t i = 0; i != operations; ++i) write(start_, next_++, 0, bytes.start);
        done(commit_);
    }

    void insert_steps(std::uint64_t first, std::uint32_t index, std::size_t bytes) override {
        done(begin_);
        for (std::size_t i = 0; i != in_flight; ++i) write(step_, first + i, index, bytes);
        done(commit_);
    }

    void read_and_rewrite_all(std::size_t a_commit) override {
        auto* const all = prepared("SELECT number, epoch, head FROM operations");
        auto* const one = prepared("UPDATE operations SET epoch=epoch+1, head=?2 WHERE number=?1");
        std::size_t rows = 0;
        while (sqlite3_step(all) == SQLITE_ROW) rows += sqlite3_column_bytes(all, 2) != 0 ? 1 : 0;
        expect(sqlite3_finalize(all), "reading");
        if (rows != next_ - 1) throw std::runtime_error{"SQLite: not all rows were read"};
        for (std::uint64_t number = 1; number != next_;) {
            done(begin_);
            for (std::size_t i = 0; i != a_commit && number != next_; ++i)
                write(one, number++, 0, head_bytes_);
            done(commit_);
        }
        sqlite3_finalize(one);
    }

  private:
    void expect(int code, char const* doing) const {
        if (code == SQLITE_OK) return;
        throw std::runtime_error{std::string{"SQLite, "} + doing + ": " + sqlite3_errmsg(db_)};
    }

    void run(char const* sql) { expect(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr), sql); }

    sqlite3_stmt* prepared(char const* sql) {
        sqlite3_stmt* made = nullptr;
        expect(sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr), sql);
        return made;
    }

    void done(sqlite3_stmt* what) {
        if (sqlite3_step(what) != SQLITE_DONE) expect(sqlite3_reset(what), sqlite3_sql(what));
        sqlite3_reset(what);
    }

    void write(sqlite3_stmt* what, std::uint64_t number, std::uint32_t index, std::size_t bytes) {
        sqlite3_bind_int64(what, 1, static_cast<std::int64_t>(number));
        // SQLite leaves a page as it is where the same bytes are written over it.
        payload_.front() = static_cast<char>(++writes_);
        auto const* const payload = payload_.data();
        auto const size = static_cast<int>(bytes);
        if (what == step_) {
            sqlite3_bind_int64(what, 2, index);
            sqlite3_bind_blob(what, 3, payload, size, SQLITE_STATIC);
        } else {
            sqlite3_bind_blob(what, 2, payload, size, SQLITE_STATIC);
        }
        done(what);
        if (sqlite3_changes(db_) != 1)
            throw std::runtime_error{"SQLite: a fenced write changed nothing"};
    }

    sqlite3* db_ = nullptr;
    sqlite3_stmt* begin_ = nullptr;
    sqlite3_stmt* commit_ = nullptr;
    sqlite3_stmt* start_ = nullptr;
    sqlite3_stmt* step_ = nullptr;
    sqlite3_stmt* finish_ = nullptr;
    std::string payload_;
    std::size_t head_bytes_ = 0;
    unsigned char writes_ = 0;
};

}  // namespace

std::unique_ptr<floor_store> sqlite_floor(std::string const& path, bool synced) {
    return std::make_unique<sqlite>(path, synced);
}

double grouped_steps_a_second(floor_store& floor, std::chrono::nanoseconds span,
                              operation_bytes const& bytes) {
    constexpr std::size_t groups = 4;
    using clock = std::chrono::steady_clock;
    std::chrono::nanoseconds took{};
    std::size_t steps = 0;
    while (took < span) {
        auto const first = floor.next();
        floor.prepare(groups * in_flight, bytes);
        auto const begin = clock::now();
        for (std::size_t group = 0; group != groups; ++group)
            for (std::uint32_t index = 0; index != steps_each; ++index)
                floor.insert_steps(first + group * in_flight, index, bytes.step);
        took += clock::now() - begin;
        steps += groups * in_flight * steps_each;
    }
    return static_cast<double>(steps) / std::chrono::duration<double>{took}.count();
}

}  // namespace bench
