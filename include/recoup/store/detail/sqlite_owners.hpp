// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/store/detail/file_guard.hpp>
#include <recoup/store/detail/memory_operations.hpp>
#include <recoup/store/detail/sqlite_connection.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace recoup::inline v1::detail {

/// Who is alive. One thread at a time.
///
/// Where one object owns the file: those who entered here and did not leave; nothing is written. Where
/// processes share it: those that have a row, whose lease has not passed, and whose process holds the
/// lock of its opening. That is a file `<store>.owner-<opening>`, whose lock the kernel frees with the
/// process. Leases are of the steady clock, which all processes of a host share and nobody can set; it
/// begins anew with the machine, but then no lock is held.
class sqlite_owners {
  public:
    sqlite_owners(sqlite_connection& file, file_guard& guard) noexcept
        : file_{&file}, guard_{&guard} {}

    result<void> prepare(bool shared) {
        shared_ = shared;
        if (!shared) return success();
        auto code = find_.prepare(file_->get(), "SELECT until FROM recoup_owner WHERE number=?1");
        if (code == SQLITE_OK)
            code = put_.prepare(file_->get(),
                                "INSERT OR REPLACE INTO recoup_owner (number, who, lease, until) "
                                "VALUES (?1, ?2, ?3, ?4)");
        if (code == SQLITE_OK)
            code = extend_.prepare(file_->get(),
                                   "UPDATE recoup_owner SET lease=?2, until=?3 WHERE number=?1");
        if (code == SQLITE_OK)
            code = erase_.prepare(file_->get(), "DELETE FROM recoup_owner WHERE number=?1");
        if (code == SQLITE_OK)
            code = all_.prepare(file_->get(), "SELECT number FROM recoup_owner ORDER BY number");
        if (code == SQLITE_OK) return success();
        return file_->fail(code, "preparing a statement for " + file_->path(), false);
    }

    /// The number of this opening of the file, under which owners and claims are counted; 0: none yet.
    [[nodiscard]] std::uint64_t opening() const noexcept { return opening_; }
    /// Takes the lock of an opening, before anybody can see its number.
    result<void> begin(std::uint64_t opening) {
        if (opening >= openings_max)
            return store_failure(store_errc::full, file_->path() + " was opened " +
                                                       std::to_string(opening) + " times");
        if (!shared_) return success();
        return guard_->hold(lock_suffix(opening));
    }
    void begun(std::uint64_t opening) noexcept { opening_ = opening; }

    result<std::uint64_t> enter(std::string const& who, duration lease) {
        auto const number = first_of(opening_) + ++entered_;
        if (shared_) {
            if (auto swept = sweep(); !swept.has_value()) return swept.error();
            auto const until = saturating_add(real_clock::now(), lease);
            statement_use row{put_};
            row->bind(1, static_cast<std::int64_t>(number));
            row->bind_text(2, who);
            row->bind(3, std::int64_t{lease.count()});
            row->bind(4, std::int64_t{until.time_since_epoch().count()});
            if (auto done = one_changed(row->step()); !done.has_value()) return done.error();
            mine_.insert_or_assign(number, term{lease, until});
        } else {
            mine_.insert_or_assign(number, term{lease, {}});
        }
        return number;
    }

    result<void> renew(std::uint64_t owner, duration lease) {
        auto const lives = alive(owner);
        if (!lives.has_value()) return lives.error();
        if (!lives.value())
            return store_failure(store_errc::fenced,
                                 "owner " + std::to_string(owner) + " is not alive");
        return shared_ ? extend(owner, lease) : success();
    }

    result<void> leave(std::uint64_t owner) {
        if (shared_) {
            statement_use row{erase_};
            row->bind(1, static_cast<std::int64_t>(owner));
            if (auto const code = row->step(); code != SQLITE_DONE)
                return file_->fail(code, "writing an owner to " + file_->path(), true);
        }
        mine_.erase(owner);
        return success();
    }

    /// A write of that owner shows that it lives.
    result<void> wrote(std::uint64_t owner) {
        if (!shared_) return success();
        auto const found = mine_.find(owner);
        if (found == mine_.end()) return success();
        auto const& [lease, until] = found->second;
        // A row of its own for every write would cost more than it tells.
        if (until - real_clock::now() > lease - lease / 4) return success();
        return extend(owner, lease);
    }

    result<bool> alive(std::uint64_t owner) {
        if (owner == 0) return false;
        if (!shared_) return mine_.contains(owner);
        auto until = steady_time{};
        {
            statement_use row{find_};
            row->bind(1, static_cast<std::int64_t>(owner));
            auto const code = row->step();
            if (code == SQLITE_DONE) return false;
            if (code != SQLITE_ROW)
                return file_->fail(code, "reading an owner of " + file_->path(), false);
            until = steady_time{duration{row->integer(0)}};
        }
        return until > real_clock::now() && holds_lock(owner);
    }

  private:
    struct term {
        duration lease;
        steady_time until;
    };
    static constexpr std::uint64_t openings_max = std::uint64_t{1} << 31U;
    static constexpr std::size_t swept_at_once = 64;

    static std::uint64_t first_of(std::uint64_t opening) noexcept { return opening << 32U; }
    static std::string lock_suffix(std::uint64_t opening) {
        return ".owner-" + std::to_string(opening);
    }

    [[nodiscard]] bool holds_lock(std::uint64_t owner) const {
        return owner >> 32U == opening_ || guard_->is_held(lock_suffix(owner >> 32U));
    }

    result<void> extend(std::uint64_t owner, duration lease) {
        auto const until = saturating_add(real_clock::now(), lease);
        statement_use row{extend_};
        row->bind(1, static_cast<std::int64_t>(owner));
        row->bind(2, std::int64_t{lease.count()});
        row->bind(3, std::int64_t{until.time_since_epoch().count()});
        if (auto const code = row->step(); code != SQLITE_DONE)
            return file_->fail(code, "writing an owner to " + file_->path(), true);
        // Somebody may have swept it away: then it is dead, and its operations can be claimed.
        if (file_->changes() == 1) mine_.insert_or_assign(owner, term{lease, until});
        return success();
    }

    result<void> one_changed(int code) {
        if (code != SQLITE_DONE)
            return file_->fail(code, "writing an owner to " + file_->path(), true);
        if (file_->changes() == 1) return success();
        return store_failure(store_errc::corrupt, "writing an owner to " + file_->path() +
                                                      " changed no row; expected 1");
    }

    /// Takes out those whose process is gone, and what is left of their locks.
    result<void> sweep() {
        std::vector<std::uint64_t> gone;
        {
            statement_use row{all_};
            auto code = row->step();
            for (; code == SQLITE_ROW && gone.size() != swept_at_once; code = row->step()) {
                auto const owner = static_cast<std::uint64_t>(row->integer(0));
                if (!holds_lock(owner)) gone.push_back(owner);
            }
            if (code != SQLITE_DONE && code != SQLITE_ROW)
                return file_->fail(code, "reading the owners of " + file_->path(), false);
        }
        for (auto const owner : gone) {
            if (auto left = leave(owner); !left.has_value()) return left;
            guard_->remove(guard_->name() + lock_suffix(owner >> 32U));
        }
        return success();
    }

    sqlite_connection* file_;
    file_guard* guard_;
    sqlite_statement find_, put_, extend_, erase_, all_;
    std::map<std::uint64_t, term> mine_;
    std::uint64_t opening_ = 0;
    std::uint64_t entered_ = 0;
    bool shared_ = false;
};

}  // namespace recoup::inline v1::detail
