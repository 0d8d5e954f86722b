// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_change.hpp>
#include <recoup/store/detail/sqlite_connection.hpp>
#include <recoup/store/detail/sqlite_ledger.hpp>
#include <recoup/store/detail/sqlite_row.hpp>
#include <recoup/store/persistence_policy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The records of one file, and the statements that read and write them. One thread at a time.
class sqlite_records {
  public:
    sqlite_records(sqlite_connection& file, sqlite_ledger& ledger) noexcept
        : file_{&file}, ledger_{&ledger} {}

    /// Compiles the statements that read, and those that write unless `read_only`.
    result<void> prepare(bool read_only) {
        auto const columns = std::string{row_columns};
        struct source {
            sqlite_statement* statement;
            std::string text;
            bool writes;
        };
        source const all[] = {
            {&load_,
             "SELECT " + columns + " FROM recoup_record WHERE space=?1 AND name=?2 AND key=?3",
             false},
            {&page_,
             "SELECT " + columns +
                 " FROM recoup_record WHERE (space, name, key) > (?1, ?2, ?3) "
                 "ORDER BY space, name, key LIMIT ?4",
             false},
            {&insert_,
             "INSERT INTO recoup_record (space, name, key, revision, status, updated, expires, "
             "payload) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (space, name, key) DO NOTHING",
             true},
            // By the row, and with the identity in it compared: an index that is damaged may
            // show another record's row.
            {&update_,
             "UPDATE recoup_record NOT INDEXED SET revision=?4, status=?5, updated=?6, expires=?7, "
             "payload=?8 WHERE number=(SELECT number FROM recoup_record WHERE space=?1 AND name=?2 "
             "AND key=?3) AND space=?1 AND name=?2 AND key=?3 AND revision=?9",
             true},
            {&erase_, "DELETE FROM recoup_record WHERE number=?1 AND revision=?2", true},
            {&expired_,
             "SELECT " + columns +
                 " FROM recoup_record INDEXED BY recoup_record_expiry WHERE status <> 1 "
                 "AND expires <= ?1 AND (expires, number) > (?2, ?3) ORDER BY expires, number "
                 "LIMIT ?4",
             true}};
        for (auto const& each : all) {
            if (each.writes && read_only) continue;
            if (auto const code = each.statement->prepare(file_->get(), each.text);
                code != SQLITE_OK)
                return file_->fail(code, "preparing a statement for " + file_->path(), false);
        }
        return success();
    }

    result<std::optional<record>> load(operation_ref id) {
        auto read = find(id);
        if (!read.has_value()) return read.error();
        if (!read.value()) return nothing_found(id);
        return std::move(read.value()->content.value);
    }

    /// The new revision; a conflict where the stored one is not `what.revision`.
    /// In the caller's transaction, as all that takes a `sqlite_change`.
    result<std::uint64_t> save(record const& what, sqlite_change& change) {
        auto saved = what.revision == 0 ? insert(what, change) : update(what);
        if (saved.has_value()) latest_ = std::max(latest_, what.updated);
        return saved;
    }

    result<void> erase(operation_ref id, std::uint64_t revision, sqlite_change& change) {
        if (!ledger_->may_contain(id)) return success();
        auto const stored = find(id);
        if (!stored.has_value()) return stored.error();
        if (!stored.value()) {
            auto const nothing = nothing_found(id);
            return nothing.has_value() ? success() : result<void>{nothing.error()};
        }
        auto const found = stored.value()->content.value->revision;
        if (found != revision) return conflict(id, revision, found);
        return erase_row({operation_id{id}, stored.value()->number, revision}, change);
    }

    /// Removes up to `most` that have ended and expired.
    result<std::size_t> clean_up(system_time now, std::size_t most, sqlite_change& change) {
        std::vector<row_id> rows;
        auto after = std::pair<std::int64_t, std::int64_t>{INT64_MIN, INT64_MIN};
        for (bool more = true; more && rows.size() < most;) {
            statement_use row{expired_};
            row->bind(1, stamp(now));
            row->bind(2, after.first);
            row->bind(3, after.second);
            auto const wanted = most - rows.size();
            row->bind(4, static_cast<std::int64_t>(wanted));
            std::size_t seen = 0;
            auto code = row->step();
            for (; code == SQLITE_ROW; code = row->step(), ++seen) {
                auto read = read_row(expired_);
                after = {read.expires, read.number};
                if (read.content.wrong != nullptr) {
                    // It may only look as if it had ended: it stays.
                    if (!read.content.newer) note_damage(describe_damage(expired_, read));
                    continue;
                }
                auto& what = *read.content.value;
                if (what.status != record_status::running && what.expires <= now)
                    rows.push_back({std::move(what.id), read.number, what.revision});
            }
            if (code != SQLITE_DONE) return fail(code, "looking for expired records", false);
            more = seen == wanted;
        }
        for (auto const& each : rows)
            if (auto const erased = erase_row(each, change); !erased.has_value())
                return erased.error();
        return rows.size();
    }

    /// Reads up to `scanned_max` rows behind `after` in order, and gives each to `take(row, read)`, which
    /// says whether to go on. Returns whether there may be more; `after` is then where to continue.
    template <class Take>
    result<bool> scan(operation_id& after, std::size_t scanned_max, Take const& take) {
        statement_use row{page_};
        auto const from = after;  // bound, and `after` moves on
        bind_identity(page_, from);
        row->bind(4, static_cast<std::int64_t>(scanned_max));
        std::size_t scanned = 0;
        auto code = row->step();
        for (; code == SQLITE_ROW; code = row->step()) {
            ++scanned;
            after = {std::string{page_.text(1)}, std::string{page_.text(2)},
                     std::string{page_.text(3)}};
            if (!take(page_)) return false;
        }
        if (code != SQLITE_DONE) return fail(code, "listing records", false);
        return scanned == scanned_max;
    }

    void note_damage(damaged_record what) {
        auto const known = [&](damaged_record const& one) {
            return one.number == what.number && one.kind == what.kind;
        };
        if (damaged_.size() < damaged_max && std::none_of(damaged_.begin(), damaged_.end(), known))
            damaged_.push_back(std::move(what));
    }

    /// Takes a damaged row out, as it is; the account is made to agree.
    result<void> discard(damaged_record const& what, sqlite_change& change) {
        sqlite_statement row;
        auto const text = "SELECT " + std::string{row_columns} +
                          " FROM recoup_record NOT INDEXED WHERE number=?1";
        auto code = row.prepare(file_->get(), text);
        row.bind(1, what.number);
        if (code == SQLITE_OK) code = row.step();
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return fail(code, "reading a damaged record", false);
        if (code == SQLITE_DONE) return success();
        auto const read = read_row(row);
        if (read.content.wrong == nullptr)
            return store_failure(store_errc::conflict,
                                 "row " + std::to_string(what.number) + " of " + file_->path() +
                                     " is not damaged; expected a damaged one");
        row.finalize();
        statement_use gone{erase_};
        gone->bind(1, read.number);
        gone->bind(2, read.revision);
        code = gone->step();
        if (code != SQLITE_DONE) return fail(code, "removing a damaged record", true);
        auto& account = change.account;
        account.next_revision =
            std::max(account.next_revision, static_cast<std::uint64_t>(read.revision) + 1);
        auto counted = ledger_->count(nullptr);
        if (!counted.has_value()) return counted.error();
        account.records = counted.value().records;
        account.digest = counted.value().digest;
        change.account_changed = true;
        return success();
    }

    /// It is gone, or has been put right.
    void forget_damage(damaged_record const& what) {
        std::erase_if(damaged_, [&](damaged_record const& one) {
            return one.number == what.number && one.kind == what.kind;
        });
    }

    /// The latest `updated` that is known.
    [[nodiscard]] system_time latest() const noexcept {
        return std::max(latest_, ledger_->account().newest);
    }
    [[nodiscard]] std::vector<damaged_record> const& damaged() const noexcept { return damaged_; }

  private:
    static constexpr std::size_t damaged_max = 64;
    struct row_id {
        operation_id id;
        std::int64_t number;
        std::uint64_t revision;
    };

    failure fail(int code, std::string const& doing, bool writing) {
        return file_->fail(code, doing + " in " + file_->path(), writing);
    }

    static void bind_identity(sqlite_statement& to, operation_ref id) noexcept {
        to.bind_text(1, id.space);
        to.bind_text(2, id.name);
        to.bind_text(3, id.key);
    }

    void bind_content(sqlite_statement& to, record const& what, std::uint64_t revision,
                      std::string const& payload) {
        bind_identity(to, what.id);
        to.bind(4, static_cast<std::int64_t>(revision));
        to.bind(5, static_cast<std::int64_t>(what.status));
        to.bind(6, stamp(what.updated));
        to.bind(7, stamp(what.expires));
        to.bind_blob(8, payload);
    }

    /// What "not found" means: nothing, unless the file is known to lack records.
    result<std::optional<record>> nothing_found(operation_ref id) {
        auto const lost = ledger_->may_be_lost(id);
        if (!lost.has_value()) return lost.error();
        if (!lost.value()) return std::optional<record>{};
        return store_failure(store_errc::corrupt,
                             "record " + display(id) + " is not in " + file_->path() +
                                 ", which lost records to damage: whether it was one of them "
                                 "cannot be told; see verify() and accept_loss()");
    }

    result<std::uint64_t> insert(record const& what, sqlite_change& change) {
        if (ledger_->incomplete())
            if (auto const nothing = load(what.id); !nothing.has_value()) return nothing.error();
        auto const revision = change.account.next_revision;
        auto const payload = encode_record(what, revision);
        {
            statement_use row{insert_};
            bind_content(insert_, what, revision, payload);
            if (auto const code = row->step(); code != SQLITE_DONE)
                return fail(code, "saving record " + display(what.id), true);
        }
        if (file_->changes() != 1) return refused(what.id, 0);
        change.account.add(what.id);
        change.account.next_revision = revision + 1;
        change.account.newest = std::max({change.account.newest, latest(), what.updated});
        change.account_changed = true;
        // Before the commit, so that nobody who knows of the record is told that there is none.
        change.remembered.emplace_back(what.id);
        ledger_->remember(what.id);
        return revision;
    }

    result<std::uint64_t> update(record const& what) {
        auto const revision = what.revision + 1;
        if (revision == 0) return refused(what.id, what.revision);
        auto const payload = encode_record(what, revision);
        {
            statement_use row{update_};
            bind_content(update_, what, revision, payload);
            row->bind(9, static_cast<std::int64_t>(what.revision));
            if (auto const code = row->step(); code != SQLITE_DONE)
                return fail(code, "saving record " + display(what.id), true);
        }
        if (file_->changes() != 1) return refused(what.id, what.revision);
        return revision;
    }

    /// Why a write changed no row.
    failure refused(operation_ref id, std::uint64_t expected) {
        auto const stored = find(id);
        if (!stored.has_value()) return stored.error();
        auto const found = stored.value() ? stored.value()->content.value->revision : 0;
        if (found != expected) return conflict(id, expected, found);
        return store_failure(store_errc::corrupt, "saving record " + display(id) + " to " +
                                                      file_->path() +
                                                      " changed no row; expected 1");
    }

    /// The row of a record, whole; nothing where the file has none; else why it cannot be believed.
    result<std::optional<stored_row>> find(operation_ref id) {
        statement_use row{load_};
        bind_identity(load_, id);
        auto const code = row->step();
        if (code == SQLITE_DONE) return std::optional<stored_row>{};
        if (code != SQLITE_ROW) return fail(code, "reading record " + display(id), false);
        auto read = read_row(load_);
        auto& content = read.content;
        // An index that is damaged may show another record's row, which is whole in itself.
        if (content.wrong == nullptr && !(operation_ref(content.value->id) == id))
            content.wrong = "the index leads to the row of another record";
        if (content.wrong == nullptr) return std::optional<stored_row>{std::move(read)};
        auto const where = "record " + display(id) + " (row " + std::to_string(read.number) +
                           " of " + file_->path() + ") ";
        if (content.newer)
            return store_failure(store_errc::newer_version,
                                 where + "cannot be read: " + content.wrong);
        note_damage({operation_id{id}, read.number, content.wrong});
        return store_failure(store_errc::corrupt,
                             where + "is damaged: " + content.wrong + "; it was left as it is");
    }

    result<void> erase_row(row_id const& what, sqlite_change& change) {
        {
            statement_use row{erase_};
            row->bind(1, what.number);
            row->bind(2, static_cast<std::int64_t>(what.revision));
            if (auto const code = row->step(); code != SQLITE_DONE)
                return fail(code, "erasing record " + display(what.id), true);
        }
        if (file_->changes() != 1)
            return store_failure(store_errc::corrupt, "erasing record " + display(what.id) +
                                                          " from " + file_->path() +
                                                          " changed no row; expected 1");
        auto& account = change.account;
        account.remove(what.id);
        account.next_revision = std::max(account.next_revision, what.revision + 1);
        account.newest = std::max(account.newest, latest());
        change.account_changed = true;
        change.forgotten.emplace_back(what.id);
        return success();
    }

    sqlite_connection* file_;
    sqlite_ledger* ledger_;
    sqlite_statement load_, page_, insert_, update_, erase_, expired_;
    system_time latest_ = system_time::min();
    std::vector<damaged_record> damaged_;
};

}  // namespace recoup::inline v1::detail
