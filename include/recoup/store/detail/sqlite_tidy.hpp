// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/store/detail/file_guard.hpp>
#include <recoup/store/detail/sqlite_connection.hpp>

#include <string>
#include <system_error>

#include <sqlite3.h>

namespace recoup::inline v1::detail {

/// Leaves nothing behind of a connection that only reads: such a one makes an empty log, and its index, where
/// there is none, and cannot remove them, for that takes a lock that only a writer may have.
///
/// To be destroyed after that connection, and before the guard.
class sqlite_tidy {
  public:
    sqlite_tidy() = default;
    sqlite_tidy(sqlite_tidy const&) = delete;
    sqlite_tidy& operator=(sqlite_tidy const&) = delete;
    ~sqlite_tidy() {
        if (guard_ == nullptr || guard_->in_another_process() || !is_empty_log()) return;
        try {
            remove_log();
        } catch (...) {
            // What stays is empty, and the next owner uses it.
        }
    }

    /// Before the connection opens the file.
    void watch(file_guard const& guard) {
        std::error_code error;
        auto const log = platform::facts_at(guard.folder(), guard.name() + "-wal", error);
        if (!error && !log.exists) guard_ = &guard;
    }

  private:
    [[nodiscard]] bool is_empty_log() const {
        std::error_code error;
        auto const log = platform::facts_at(guard_->folder(), guard_->name() + "-wal", error);
        return !error && log.exists && log.size == 0;
    }

    /// SQLite removes the log with the last connection that may write, if it gets the file's exclusive
    /// lock: so never under an owner that came meanwhile, or under another reader.
    void remove_log() const {
        sqlite_connection last;
        if (!last.open(guard_->path(), SQLITE_OPEN_READWRITE).has_value()) return;
        last.wait_until(real_clock::now());
        last.checkpoint_on_close(true);
        static_cast<void>(last.ask_number("SELECT count(*) FROM sqlite_master"));
    }

    file_guard const* guard_ = nullptr;
};

}  // namespace recoup::inline v1::detail
