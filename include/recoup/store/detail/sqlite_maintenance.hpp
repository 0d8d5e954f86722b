// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_file.hpp>
#include <recoup/store/detail/sqlite_operation_care.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace recoup::inline v1::detail {

/// Reads up to `most` rows behind row `after`, by row and not by index; says whether there may be more.
inline result<bool> verify_rows(sqlite_file& file, std::int64_t& after, std::size_t most,
                                sqlite_verification& found) {
    sqlite_statement row;
    auto code =
        row.prepare(file.connection.get(), "SELECT " + std::string{row_columns} +
                                               " FROM recoup_record NOT INDEXED WHERE number > ?1 "
                                               "ORDER BY number LIMIT ?2");
    row.bind(1, after);
    row.bind(2, static_cast<std::int64_t>(most));
    std::size_t seen = 0;
    if (code == SQLITE_OK) code = row.step();
    for (; code == SQLITE_ROW; code = row.step(), ++seen) {
        auto const read = read_row(row);
        after = read.number;
        if (read.content.wrong == nullptr) {
            ++found.records;
            continue;
        }
        auto damage = describe_damage(row, read);
        file.records.note_damage(damage);
        found.damaged.push_back(std::move(damage));
    }
    if (code == SQLITE_DONE) return seen == most;
    auto const failed =
        file.connection.fail(code, "verifying the records of " + file.connection.path(), false);
    if (failed.code() != make_error_code(store_errc::corrupt)) return failed;
    found.problems.push_back(failed.message());
    return false;
}

/// Notes that the account could not be compared with what is there, where that is a damage of the file; the
/// failure where it is not.
inline result<void> account_unread(failure const& why, sqlite_verification& found) {
    if (why.code() != make_error_code(store_errc::corrupt)) return why;
    found.problems.push_back(why.message());
    found.complete = false;
    return success();
}

/// Compares the identities with the account, in one view of the file.
inline result<void> verify_account(sqlite_file& file, sqlite_verification& found) {
    auto const doing = "verifying " + file.connection.path();
    if (auto begun = file.connection.run("BEGIN", doing, false); !begun.has_value())
        return account_unread(begun.error(), found);
    auto const account = file.ledger.read();
    auto counted = file.ledger.count(nullptr);
    if (counted.has_value())
        if (auto done = file.ledger.count_operations(counted.value()); !done.has_value())
            counted = done.error();
    auto const ended = file.connection.run("COMMIT", doing, false);
    if (!account.has_value()) return account_unread(account.error(), found);
    if (!counted.has_value()) return account_unread(counted.error(), found);
    if (!ended.has_value()) return account_unread(ended.error(), found);
    auto const& kept = account.value();
    found.complete = !file.ledger.incomplete() && !file.ledger.lacks_operations() && kept &&
                     kept->agrees(counted.value()) && kept->agrees_on_operations(counted.value());
    found.operations_expected = kept ? kept->operations : 0;
    found.records_expected = kept ? kept->records : 0;
    return success();
}

/// The same, and what SQLite thinks of the file.
inline result<void> verify_file(sqlite_file& file, sqlite_verification& found) {
    if (auto checked = verify_account(file, found); !checked.has_value()) return checked;
    if (auto checked = verify_orphans(file, found); !checked.has_value()) return checked;
    sqlite_statement check;
    auto code = check.prepare(file.connection.get(), "PRAGMA integrity_check(20)");
    if (code == SQLITE_OK) code = check.step();
    for (; code == SQLITE_ROW; code = check.step())
        if (check.text(0) != "ok") found.problems.emplace_back(check.text(0));
    if (code == SQLITE_DONE) return success();
    auto const failed = file.connection.fail(code, "checking " + file.connection.path(), false);
    if (failed.code() != make_error_code(store_errc::corrupt)) return failed;
    found.problems.push_back(failed.message());
    return success();
}

/// A copy of a live database into a new file, some pages at a time; removed again unless it is finished.
class sqlite_copy {
  public:
    sqlite_copy() = default;
    sqlite_copy(sqlite_copy const&) = delete;
    sqlite_copy& operator=(sqlite_copy const&) = delete;
    ~sqlite_copy() {
        if (backup_ != nullptr) sqlite3_backup_finish(backup_);
        target_.close();
        if (made_ && !finished_) place_.remove(place_.name());
    }

    result<void> begin(sqlite_connection& source, std::string const& path) {
        if (auto found = place_.locate(path, true); !found.has_value()) return found;
        auto const exists = place_.check_files();
        if (!exists.has_value()) return exists.error();
        if (exists.value())
            return store_failure(
                store_errc::unavailable,
                place_.path() + " is there already; expected a new file for a backup");
        if (auto made = place_.create(); !made.has_value()) return made;
        made_ = true;
        if (auto opened = target_.open(place_.path(), SQLITE_OPEN_READWRITE); !opened.has_value())
            return opened;
        if (auto set = target_.set("synchronous", "3", "3"); !set.has_value()) return set;
        backup_ = sqlite3_backup_init(target_.get(), "main", source.get(), "main");
        if (backup_ == nullptr)
            return target_.fail(sqlite3_extended_errcode(target_.get()),
                                "beginning a backup to " + place_.path(), true);
        return success();
    }

    /// Copies some pages; says whether there are more.
    result<bool> step(duration patience) {
        auto const until = saturating_add(real_clock::now(), patience);
        while (true) {
            auto const code = sqlite3_backup_step(backup_, pages_at_once);
            if (code == SQLITE_DONE) return false;
            if (code == SQLITE_OK) return true;
            auto const locked = (code & 0xFF) == SQLITE_BUSY || (code & 0xFF) == SQLITE_LOCKED;
            if (!locked || real_clock::now() >= until)
                return target_.fail(code, "copying to " + place_.path(), true);
            platform::pause(duration{1'000'000});
        }
    }

    result<void> finish() {
        auto const code = sqlite3_backup_finish(backup_);
        backup_ = nullptr;
        if (code != SQLITE_OK)
            return target_.fail(code, "finishing the backup to " + place_.path(), true);
        target_.close();
        if (auto const error = place_.sync_folder())
            return system_failure("syncing the folder of " + place_.path(), error);
        finished_ = true;
        return success();
    }

  private:
    static constexpr int pages_at_once = 256;
    file_guard place_;
    sqlite_connection target_;
    sqlite3_backup* backup_ = nullptr;
    bool made_ = false;
    bool finished_ = false;
};

}  // namespace recoup::inline v1::detail
