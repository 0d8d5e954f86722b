// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/file_guard.hpp>
#include <recoup/store/detail/request_box.hpp>
#include <recoup/store/detail/sqlite_connection.hpp>
#include <recoup/store/detail/sqlite_ledger.hpp>
#include <recoup/store/detail/sqlite_operations.hpp>
#include <recoup/store/detail/sqlite_records.hpp>
#include <recoup/store/detail/sqlite_schema.hpp>
#include <recoup/store/detail/sqlite_settings.hpp>
#include <recoup/store/detail/sqlite_tidy.hpp>

#include <cstdint>
#include <string>

namespace recoup::inline v1::detail {

/// An open store file: where it is, the one connection to it, and what is in it.
///
/// Versions of SQLite below 3.51.3 (but for 3.44.6 and 3.50.7) damage a log that two writing connections
/// reset at once. There is one here, and the lock sees to it that there is no other.
class sqlite_file {
  public:
    // In the order of their making: the connection is closed before the lock is given back.
    file_guard guard;
    sqlite_tidy tidy;
    sqlite_connection connection;
    sqlite_ledger ledger{connection};
    sqlite_records records{connection, ledger};
    sqlite_operations operations{connection, ledger, records, guard};

    result<void> open(std::string const& path, sqlite_store_options const& options) {
        auto opened = options.read_only ? open_to_look(path) : open_to_own(path, options);
        // What was not accepted is left as it is, log and all.
        if (opened.has_value() && !options.read_only) connection.checkpoint_on_close(true);
        return opened;
    }

    /// Whether the file is still the one that was opened: writes to one that was removed are lost.
    [[nodiscard]] bool still_there() const noexcept { return guard.facts().same_file(opened_); }

    [[nodiscard]] std::uint64_t log_bytes() const noexcept {
        return connection.wal_pages() * page_bytes_;
    }

  private:
    result<void> open_to_look(std::string const& path) {
        if (auto found = guard.locate(path, false); !found.has_value()) return found;
        auto const exists = guard.check_files();
        if (!exists.has_value()) return exists.error();
        if (!exists.value())
            return store_failure(store_errc::unavailable,
                                 guard.path() + " is not there, and read_only makes none");
        tidy.watch(guard);
        if (auto opened = connection.open(guard.path(), SQLITE_OPEN_READONLY); !opened.has_value())
            return opened;
        ledger.share();
        connection.wait_until(saturating_add(real_clock::now(), patience));
        auto const version = identify(connection);
        if (!version.has_value()) return version.error();
        if (version.value() != sqlite_schema_version)
            return store_failure(store_errc::read_only, guard.path() + " has schema version " +
                                                            std::to_string(version.value()) +
                                                            " and must be migrated to " +
                                                            std::to_string(sqlite_schema_version) +
                                                            "; open it once for writing");
        // One view of the file for the count and the account, since its owner may be writing.
        if (auto begun = connection.run("BEGIN", "reading " + guard.path(), false);
            !begun.has_value())
            return begun;
        auto const taken = read_content(true);
        auto const ended = connection.run("COMMIT", "reading " + guard.path(), false);
        ledger.distrust_filter();
        return taken.has_value() ? ended : taken;
    }

    result<void> open_to_own(std::string const& path, sqlite_store_options const& options) {
        if (auto found = guard.locate(path, true); !found.has_value()) return found;
        auto const shared = options.sharing == sharing::processes;
        if (shared || options.durability == durability::power_loss)
            if (auto fit = guard.check_file_system(options.accepted_file_systems); !fit.has_value())
                return fit;
        if (shared) ledger.share();
        auto locked = shared ? guard.share(options.lock_wait) : guard.lock(options.lock_wait);
        if (!locked.has_value()) return locked;
        auto const exists = guard.check_files();
        if (!exists.has_value()) return exists.error();
        if (!exists.value())
            if (auto made = guard.create(); !made.has_value()) {
                // Where processes share it, another one may have been faster.
                if (!shared || !guard.facts().exists) return made;
            }
        opened_ = guard.facts();
        if (auto opened = connection.open(guard.path(), SQLITE_OPEN_READWRITE); !opened.has_value())
            return opened;
        connection.wait_until(saturating_add(real_clock::now(), options.busy_wait));

        auto version = result<std::int64_t>{sqlite_schema_version};
        auto const fresh = is_empty();
        if (!fresh.has_value()) return fresh.error();
        if (fresh.value()) {
            // Made in one transaction of a journal that is synced, before the log comes into use.
            if (auto set = connection.set("synchronous", "3", "3"); !set.has_value()) return set;
            auto made = create_schema(connection, sqlite_schema_version);
            // What was asked of an earlier file must not reach this one. A box that is not safe is never read.
            if (made.has_value()) static_cast<void>(request_box{guard.path()}.clear());
            if (!made.has_value()) {
                auto const still = is_empty();
                if (!shared || !still.has_value() || still.value()) return made;
            }
        } else {
            version = identify(connection);
            if (!version.has_value()) return version.error();
        }
        if (auto same = compare_schema(connection, version.value()); !same.has_value()) return same;
        if (auto set = apply_settings(connection, options); !set.has_value()) return set;
        if (version.value() != sqlite_schema_version)
            if (auto done = migrate(version.value()); !done.has_value()) return done;
        return settle(options);
    }

    /// Whether the file has nothing in it: not even what the log of another process may hold. Its size
    /// does not tell: a crash while it was made leaves the beginnings of it and a journal, which takes
    /// them back at this first look.
    result<bool> is_empty() {
        auto const pages = connection.ask_number("PRAGMA page_count");
        if (!pages.has_value()) return pages.error();
        return pages.value() == 0;
    }

    result<void> migrate(std::int64_t from) {
        sqlite_connection::transaction whole{connection};
        if (auto begun = whole.begin(); !begun.has_value()) return begun;
        auto const now = identify(connection);
        if (!now.has_value()) return now.error();
        if (now.value() == sqlite_schema_version) return success();  // another process did it
        if (auto moved = migrate_schema(connection, from); !moved.has_value()) return moved;
        if (auto ready = ledger.prepare(false); !ready.has_value()) return ready;
        // Version 0 had no account. That of version 1 stays, and what it says is missing stays missing.
        auto kept = ledger.read();
        if (!kept.has_value()) return kept.error();
        auto taken = kept.value() ? ledger.write(*kept.value())
                     : from == 0  ? ledger.accept_what_is_there()
                                  : success();
        if (!taken.has_value()) return taken;
        if (auto same = compare_schema(connection, sqlite_schema_version); !same.has_value())
            return same;
        return whole.commit();
    }

    /// Makes durable what an earlier owner may have left in the log without a sync, so that everything
    /// that is seen from now on is as durable as declared; then reads what is there.
    result<void> settle(sqlite_store_options const& options) {
        if (auto moved = connection.checkpoint(true); !moved.has_value()) {
            if (connection.stopped() ||
                moved.error().code() != make_error_code(store_errc::unavailable))
                return moved;
            // A reader is in the way: what it does not need is moved, and the log is synced first.
            moved = connection.checkpoint(false);
            if (!moved.has_value()) return moved;
        }
        auto const page = connection.ask_number("PRAGMA page_size");
        if (!page.has_value()) return page.error();
        page_bytes_ = static_cast<std::uint64_t>(page.value());
        // The log and its index were made meanwhile, in a folder that others may be able to write to.
        auto const still = guard.check_files();
        if (!still.has_value()) return still.error();
        if (!still_there()) return unsafe(guard.path() + " was replaced while it was opened");
        if (options.sharing == sharing::exclusive) return read_content(false);
        if (auto begun = connection.run("BEGIN", "reading " + guard.path(), false);
            !begun.has_value())
            return begun;
        auto const taken = read_content(false, true);
        auto const ended = connection.run("COMMIT", "reading " + guard.path(), false);
        return taken.has_value() ? ended : taken;
    }

    result<void> read_content(bool read_only, bool shared = false) {
        if (read_only)
            if (auto same = compare_schema(connection, sqlite_schema_version); !same.has_value())
                return same;
        if (auto ready = ledger.prepare(read_only); !ready.has_value()) return ready;
        if (auto ready = records.prepare(read_only); !ready.has_value()) return ready;
        if (auto ready = operations.prepare(read_only, shared); !ready.has_value()) return ready;
        return ledger.take_stock();
    }

    static constexpr duration patience{5'000'000'000};
    platform::file_facts opened_{};
    std::uint64_t page_bytes_ = 4096;
};

}  // namespace recoup::inline v1::detail
