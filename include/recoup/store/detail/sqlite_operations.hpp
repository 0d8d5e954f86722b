// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_due.hpp>
#include <recoup/store/detail/sqlite_operation_view.hpp>
#include <recoup/store/detail/wish_after.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The durable operations of one file: who may claim them, and who may write. One thread at a time.
///
/// Where one object owns the file, who has what is kept in memory, and a claim writes nothing: the first
/// write under it takes owner and epoch into the row. An owner of an earlier process is dead, whatever
/// the row says, and its epochs never come again, since the number of the opening is in them.
class sqlite_operations : public sqlite_operation_view {
  public:
    using sqlite_operation_view::sqlite_operation_view;

    result<std::vector<std::uint64_t>> renew(std::uint64_t owner, duration lease) {
        if (auto lives = owners_.renew(owner, lease); !lives.has_value()) return lives.error();
        std::vector<std::uint64_t> numbers;
        if (!shared_) {
            for (auto const& [number, one] : live_)
                if (one.owner == owner && one.stored.cancel) numbers.push_back(number);
            return numbers;
        }
        statement_use const rows{table_.cancelled(owner)};
        auto done = table_.each(*rows.operator->(), [&](sqlite_statement const& row) {
            numbers.push_back(static_cast<std::uint64_t>(row.integer(0)));
            return true;
        });
        if (!done.has_value()) return done.error();
        return numbers;
    }

    result<void> leave(std::uint64_t owner) {
        ++freed_;
        return owners_.leave(owner);
    }

    result<started_operation> start(operation_record const& head, std::uint64_t owner,
                                    sqlite_change& change) {
        auto found = find(head.id);
        if (!found.has_value()) return found.error();
        if (found.value()) return started_operation{std::move(*found.value()), false};
        auto const number = change.account.next_number;
        if (number > operation_number_max)
            return store_failure(store_errc::full, file_->path() + " has no number left");
        auto made = started_operation{head, true};
        made.record.number = number;
        made.record.epoch = 1;
        made.record.owner = owner;
        sqlite_operation_state state;
        state.epoch = 1;
        state.owner = owner;
        state.cancel = head.cancel_requested;
        if (auto put = table_.insert(made.record, state); !put.has_value()) return put.error();
        auto& account = change.account;
        account.add_operation(head.id);
        account.next_number = number + 1;
        account.newest = std::max(account.newest, head.updated);
        change.account_changed = true;
        if (owner != 0)
            set_live(number, live_operation{state, 1, owner}, change);
        else
            ++freed_;
        newest_slept_ = std::max(newest_slept_, slept_of(head));
        return made;
    }

    /// In a transaction where processes share the file.
    result<std::vector<operation_record>> claim(claim_request const& request) {
        std::vector<operation_record> claimed;
        if (request.names.empty() || request.limit == 0) return claimed;
        std::map<std::uint64_t, bool> lives;
        auto from = start_of(request);
        result<void> failed = success();
        auto const take = [&](sqlite_statement const& row) {
            auto const number = static_cast<std::uint64_t>(row.integer(0));
            auto const known = live_.find(number);
            auto const owner = shared_                ? static_cast<std::uint64_t>(row.integer(10))
                               : known != live_.end() ? known->second.owner
                                                      : 0;
            if (owner != 0) {
                auto [at, fresh] = lives.try_emplace(owner, false);
                if (fresh) {
                    auto const alive = owners_.alive(owner);
                    if (!alive.has_value()) {
                        failed = alive.error();
                        return false;
                    }
                    at->second = alive.value();
                }
                if (at->second) return true;
            }
            auto read = read_operation(row);
            if (read.content.wrong != nullptr) {
                note(row, read);
                return true;
            }
            auto& what = *read.content.value;
            if (!is_due(what, request.now)) return true;
            auto const epoch = known != live_.end() ? known->second.epoch : read.state.epoch;
            what.epoch = next_epoch(epoch);
            what.owner = request.owner;
            claims_.push_back({read.state, what.epoch, request.owner});
            claimed.push_back(std::move(what));
            return claimed.size() != request.limit;
        };
        claims_.clear();
        auto whole = result<bool>{true};
        {
            sqlite_due due{table_, request, from};
            whole = due.each([&](sqlite_statement const& row) {
                auto const goes_on = take(row);
                if (goes_on) from = sqlite_due::place_of(row);
                return goes_on;
            });
        }
        if (!whole.has_value()) return whole.error();
        if (!failed.has_value()) return failed.error();
        auto const set_back = clock_was_set_back(request.now);
        if (!set_back.has_value()) return set_back.error();
        if (whole.value() && set_back.value()) {
            // Those are of all names.
            statement_use const rows{table_.set_back(request.now)};
            auto done = table_.each(*rows.operator->(), [&](sqlite_statement const& row) {
                auto const wanted = row.text(1) == request.space &&
                                    std::find(request.names.begin(), request.names.end(),
                                              row.text(2)) != request.names.end();
                return !wanted || take(row);
            });
            if (!done.has_value()) return done.error();
            if (!failed.has_value()) return failed.error();
        }
        // They are only taken once nothing can fail any more, or in a transaction that is taken back.
        for (std::size_t i = 0; i != claimed.size(); ++i)
            if (auto done = hand_over(claimed[i].number, claims_[i]); !done.has_value())
                return done.error();
        passed_ = {from,
                   std::string{request.space},
                   {request.names.begin(), request.names.end()},
                   request.now,
                   freed_};
        return claimed;
    }

    /// In a transaction where processes share the file.
    result<operation_record> take(std::uint64_t number, std::uint64_t epoch, std::uint64_t owner) {
        auto free = free_one(number, epoch);
        if (!free.has_value()) return free.error();
        auto& [what, state] = free.value();
        what.epoch = next_epoch(epoch);
        what.owner = owner;
        if (auto done = hand_over(number, {state, what.epoch, owner}); !done.has_value())
            return done.error();
        return std::move(what);
    }

    /// Whether a writer in that epoch would not be refused.
    result<void> may_write(std::uint64_t number, std::uint64_t epoch) {
        auto const known = state_of(number);
        if (!known.has_value()) return known.error();
        if (known.value().epoch == epoch && known.value().owner != 0) return success();
        operation_write late;
        late.number = number;
        late.epoch = epoch;
        return refuse(late, known.value());
    }

    /// Pre: none of it is larger than the store takes.
    result<write_receipt> write(operation_write const& what, sqlite_change& change) {
        auto const known = state_of(what.number);
        if (!known.has_value()) return known.error();
        auto const& now = known.value();
        if (now.epoch != what.epoch || now.owner == 0) return refuse(what, now);
        std::optional<operation_record> head;
        if (what.head != nullptr) {
            auto stored = whole_one(what.number);
            if (!stored.has_value()) return stored.error();
            head = head_after(stored.value().first, what);
        }
        for (auto const& step : what.steps)
            if (step.index >= steps_per_operation)
                return store_failure(store_errc::too_large,
                                     "step " + std::to_string(step.index) + " of operation " +
                                         std::to_string(what.number) +
                                         ": an operation has at most " +
                                         std::to_string(steps_per_operation) + " steps");
        auto next = now.stored;
        next.epoch = now.epoch;
        next.owner = what.release ? 0 : now.owner;
        if (what.head != nullptr) next.cancel = wish_after(next.cancel, what);
        if (what.drop_steps) {
            if (auto gone = table_.erase_steps(what.number, next.steps); !gone.has_value())
                return gone.error();
            next.steps = next.digest = 0;
        }
        for (auto const& step : what.steps)
            if (auto put = table_.put_step(what.number, step, next); !put.has_value())
                return put.error();
        if (auto put = table_.update(what.number, now.stored, next, head ? &*head : nullptr);
            !put.has_value())
            return put.error();
        if (auto noted = owners_.wrote(now.owner); !noted.has_value()) return noted.error();
        if (what.release)
            set_live(what.number, std::nullopt, change);
        else
            set_live(what.number, live_operation{next, now.epoch, now.owner}, change);
        if (what.release) ++freed_;
        if (head) newest_slept_ = std::max(newest_slept_, slept_of(*head));
        return write_receipt{now.stored.cancel};
    }

    result<void> request_cancel(std::uint64_t number, sqlite_change& change) {
        auto known = state_of(number);
        if (!known.has_value()) return known.error();
        auto now = known.value();
        if (now.stored.cancel) return success();
        auto next = now.stored;
        next.cancel = true;
        if (auto put = table_.update(number, now.stored, next, nullptr); !put.has_value())
            return put;
        if (live_.contains(number)) {
            now.stored = next;
            set_live(number, now, change);
        }
        return success();
    }

    result<void> remove(std::uint64_t number, std::uint64_t epoch, sqlite_change& change) {
        auto const free = free_one(number, epoch);
        if (!free.has_value()) return free.error();
        return erase(free.value().first, free.value().second, change);
    }

    /// Removes up to `most` that have ended and expired, with their steps.
    result<std::size_t> clean_up(system_time now, std::size_t most, sqlite_change& change) {
        std::vector<std::pair<operation_record, sqlite_operation_state>> ended;
        auto after = std::pair{std::int64_t{INT64_MIN}, std::uint64_t{0}};
        result<void> failed = success();
        for (bool more = true; more && ended.size() < most;) {
            auto const wanted = most - ended.size();
            statement_use const rows{table_.expired(now, after.first, after.second, wanted)};
            std::size_t seen_rows = 0;
            auto done = table_.each(*rows.operator->(), [&](sqlite_statement const& row) {
                ++seen_rows;
                auto read = read_operation(row);
                after = {row.integer(7), read.number};
                if (read.content.wrong != nullptr) {
                    note(row, read);
                    return true;
                }
                auto what = seen(std::move(*read.content.value));
                auto const free = is_free(what);
                if (!free.has_value()) {
                    failed = free.error();
                    return false;
                }
                if (free.value() && has_ended(what.status) && what.expires <= now)
                    ended.emplace_back(std::move(what), read.state);
                return true;
            });
            if (!done.has_value()) return done.error();
            if (!failed.has_value()) return failed.error();
            more = seen_rows == wanted;
        }
        std::size_t removed = 0;
        for (auto const& [what, state] : ended) {
            // One that lacks steps stays: it would take the trace of its damage with it.
            auto const whole = steps(what.number);
            if (!whole.has_value()) {
                if (whole.error().code() == make_error_code(store_errc::corrupt)) continue;
                return whole.error();
            }
            if (auto gone = erase(what, state, change); !gone.has_value()) return gone.error();
            ++removed;
        }
        return removed;
    }

  private:
    /// How far a claim came: before that, all that it would take has an owner that is alive.
    struct passed {
        due_place at{};
        std::string space{};
        std::vector<std::string> names{};
        system_time now{};
        std::uint64_t freed = 0;
    };

    [[nodiscard]] due_place start_of(claim_request const& request) const {
        auto const same = !shared_ && passed_.freed == freed_ && passed_.now <= request.now &&
                          passed_.space == request.space &&
                          std::equal(passed_.names.begin(), passed_.names.end(),
                                     request.names.begin(), request.names.end());
        return same ? passed_.at : due_place{};
    }

    [[nodiscard]] std::uint64_t next_epoch(std::uint64_t epoch) const noexcept {
        return std::max(epoch, owners_.opening() << 32U) + 1;
    }

    /// Whether some operation went to sleep at a moment that is not yet.
    result<bool> clock_was_set_back(system_time now) {
        if (shared_) return true;
        if (!slept_known_) {
            auto const newest = table_.newest_slept();
            if (!newest.has_value()) return newest.error();
            newest_slept_ = std::max(newest_slept_, newest.value());
            slept_known_ = true;
        }
        return newest_slept_ > stamp(now);
    }

    /// Without a change to take back: nothing follows that may fail.
    result<void> hand_over(std::uint64_t number, live_operation const& to) {
        if (!shared_) {
            live_.insert_or_assign(number, to);
            return success();
        }
        auto next = to.stored;
        next.epoch = to.epoch;
        next.owner = to.owner;
        return table_.update(number, to.stored, next, nullptr);
    }

    result<void> erase(operation_record const& what, sqlite_operation_state const& state,
                       sqlite_change& change) {
        if (auto gone = table_.erase_steps(what.number, state.steps); !gone.has_value())
            return gone;
        if (auto gone = table_.erase(what.number); !gone.has_value()) return gone;
        change.account.remove_operation(what.id);
        change.account_changed = true;
        set_live(what.number, std::nullopt, change);
        return success();
    }

    std::vector<live_operation> claims_;  // of the claim under way
    passed passed_;
    std::int64_t newest_slept_ = INT64_MIN;
    bool slept_known_ = false;
};

}  // namespace recoup::inline v1::detail
