// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/memory_operations.hpp>
#include <recoup/store/detail/sqlite_change.hpp>
#include <recoup/store/detail/sqlite_operation_table.hpp>
#include <recoup/store/detail/sqlite_owners.hpp>
#include <recoup/store/detail/sqlite_records.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The durable operations of one file, as everybody sees them: what it holds, and over that who has claimed
/// what, where that is known in memory alone.
class sqlite_operation_view {
  public:
    sqlite_operation_view(sqlite_connection& file, sqlite_ledger& ledger, sqlite_records& records,
                          file_guard& guard) noexcept
        : table_{file}, owners_{file, guard}, file_{&file}, ledger_{&ledger}, records_{&records} {}

    result<void> prepare(bool read_only, bool shared) {
        shared_ = shared;
        if (auto ready = table_.prepare(read_only); !ready.has_value()) return ready;
        return owners_.prepare(shared);
    }

    [[nodiscard]] sqlite_owners& owners() noexcept { return owners_; }
    [[nodiscard]] sqlite_operation_table& table() noexcept { return table_; }

    result<std::optional<operation_record>> find(operation_ref id) {
        statement_use const row{table_.by_id(id)};
        auto found =
            table_.one<stored_operation>(*row.operator->(), [&](sqlite_statement const& at) {
                auto read = read_operation(at);
                if (read.content.wrong == nullptr && !(operation_ref(read.content.value->id) == id))
                    read.content.wrong = "the index leads to the row of another operation";
                if (read.content.wrong != nullptr) note(at, read);
                return read;
            });
        if (!found.has_value()) return found.error();
        if (found.value()) {
            auto& read = *found.value();
            if (read.content.wrong != nullptr) return damaged(display(id), read);
            return std::optional{seen(std::move(*read.content.value))};
        }
        auto const lost = ledger_->may_lack_operation();
        if (!lost.has_value()) return lost.error();
        if (!lost.value()) return std::optional<operation_record>{};
        return store_failure(store_errc::corrupt,
                             "operation " + display(id) + " is not in " + file_->path() +
                                 ", which lost operations to damage: whether it was one of them "
                                 "cannot be told; see verify() and accept_loss()");
    }

    /// Adds a page of what matches; says whether there may be more behind `after`.
    result<bool> list(operation_filter const& filter, std::uint64_t& after, std::size_t scanned,
                      std::vector<operation_record>& page) {
        statement_use const rows{table_.page(after, scanned, filter.parent.value_or(0))};
        std::size_t seen_rows = 0;
        auto done = table_.each(*rows.operator->(), [&](sqlite_statement const& row) {
            ++seen_rows;
            after = static_cast<std::uint64_t>(row.integer(0));
            if (filter.status && row.integer(4) != static_cast<std::int64_t>(*filter.status))
                return true;
            if (filter.space && row.text(1) != *filter.space) return true;
            if (filter.name && row.text(2) != *filter.name) return true;
            if (filter.parent && static_cast<std::uint64_t>(row.integer(8)) != *filter.parent)
                return true;
            auto read = read_operation(row);
            if (read.content.wrong != nullptr)
                note(row, read);
            else
                page.push_back(seen(std::move(*read.content.value)));
            return page.size() != filter.limit;
        });
        if (!done.has_value()) return done.error();
        return seen_rows == scanned && page.size() != filter.limit;
    }

    result<std::vector<step_record>> steps(std::uint64_t number) {
        std::vector<step_record> all;
        sqlite_operation_state counted;
        std::optional<damaged_record> wrong;
        auto newer = false;
        {
            statement_use const rows{table_.steps(number)};
            auto done = table_.each(*rows.operator->(), [&](sqlite_statement const& row) {
                counted.add_step(row.integer(0));
                auto read = decode_step(number, row.blob(1));
                if (read.value && place_of(number, read.value->index) != row.integer(0))
                    read = {{}, "its index differs from its place"};
                newer = newer || read.newer;
                if (read.value)
                    all.push_back(std::move(*read.value));
                else if (!wrong)
                    wrong = damaged_record{{}, row.integer(0), read.wrong, damaged_kind::step};
                return true;
            });
            if (!done.has_value()) return done.error();
        }
        if (wrong) {
            auto const text =
                "step " +
                std::to_string(static_cast<std::uint64_t>(wrong->number) % steps_per_operation) +
                " of operation " + std::to_string(number) + " in " + file_->path();
            if (newer)
                return store_failure(store_errc::newer_version,
                                     text + " cannot be read: " + wrong->wrong);
            records_->note_damage(*wrong);
            return store_failure(store_errc::corrupt,
                                 text + " is damaged: " + wrong->wrong + "; it was left as it is");
        }
        return check_steps(number, counted, std::move(all));
    }

    /// Puts back what was known before a transaction that failed.
    void take_back(sqlite_change& change) noexcept {
        for (auto each = change.before.rbegin(); each != change.before.rend(); ++each) {
            // The nodes are there, or are only to be taken out: nothing is allocated.
            auto const found = live_.find(each->first);
            if (!each->second) {
                if (found != live_.end()) live_.erase(found);
            } else if (found != live_.end()) {
                found->second = *each->second;
            } else {
                restore(each->first, *each->second);
            }
        }
        change.before.clear();
    }

    void note(sqlite_statement const& row, stored_operation const& read) {
        if (!read.content.newer) records_->note_damage(describe_damage(row, read));
    }
    /// After steps or operations were changed by hand: what was known may be wrong.
    void forget(std::uint64_t number) noexcept { live_.erase(number); }

  protected:
    void set_live(std::uint64_t number, std::optional<live_operation> const& to,
                  sqlite_change& change) {
        if (shared_) return;
        auto const found = live_.find(number);
        change.before.emplace_back(
            number, found != live_.end() ? std::optional{found->second} : std::nullopt);
        if (to)
            live_.insert_or_assign(number, *to);
        else if (found != live_.end())
            live_.erase(found);
    }
    void restore(std::uint64_t number, live_operation const& what) noexcept {
        try {
            live_.emplace(number, what);
        } catch (std::bad_alloc const&) {
            // Nobody has it then: its owner is refused from now on, and it can be claimed anew.
            ++freed_;
        }
    }

    /// As everybody sees it.
    [[nodiscard]] operation_record seen(operation_record what) const {
        if (auto const found = live_.find(what.number); found != live_.end()) {
            what.epoch = found->second.epoch;
            what.owner = found->second.owner;
        }
        return what;
    }

    result<bool> is_free(operation_record const& what) {
        auto const lives = owners_.alive(what.owner);
        if (!lives.has_value()) return lives.error();
        return !lives.value();
    }

    /// The state of an operation, without its payload. An owner of an earlier process is none.
    result<live_operation> state_of(std::uint64_t number) {
        if (auto const found = live_.find(number); found != live_.end()) return found->second;
        if (number > operation_number_max) return no_operation(number);
        statement_use const row{table_.by_number(number)};
        auto found =
            table_.one<stored_operation>(*row.operator->(), [&](sqlite_statement const& at) {
                stored_operation read;
                if (!read_state(at, read)) {
                    read.content.wrong =
                        "its epoch, owner or steps are not those that were written";
                    note(at, read);
                }
                return read;
            });
        if (!found.has_value()) return found.error();
        if (!found.value()) return no_operation(number);
        auto const& read = *found.value();
        if (read.content.wrong != nullptr) return damaged(std::to_string(number), read);
        return live_operation{read.state, read.state.epoch, shared_ ? read.state.owner : 0};
    }

    result<std::pair<operation_record, sqlite_operation_state>> whole_one(std::uint64_t number) {
        if (number > operation_number_max) return no_operation(number);
        statement_use const row{table_.by_number(number)};
        auto found =
            table_.one<stored_operation>(*row.operator->(), [&](sqlite_statement const& at) {
                auto read = read_operation(at);
                if (read.content.wrong != nullptr) note(at, read);
                return read;
            });
        if (!found.has_value()) return found.error();
        if (!found.value()) return no_operation(number);
        auto& read = *found.value();
        if (read.content.wrong != nullptr) return damaged(std::to_string(number), read);
        return std::pair{seen(std::move(*read.content.value)), read.state};
    }

    result<std::pair<operation_record, sqlite_operation_state>> free_one(std::uint64_t number,
                                                                         std::uint64_t epoch) {
        auto found = whole_one(number);
        if (!found.has_value()) return found;
        auto const& what = found.value().first;
        if (what.epoch != epoch) return epoch_conflict(what, epoch);
        auto const free = is_free(what);
        if (!free.has_value()) return free.error();
        if (!free.value()) return owned(what);
        return found;
    }

    failure refuse(operation_write const& what, live_operation const& now) {
        auto stored = whole_one(what.number);
        if (!stored.has_value()) return stored.error();
        auto& head = stored.value().first;
        head.epoch = now.epoch;
        head.owner = now.owner;
        return fenced(head, what.epoch);
    }

    failure damaged(std::string const& which, stored_operation const& read) {
        auto const where = "operation " + which + " (row " + std::to_string(read.number) + " of " +
                           file_->path() + ") ";
        if (read.content.newer)
            return store_failure(store_errc::newer_version,
                                 where + "cannot be read: " + read.content.wrong);
        return store_failure(store_errc::corrupt, where + "is damaged: " + read.content.wrong +
                                                      "; it was left as it is");
    }

    result<std::vector<step_record>> check_steps(std::uint64_t number,
                                                 sqlite_operation_state const& counted,
                                                 std::vector<step_record>&& all) {
        auto const known = state_of(number);
        if (!known.has_value()) {
            if (counted.steps == 0 && known.error().code() == make_error_code(store_errc::fenced))
                return std::move(all);
            if (known.error().code() != make_error_code(store_errc::fenced)) return known.error();
        }
        auto const expected = known.has_value() ? known.value().stored : sqlite_operation_state{};
        if (counted.steps == expected.steps && counted.digest == expected.digest)
            return std::move(all);
        auto const wrong = "it has " + std::to_string(counted.steps) + " of its " +
                           std::to_string(expected.steps) + " steps";
        damaged_record lacks;
        lacks.number = static_cast<std::int64_t>(number);
        lacks.wrong = wrong;
        lacks.kind = damaged_kind::operation;
        records_->note_damage(std::move(lacks));
        return store_failure(store_errc::corrupt, "operation " + std::to_string(number) + " of " +
                                                      file_->path() + " is damaged: " + wrong);
    }

    sqlite_operation_table table_;
    sqlite_owners owners_;
    sqlite_connection* file_;
    sqlite_ledger* ledger_;
    sqlite_records* records_;
    std::map<std::uint64_t, live_operation> live_;
    std::uint64_t freed_ = 1;  // how often something became free that a claim has passed
    bool shared_ = false;
};

}  // namespace recoup::inline v1::detail
