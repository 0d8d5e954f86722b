// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/store/detail/sqlite_file.hpp>
#include <recoup/store/detail/sqlite_maintenance.hpp>
#include <recoup/store/detail/timed_lock.hpp>
#include <recoup/store/sqlite_options.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

/// Keeps records in a SQLite database: the store to begin with. Link SQLite (`recoup::sqlite`).
///
/// One process, and in it one object, owns the file; another that opens it gets `store_errc::locked`
/// with the owner's name. Beside the file there are `-wal` and `-shm` of SQLite, and `.lock`, which
/// stays. `sqlite_store_options` says what each durability costs.
///
/// - After a failed sync, or an I/O error on the way to one, nothing is acknowledged any more
///   (`stopped`): the kernel may have dropped what was written, and says so only once. Reading goes on.
/// - A full disk is `full`; saving works again once there is room.
/// - A damaged record is `corrupt` and left as it is; the others go on. `damaged()` tells which were met,
///   `verify()` looks for all, `discard()` takes one out. Where the file lacks records it should hold, what
///   is not found is `corrupt` too, until `accept_loss()`.
/// - In a forked child every call is `forked`; the parent's store is not disturbed.
/// - What has ended and expired is removed at opening and at every 256th save, some at a time, and
///   where room is needed. What counts as now there is the newest `updated` that was saved, or the wall
///   clock where that is earlier.
///
/// Thread safety: all members may be called concurrently; one at a time uses the file.
class sqlite_store {
  public:
    /// Opens or makes the file at `path`, and its folder where only that is missing.
    ///
    /// Throws: recovery_error with a `store_errc`; std::bad_alloc.
    explicit sqlite_store(std::string path, sqlite_store_options options = {})
        : sqlite_store{std::move(options)} {
        if (auto opened = start(path); !opened.has_value()) throw recovery_error{opened.error()};
    }

    /// The same, with the failure as a value.
    static result<std::unique_ptr<sqlite_store>> open(std::string const& path,
                                                      sqlite_store_options options = {}) {
        std::unique_ptr<sqlite_store> store{new sqlite_store{std::move(options)}};
        if (auto opened = store->start(path); !opened.has_value()) return opened.error();
        return store;
    }

    sqlite_store(sqlite_store const&) = delete;
    sqlite_store& operator=(sqlite_store const&) = delete;
    ~sqlite_store() {
        // A child's copy of the connection is not its own to close: that could touch the parent's file.
        if (file_->guard.in_another_process()) static_cast<void>(file_.release());
    }

    [[nodiscard]] result<std::optional<record>> load(operation_ref id,
                                                     duration at_most = unlimited) {
        return use<std::optional<record>>(at_most, [&] { return file_->records.load(id); });
    }

    [[nodiscard]] result<std::uint64_t> save(record const& what, duration at_most = unlimited) {
        auto const bytes = detail::encoded_size(what);
        auto const most = std::min(options_.record_bytes_max, detail::record_bytes_limit);
        if (bytes > most) return detail::too_large(what.id, bytes, most);
        return change<std::uint64_t>(at_most, [&]() -> result<std::uint64_t> {
            if (what.revision == 0)
                if (auto room = make_room(); !room.has_value()) return room.error();
            auto saved = file_->records.save(what);
            if (saved.has_value() && ++saves_ % clean_up_every == 0) clean_up_by_itself();
            return saved;
        });
    }

    [[nodiscard]] result<void> erase(operation_ref id, std::uint64_t revision,
                                     duration at_most = unlimited) {
        return change<void>(at_most, [&] { return file_->records.erase(id, revision); });
    }

    [[nodiscard]] result<std::vector<record>> list(record_filter const& filter = {}) {
        std::vector<record> page;
        auto after = filter.after.value_or(operation_id{});
        for (bool more = page.size() < filter.limit; more;) {
            // Some at a time, so that a long list does not keep others waiting.
            auto scanned = use<bool>(unlimited, [&] {
                return file_->records.scan(after, scanned_at_once,
                                           [&](detail::sqlite_statement const& row) {
                                               take(row, filter, page);
                                               return page.size() < filter.limit;
                                           });
            });
            if (!scanned.has_value()) return scanned.error();
            more = scanned.value() && page.size() < filter.limit;
        }
        return page;
    }

    [[nodiscard]] result<std::size_t> clean_up(system_time now, std::size_t most) {
        std::size_t removed = 0;
        for (bool more = most != 0; more;) {
            auto const wanted = std::min(most - removed, cleaned_at_once);
            auto cleaned = change<std::size_t>(
                unlimited, [&] { return file_->records.clean_up(now, wanted); });
            if (!cleaned.has_value()) return cleaned.error();
            removed += cleaned.value();
            more = cleaned.value() == wanted && removed != most;
        }
        return removed;
    }

    /// Whether `load` may give something other than nothing: where it says no, there is no record. Takes no
    /// lock and some ns; exact up to some thousands of records.
    [[nodiscard]] bool may_contain(operation_ref id) const noexcept {
        return file_->ledger.may_contain(id) || file_->guard.forked();
    }

    [[nodiscard]] recoup::durability durability() const noexcept { return options_.durability; }

    /// The namespace that was given for operations that name none.
    [[nodiscard]] std::string const& space() const noexcept { return options_.space; }

    /// The file, absolute and without links.
    [[nodiscard]] std::string path() const { return file_->guard.path(); }

    /// How many records there are. Complexity: constant; linear in them where `read_only`.
    [[nodiscard]] result<std::uint64_t> size() {
        return use<std::uint64_t>(unlimited, [&]() -> result<std::uint64_t> {
            if (!options_.read_only) return file_->ledger.account().records;
            auto const counted = file_->ledger.count(nullptr);
            if (!counted.has_value()) return counted.error();
            return counted.value().records;
        });
    }

    /// SQLite's settings as they are in force, read from it now.
    [[nodiscard]] result<std::vector<std::pair<std::string, std::string>>> settings() {
        return use<std::vector<std::pair<std::string, std::string>>>(
            unlimited, [&] { return detail::read_settings(file_->connection); });
    }

    /// The damaged records that were met since opening; at most 64.
    [[nodiscard]] result<std::vector<damaged_record>> damaged() {
        return use<std::vector<damaged_record>>(
            unlimited,
            [&]() -> result<std::vector<damaged_record>> { return file_->records.damaged(); });
    }

    /// Reads everything and says what is wrong. Changes nothing.
    ///
    /// Complexity: linear in the file's size; others are let in between.
    [[nodiscard]] result<sqlite_verification> verify() {
        sqlite_verification found;
        std::int64_t after = INT64_MIN;
        for (bool more = true; more;) {
            auto const checked = use<bool>(unlimited, [&] {
                return detail::verify_rows(*file_, after, scanned_at_once, found);
            });
            if (!checked.has_value()) return checked.error();
            more = checked.value();
        }
        auto const whole = use<void>(unlimited, [&] { return detail::verify_file(*file_, found); });
        if (!whole.has_value()) return whole.error();
        return found;
    }

    /// Removes a damaged record that `damaged()` or `verify()` told of; `conflict` where it is not damaged.
    [[nodiscard]] result<void> discard(damaged_record const& what) {
        return change<void>(unlimited, [&] { return file_->records.discard(what); });
    }

    /// Goes on with what is there where the file lacks records: from now on what is not found counts as
    /// never recorded. Read `verify()` first.
    [[nodiscard]] result<void> accept_loss() {
        return change<void>(unlimited, [&]() -> result<void> {
            if (auto taken = file_->ledger.accept_what_is_there(); !taken.has_value()) return taken;
            return file_->ledger.take_stock();
        });
    }

    /// Copies the store, live, into a new file at `path`; there must be none. Durable when it returns.
    [[nodiscard]] result<void> backup(std::string const& path) {
        detail::sqlite_copy copy;
        if (auto begun = use<void>(unlimited, [&] { return copy.begin(file_->connection, path); });
            !begun.has_value())
            return begun;
        for (bool more = true; more;) {
            auto const copied = use<bool>(unlimited, [&] { return copy.step(options_.busy_wait); });
            if (!copied.has_value()) return copied.error();
            more = copied.value();
        }
        return use<void>(unlimited, [&] { return copy.finish(); });
    }

  private:
    explicit sqlite_store(sqlite_store_options&& options)
        : options_{std::move(options)}, file_{std::make_unique<detail::sqlite_file>()} {}

    result<void> start(std::string const& path) {
        auto opened = file_->open(path, options_);
        if (!opened.has_value()) {
            file_ = std::make_unique<detail::sqlite_file>();  // closes, and gives the lock back
            return opened;
        }
        if (!options_.read_only) clean_up_by_itself();
        return opened;
    }

    /// Does `work` alone, with at most `at_most` of waiting for others.
    template <class T, class Work>
    result<T> use(duration at_most, Work const& work) {
        if (file_->guard.in_another_process())
            return detail::store_failure(store_errc::forked,
                                         "the store " + file_->guard.path() +
                                             " was opened by the process that forked "
                                             "this one; open it anew here when that has closed it");
        auto const until = saturating_add(real_clock::now(), std::min(at_most, options_.busy_wait));
        std::unique_lock lock{mutex_, std::try_to_lock};
        if (!lock.owns_lock() && !lock.try_lock_until(until))
            return detail::store_failure(
                store_errc::unavailable,
                "the store " + file_->guard.path() + " was busy for as long as could be waited");
        file_->connection.wait_until(until);
        return work();
    }

    template <class T, class Work>
    result<T> change(duration at_most, Work const& work) {
        return use<T>(at_most, [&]() -> result<T> {
            if (options_.read_only)
                return detail::store_failure(store_errc::read_only,
                                             file_->guard.path() + " was opened read_only");
            if (file_->connection.stopped())
                return detail::store_failure(
                    store_errc::stopped, "the store " + file_->guard.path() +
                                             " stopped: it failed to write or sync, and what is "
                                             "on the disk is not known; open it anew");
            if (auto bounded = bound_log(); !bounded.has_value()) return bounded.error();
            auto changed = work();
            if (!changed.has_value()) return changed;
            if (!file_->still_there()) {
                file_->connection.stop();
                return detail::unsafe(file_->guard.path() +
                                      " was removed or replaced while it was open");
            }
            // The record is durable in the log. Where moving the log fails in a way that matters, the
            // connection has stopped, and the next call says so.
            if (file_->connection.wal_pages_to_move() >= detail::checkpoint_pages)
                static_cast<void>(file_->connection.checkpoint(false));
            return changed;
        });
    }

    /// A reader that stays keeps the log from beginning again: its growth ends here.
    result<void> bound_log() {
        if (file_->log_bytes() <= options_.wal_bytes_max) return success();
        auto moved = file_->connection.checkpoint(true);
        if (moved.has_value() || moved.error().code() != make_error_code(store_errc::unavailable))
            return moved;
        return detail::store_failure(store_errc::full,
                                     "the write-ahead log of " + file_->guard.path() + " has " +
                                         std::to_string(file_->log_bytes()) +
                                         " bytes, since a reader holds on to it; its limit is " +
                                         std::to_string(options_.wal_bytes_max));
    }

    result<void> make_room() {
        auto const& account = file_->ledger.account();
        if (account.records >= options_.records_max) clean_up_by_itself();
        if (account.records < options_.records_max) return success();
        return detail::store_failure(
            store_errc::full, file_->guard.path() + " holds " + std::to_string(account.records) +
                                  " records; its limit is " + std::to_string(options_.records_max));
    }

    void clean_up_by_itself() {
        auto const now = std::min(file_->records.latest(), real_clock::system_now());
        // What fails here fails again where it matters, and is told there.
        static_cast<void>(file_->records.clean_up(now, cleaned_by_itself));
    }

    void take(detail::sqlite_statement const& row, record_filter const& filter,
              std::vector<record>& page) {
        if (filter.name && row.text(2) != *filter.name) return;
        if (filter.status && row.integer(5) != static_cast<std::int64_t>(*filter.status)) return;
        auto read = detail::read_row(row);
        if (read.content.wrong == nullptr)
            page.push_back(std::move(*read.content.value));
        else if (!read.content.newer)
            file_->records.note_damage(detail::describe_damage(row, read));
    }

    static constexpr std::size_t scanned_at_once = 256;
    static constexpr std::size_t cleaned_at_once = 256;
    static constexpr std::size_t cleaned_by_itself = 64;
    static constexpr std::uint64_t clean_up_every = 256;

    sqlite_store_options options_;
    detail::timed_lock mutex_;
    std::unique_ptr<detail::sqlite_file> file_;
    std::uint64_t saves_ = 0;
};

static_assert(persistence_policy<sqlite_store>);

}  // namespace recoup::inline v1
