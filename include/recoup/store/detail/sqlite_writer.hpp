// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_change.hpp>
#include <recoup/store/detail/sqlite_file.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace recoup::inline v1::detail {

/// Does what callers want in one transaction, each with its own verdict. One thread at a time.
class sqlite_writer {
  public:
    explicit sqlite_writer(sqlite_file& file, sqlite_store_options const& options) noexcept
        : file_{&file}, options_{&options} {}

    /// Whether writing makes sense at all.
    result<void> ready() {
        if (file_->connection.stopped())
            return store_failure(store_errc::stopped,
                                 "the store " + file_->guard.path() +
                                     " stopped: it failed to write or sync, and what is "
                                     "on the disk is not known; open it anew");
        return bound_log();
    }

    /// All of `tasks`, or, where one of them fails in a way that takes back the others, each for itself.
    void commit(std::span<sqlite_task* const> tasks) {
        if (auto fit = ready(); !fit.has_value()) return fail(tasks, fit.error());
        auto done = together(tasks);
        if (!done.has_value() && (tasks.size() == 1 || file_->connection.stopped()))
            return fail(tasks, done.error());
        if (!done.has_value())
            for (auto const& each : tasks)
                if (auto alone = together({&each, 1}); !alone.has_value())
                    each->fail(alone.error());
        if (auto kept = finish(); !kept.has_value()) fail(tasks, kept.error());
    }

    /// Behind a commit: whether what was written is where it should be, and the log is not too long.
    result<void> finish() {
        if (!file_->still_there()) {
            file_->connection.stop();
            return unsafe(file_->guard.path() + " was removed or replaced while it was open");
        }
        // What was committed is durable in the log. Where moving the log fails in a way that matters, the
        // connection has stopped, and the next call says so.
        if (file_->connection.wal_pages_to_move() >= checkpoint_pages)
            static_cast<void>(file_->connection.checkpoint(false));
        return success();
    }

    /// Runs `work(change) -> result<T>` in a transaction of its own, and takes back what it did where it
    /// fails or throws.
    template <class Work>
    auto alone(Work const& work) -> decltype(work(std::declval<sqlite_change&>())) {
        sqlite_change change;
        undo_at_end undo{*file_, change};
        sqlite_connection::transaction whole{file_->connection};
        if (auto begun = begin(whole, change); !begun.has_value()) return begun.error();
        auto done = work(change);
        if (!done.has_value()) return done;
        if (auto ended = end(whole, change); !ended.has_value()) return ended.error();
        undo.keep();
        return done;
    }

  private:
    /// Takes back what is known of a transaction that did not come to its end.
    class undo_at_end {
      public:
        undo_at_end(sqlite_file& file, sqlite_change& change) noexcept
            : file_{&file}, change_{&change} {}
        undo_at_end(undo_at_end const&) = delete;
        undo_at_end& operator=(undo_at_end const&) = delete;
        ~undo_at_end() {
            if (kept_) return;
            file_->operations.take_back(*change_);
            // After a commit that failed it is open whether a record is there.
            if (!file_->connection.stopped())
                for (auto const& id : change_->remembered) file_->ledger.forget(id);
        }
        void keep() noexcept { kept_ = true; }

      private:
        sqlite_file* file_;
        sqlite_change* change_;
        bool kept_ = false;
    };

    static void fail(std::span<sqlite_task* const> tasks, failure const& why) {
        for (auto* each : tasks) each->fail(why);
    }

    result<void> begin(sqlite_connection::transaction& whole, sqlite_change& change) {
        if (auto begun = whole.begin(); !begun.has_value()) return begun;
        auto account = file_->ledger.current();
        if (!account.has_value()) return account.error();
        change.account = account.value();
        return success();
    }

    result<void> end(sqlite_connection::transaction& whole, sqlite_change& change) {
        if (change.account_changed)
            if (auto written = file_->ledger.write(change.account); !written.has_value())
                return written;
        if (auto done = whole.commit(); !done.has_value()) return done;
        file_->ledger.settle(change.account);
        for (auto const& id : change.forgotten) file_->ledger.forget(id);
        return success();
    }

    result<void> together(std::span<sqlite_task* const> tasks) {
        auto& connection = file_->connection;
        sqlite_change change;
        undo_at_end undo{*file_, change};
        sqlite_connection::transaction whole{connection};
        if (auto begun = begin(whole, change); !begun.has_value()) return begun;
        auto const first = connection.total_changes();
        for (auto* each : tasks) {
            auto const before = connection.total_changes();
            each->apply(change);
            auto const* const failed = each->failed();
            if (failed == nullptr) continue;
            auto const untouched = connection.total_changes() == before &&
                                   connection.in_transaction() && !connection.stopped();
            if (!untouched) return *failed;
        }
        // Verdicts alone cost no sync.
        if (connection.total_changes() == first && !change.account_changed) {
            undo.keep();
            return success();
        }
        if (auto ended = end(whole, change); !ended.has_value()) return ended;
        undo.keep();
        return success();
    }

    /// A reader that stays keeps the log from beginning again: its growth ends here.
    result<void> bound_log() {
        if (file_->log_bytes() <= options_->wal_bytes_max) return success();
        auto moved = file_->connection.checkpoint(true);
        if (moved.has_value() || moved.error().code() != make_error_code(store_errc::unavailable))
            return moved;
        return store_failure(store_errc::full,
                             "the write-ahead log of " + file_->guard.path() + " has " +
                                 std::to_string(file_->log_bytes()) +
                                 " bytes, since a reader holds on to it; its limit is " +
                                 std::to_string(options_->wal_bytes_max));
    }

    sqlite_file* file_;
    sqlite_store_options const* options_;
};

}  // namespace recoup::inline v1::detail
