// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/result.hpp>
#include <recoup/platform/file.hpp>
#include <recoup/store/detail/sqlite_error.hpp>
#include <recoup/store/detail/sqlite_statement.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <sqlite3.h>

#if SQLITE_VERSION_NUMBER < 3037000
#error "recoup: sqlite_store needs SQLite 3.37 or newer."
#endif

namespace recoup::inline v1::detail {

/// One connection to a database file that is input: nothing in it is run, and it must not be made to
/// lose a write in silence. For one thread at a time.
class sqlite_connection {
  public:
    sqlite_connection() = default;
    sqlite_connection(sqlite_connection const&) = delete;
    sqlite_connection& operator=(sqlite_connection const&) = delete;
    ~sqlite_connection() { close(); }

    /// Opens `path`, absolute and free of links. Nothing is written yet, whatever the file holds.
    result<void> open(std::string const& path, int mode) {
        path_ = path;
        if (sqlite3_libversion_number() < 3037000 || sqlite3_threadsafe() == 0)
            return store_failure(
                store_errc::setting_refused,
                std::string{"SQLite "} + sqlite3_libversion() +
                    (sqlite3_threadsafe() == 0 ? " was built without threads" : "") +
                    "; expected 3.37 or newer, built with threads");
        // No URI, no creation, no mutex (the store has one), no cache shared with a stranger.
        auto const code = sqlite3_open_v2(path.c_str(), &db_,
                                          mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                                              SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                                          nullptr);
        if (db_ == nullptr) throw std::bad_alloc{};
        if (code != SQLITE_OK) return fail(code, "opening " + path_, false);
        sqlite3_busy_handler(db_, &sqlite_connection::on_busy, this);
        return harden();
    }

    /// Closes it; after a failed sync without the checkpoint that would try that again.
    void close() noexcept {
        if (db_ == nullptr) return;
        if (stopped_) checkpoint_on_close(false);
        begin_.finalize();
        commit_.finalize();
        sqlite3_close_v2(db_);
        db_ = nullptr;
    }

    /// Lets go of it in a forked child, whose copies of the locks are none: nothing is freed or closed.
    void abandon() noexcept {
        begin_.abandon();
        commit_.abandon();
        db_ = nullptr;
    }

    /// Until when a call may wait for locks of others.
    void wait_until(steady_time when) noexcept { busy_until_ = when; }

    void checkpoint_on_close(bool wanted) noexcept {
        int now = 0;
        sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, wanted ? 0 : 1, &now);
    }

    /// What a result code means, as a failure; a failed sync stops the connection for good.
    ///
    /// Throws: std::bad_alloc, where SQLite had no memory.
    failure fail(int code, std::string const& doing, bool writing) {
        require_memory(code);
        auto const verdict = verdict_of(code, system_error_of(db_), writing);
        if (verdict.stop) stopped_ = true;
        return sqlite_failure(verdict.code, code, db_, doing);
    }

    result<void> run(char const* sql, std::string const& doing, bool writing) {
        auto const code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
        if (code == SQLITE_OK) return success();
        return fail(code, doing, writing);
    }

    /// The first column of the first row as text; nothing where there is no row.
    result<std::optional<std::string>> ask(std::string const& sql) {
        sqlite_statement question;
        auto code = question.prepare(db_, sql);
        if (code == SQLITE_OK) code = question.step();
        if (code == SQLITE_DONE) return std::optional<std::string>{};
        if (code != SQLITE_ROW) return fail(code, "\"" + sql + "\" on " + path_, false);
        auto answer = std::optional<std::string>{std::string{question.text(0)}};
        // What a pragma changes is committed at its end: where that fails, it fails only there.
        while (code == SQLITE_ROW) code = question.step();
        if (code != SQLITE_DONE) return fail(code, "\"" + sql + "\" on " + path_, true);
        return answer;
    }

    result<std::int64_t> ask_number(std::string const& sql) {
        auto const answer = ask(sql);
        if (!answer.has_value()) return answer.error();
        // Numbers of SQLite's own making: at most 19 digits and a sign.
        return answer.value()
                   ? static_cast<std::int64_t>(std::strtoll(answer.value()->c_str(), nullptr, 10))
                   : std::int64_t{0};
    }

    /// Sets a pragma, reads it back, and refuses to go on where it is not as `expected`.
    result<void> set(std::string const& pragma, std::string const& value,
                     std::string const& expected) {
        auto const given = ask("PRAGMA " + pragma + "=" + value);
        if (!given.has_value()) return given.error();
        auto const read = ask("PRAGMA " + pragma);
        if (!read.has_value()) return read.error();
        auto const found = read.value().value_or("");
        if (found == expected) return success();
        return store_failure(store_errc::setting_refused, "PRAGMA " + pragma + " of " + path_ +
                                                              " is \"" + found + "\"; expected \"" +
                                                              expected + "\"");
    }

    /// Begins a transaction that writes, and ends it unless it was committed.
    class transaction {
      public:
        explicit transaction(sqlite_connection& on) noexcept : on_{&on} {}
        transaction(transaction const&) = delete;
        transaction& operator=(transaction const&) = delete;
        ~transaction() {
            // After some errors SQLite has rolled back by itself.
            if (open_ && sqlite3_get_autocommit(on_->db_) == 0)
                sqlite3_exec(on_->db_, "ROLLBACK", nullptr, nullptr, nullptr);
        }
        result<void> begin() {
            auto const code = on_->run(on_->begin_, "BEGIN IMMEDIATE");
            open_ = code == SQLITE_DONE;
            if (open_) return success();
            return on_->fail(code, "beginning to write to " + on_->path_, true);
        }
        result<void> commit() {
            auto const code = on_->run(on_->commit_, "COMMIT");
            open_ = code != SQLITE_DONE;
            if (!open_) return success();
            return on_->fail(code, "committing to " + on_->path_, true);
        }

      private:
        sqlite_connection* on_;
        bool open_ = false;
    };

    /// Moves what the log holds into the database. `truncate` waits for readers, and empties it.
    ///
    /// SQLite's own automatic checkpoint ignores a failed sync and tries it again, which loses data:
    /// the kernel reports the loss once. So it is off, and this is called instead.
    result<void> checkpoint(bool truncate) {
        int pages = 0;
        int moved = 0;
        auto const code = sqlite3_wal_checkpoint_v2(
            db_, "main", truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &pages,
            &moved);
        if (code == SQLITE_OK) {
            wal_pages_ = pages < 0 ? 0 : static_cast<std::uint64_t>(pages);
            wal_moved_ = moved < 0 ? 0 : static_cast<std::uint64_t>(moved);
            return success();
        }
        return fail(code, "moving the write-ahead log into " + path_, true);
    }

    /// Counts the pages of the log from now on.
    void watch_log() noexcept { sqlite3_wal_hook(db_, &sqlite_connection::on_commit, this); }

    [[nodiscard]] sqlite3* get() const noexcept { return db_; }
    [[nodiscard]] std::string const& path() const noexcept { return path_; }
    [[nodiscard]] bool stopped() const noexcept { return stopped_; }
    void stop() noexcept { stopped_ = true; }
    [[nodiscard]] std::uint64_t wal_pages() const noexcept { return wal_pages_; }
    [[nodiscard]] std::uint64_t wal_pages_to_move() const noexcept {
        return wal_pages_ - std::min(wal_pages_, wal_moved_);
    }
    [[nodiscard]] int changes() const noexcept { return sqlite3_changes(db_); }
    [[nodiscard]] std::int64_t total_changes() const noexcept {
        return sqlite3_total_changes64(db_);
    }
    [[nodiscard]] bool in_transaction() const noexcept { return sqlite3_get_autocommit(db_) == 0; }

  private:
    /// Runs what is compiled once; the code is read before the reset, which would tell it again.
    int run(sqlite_statement& kept, std::string_view text) noexcept {
        if (!kept.ready())
            if (auto const code = kept.prepare(db_, text); code != SQLITE_OK) return code;
        auto const code = kept.step();
        kept.reset();
        return code;
    }

    result<void> harden() {
        // Whether the file is ours is not known yet: reading it must leave it as it is.
        checkpoint_on_close(false);
        struct setting {
            int what;
            int value;
            char const* name;
        };
        for (auto const& each : {setting{SQLITE_DBCONFIG_DEFENSIVE, 1, "DEFENSIVE"},
                                 setting{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, "ENABLE_TRIGGER"},
                                 setting{SQLITE_DBCONFIG_ENABLE_VIEW, 0, "ENABLE_VIEW"},
                                 setting{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, "TRUSTED_SCHEMA"},
                                 setting{SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, "WRITABLE_SCHEMA"}}) {
            int now = -1;
            if (sqlite3_db_config(db_, each.what, each.value, &now) != SQLITE_OK ||
                now != each.value)
                return store_failure(store_errc::setting_refused,
                                     std::string{"SQLite refused the setting "} + each.name + "=" +
                                         std::to_string(each.value) + " for " + path_);
        }
        sqlite3_limit(db_, SQLITE_LIMIT_ATTACHED, 0);
        return success();
    }

    static int on_busy(void* self, int count) noexcept {
        auto const left = static_cast<sqlite_connection*>(self)->busy_until_ - real_clock::now();
        if (left <= duration::zero()) return 0;
        platform::pause(std::min(left, duration{100'000LL << std::min(count, 7)}));
        return 1;
    }

    static int on_commit(void* self, sqlite3*, char const*, int pages) noexcept {
        auto& mine = *static_cast<sqlite_connection*>(self);
        auto const now = pages < 0 ? 0 : static_cast<std::uint64_t>(pages);
        if (now < mine.wal_pages_) mine.wal_moved_ = 0;  // it began again at its front
        mine.wal_pages_ = now;
        return SQLITE_OK;
    }

    sqlite3* db_ = nullptr;
    sqlite_statement begin_, commit_;
    std::string path_;
    steady_time busy_until_{};
    std::uint64_t wal_pages_ = 0;
    std::uint64_t wal_moved_ = 0;
    bool stopped_ = false;
};

}  // namespace recoup::inline v1::detail
