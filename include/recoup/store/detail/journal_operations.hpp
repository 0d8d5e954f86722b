// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/journal_operation_table.hpp>
#include <recoup/store/detail/journal_written.hpp>
#include <recoup/store/detail/memory_operations.hpp>
#include <recoup/store/detail/operation_codec.hpp>
#include <recoup/store/detail/sleep_began.hpp>
#include <recoup/store/durable_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The durable operations of a journal, and what is written of them. As `journal_records`.
class journal_operations : public journal_operation_table {
  public:
    using journal_operation_table::journal_operation_table;

    template <class Log>
    result<started_operation> start(Log& log, operation_record const& head, std::uint64_t owner) {
        if (auto const found = names_.find(entries_, head.id)) {
            auto there = read(log, *entries_.find(*found));
            if (!there.has_value()) return there.error();
            return started_operation{std::move(there).assume_value(), false};
        }
        if (unnamed_ != 0 || doubt_) return corrupt(head.id, 0);
        if (auto const bytes = encoded_size(head); bytes > bytes_max_)
            return too_large(head.id, bytes, bytes_max_);
        if (entries_.size() >= operations_max_)
            return store_failure(store_errc::full, "the journal holds " +
                                                       std::to_string(entries_.size()) +
                                                       " operations; its limit is " +
                                                       std::to_string(operations_max_));
        auto made = started_operation{head, true};
        auto& record = made.record;
        auto const number = log.next();  // no other frame ever has it
        record.number = number;
        record.epoch = 1;
        record.owner = owner;
        auto const payload = encode_operation(record);
        auto const placed = entries_.emplace(number, journal_operation{}).first;
        auto& one = placed->second;
        auto undo = [&] {
            unlist(number, one);
            cancelled_.erase(number);
            names_.remove(one.id, number);
            entries_.erase(placed);
        };
        try {
            one.id = head.id;
            names_.add(one.id, number);
            one.take(record);
            if (record.cancel_requested) cancelled_.insert(number);
            list(number, one);
            auto put = log.append(frame_kind::started, number, payload);
            if (!put.has_value()) {
                undo();
                return put.error();
            }
            one.set_head(put.assume_value().payload_at, payload.size(), log.side());
            count(one, put.assume_value());
        } catch (...) {
            undo();
            throw;
        }
        latest_ = std::max(latest_, head.updated);
        return made;
    }

    template <class Log>
    result<std::vector<operation_record>> claim(Log& log, claim_request const& request) {
        std::vector<std::uint64_t> found;
        auto const take = [&](std::uint64_t number, system_time due) {
            auto const at = entries_.find(number);
            if (at == entries_.end() || at->second.due != due || !claimable(at->second))
                return true;
            auto const& one = at->second;
            if (one.id.space == request.space && due_now(one, request.now) &&
                std::find(request.names.begin(), request.names.end(), one.id.name) !=
                    request.names.end())
                found.push_back(number);
            return found.size() < request.limit;
        };
        auto const slept = [&](std::uint64_t number) {
            auto const at = entries_.find(number);
            return at == entries_.end() ? nullptr : &at->second;
        };
        if (request.limit != 0) due_.each_due(request.now, take, slept);
        std::vector<operation_record> claimed;
        claimed.reserve(found.size());
        for (auto const number : found) {
            auto const one = entries_.find(number);
            auto head = read(log, *one);
            if (!head.has_value()) continue;  // damaged ones are left out
            auto taken = give(log, one, request.owner);
            if (!taken.has_value()) {
                if (claimed.empty()) return taken.error();
                break;
            }
            claimed.push_back(std::move(head).assume_value());
            claimed.back().owner = one->second.owner;
            claimed.back().epoch = one->second.epoch;
        }
        return claimed;
    }

    template <class Log>
    result<operation_record> take(Log& log, std::uint64_t number, std::uint64_t epoch,
                                  std::uint64_t owner) {
        auto const found = free_one(log, number, epoch);
        if (!found.has_value()) return found.error();
        auto const one = entries_.find(number);
        auto head = found.assume_value();
        if (auto taken = give(log, one, owner); !taken.has_value()) return taken.error();
        head.owner = owner;
        head.epoch = one->second.epoch;
        return head;
    }

    template <class Log>
    result<write_receipt> write(Log& log, operation_write const& what) {
        auto const found = entries_.find(what.number);
        if (found == entries_.end()) return no_operation(what.number);
        auto& one = found->second;
        // A step has no need of what the head says, but nothing is built upon one that cannot be read.
        if (one.damaged || doubt_ || !holds_operation(what.number, bytes_of(log, one.head)))
            return corrupt(one.id, what.number);
        if (one.epoch != what.epoch || one.owner == 0) return fenced(one, what.epoch);
        auto bytes = what.head != nullptr ? encoded_size(*what.head) : 0;
        for (auto const& step : what.steps) bytes = std::max(bytes, encoded_size(step));
        if (bytes > bytes_max_) return too_large(one.id, bytes, bytes_max_);
        std::optional<operation_record> head;
        if (what.head != nullptr) {
            auto const stored = read<operation_view>(log, *found);
            if (!stored.has_value()) return stored.error();
            head = head_after(stored.assume_value(), what);
            if (what.release) head->owner = 0;
        }
        auto const size = written_size(what, head);
        if (size > record_bytes_limit) return too_large(one.id, size, record_bytes_limit);

        // What may throw comes first: a write is whole or has not been.
        auto const payload = encode_written(what, head, size);
        auto next = journal_standing{one};
        auto const met = write_receipt{one.cancel};
        if (head) next.take(*head);
        if (what.release) next.owner = 0;
        // Those that are nowhere yet are the ones that this call has added.
        auto undo = [&] {
            for (auto const& step : what.steps)
                if (auto const added = one.steps.find(step.index);
                    added != one.steps.end() && added->second.size == 0)
                    one.steps.erase(added);
            if (!one.cancel) cancelled_.erase(what.number);
        };
        try {
            for (auto const& step : what.steps) one.steps.try_emplace(step.index);
            list(what.number, next);  // listed once too often does no harm
            if (next.cancel) cancelled_.insert(what.number);
            auto put = log.append(frame_kind::written, what.number, payload);
            if (!put.has_value()) {
                undo();
                return put.error();
            }
            if (what.drop_steps)
                std::erase_if(one.steps, [&](auto const& step) {
                    return std::none_of(what.steps.begin(), what.steps.end(),
                                        [&](auto const& kept) { return kept.index == step.first; });
                });
            one.place_parts(payload, put.assume_value().payload_at, log.side());
            count(one, put.assume_value());
        } catch (...) {
            undo();
            throw;
        }
        if (next.due != one.due || next.delay != one.delay || !claimable(next))
            unlist(what.number, one);
        static_cast<journal_standing&>(one) = next;
        if (!one.cancel) cancelled_.erase(what.number);
        if (head) latest_ = std::max(latest_, head->updated);
        return met;
    }

    template <class Log>
    result<void> request_cancel(Log& log, std::uint64_t number) {
        auto const found = entries_.find(number);
        if (found == entries_.end()) return no_operation(number);
        if (found->second.damaged) return corrupt(found->second.id, number);
        if (found->second.cancel) return success();
        cancelled_.insert(number);
        std::string payload;
        put_number(payload, number);
        auto put = log.append(frame_kind::cancel, number, payload);
        if (!put.has_value()) {
            cancelled_.erase(number);
            return put.error();
        }
        found->second.cancel = true;
        count(found->second, put.assume_value());
        return success();
    }

    template <class Log>
    result<void> remove(Log& log, std::uint64_t number, std::uint64_t epoch) {
        if (auto found = free_one(log, number, epoch); !found.has_value()) return found.error();
        return drop(log, entries_.find(number));
    }

    template <class Log>
    result<std::size_t> clean_up(Log& log, system_time now, std::size_t most) {
        std::size_t removed = 0;
        for (auto at = entries_.begin(); at != entries_.end() && removed != most;) {
            auto const next = std::next(at);
            auto const& one = at->second;
            if (!one.damaged && has_ended(one.status) && one.expires <= now && is_free(one)) {
                if (auto gone = drop(log, at); !gone.has_value()) {
                    if (removed != 0) break;
                    return gone.error();
                }
                ++removed;
            }
            at = next;
        }
        return removed;
    }

    /// Forgets a damaged operation, with its steps.
    template <class Log>
    result<bool> discard(Log& log, std::uint64_t number) {
        auto const found = entries_.find(number);
        if (found == entries_.end() || !found->second.damaged) return false;
        auto const unnamed = found->second.head.size == 0;
        if (auto gone = drop(log, found); !gone.has_value()) return gone.error();
        if (unnamed) --unnamed_;
        std::erase_if(damages_, [&](auto const& one) { return one.number == number; });
        return true;
    }

  private:
    static bool due_now(journal_standing const& one, system_time now) noexcept {
        return one.due <= now || sleep_began(one.due, one.delay) > now;
    }

    template <class Log>
    result<operation_record> free_one(Log const& log, std::uint64_t number,
                                      std::uint64_t epoch) const {
        auto const found = entries_.find(number);
        if (found == entries_.end()) return no_operation(number);
        auto head = read(log, *found);
        if (!head.has_value()) return head;
        if (found->second.epoch != epoch) return epoch_conflict(head.value(), epoch);
        if (!is_free(found->second)) return owned(head.value());
        return head;
    }

    template <class Log>
    result<void> give(Log& log, table::iterator which, std::uint64_t owner) {
        auto& [number, one] = *which;
        std::string payload;
        for (auto const part : {number, one.epoch + 1, owner}) put_number(payload, part);
        auto put = log.append(frame_kind::claimed, number, payload);
        if (!put.has_value()) return put.error();
        ++one.epoch;
        one.owner = owner;
        count(one, put.assume_value());
        if (!claimable(one)) unlist(number, one);
        return success();
    }

    template <class Log>
    result<void> drop(Log& log, table::iterator which) {
        std::string payload;
        put_number(payload, which->first);
        auto put = log.append(frame_kind::removed, which->first, payload);
        if (!put.has_value()) return put.error();
        forget(which);
        return success();
    }
};

}  // namespace recoup::inline v1::detail
