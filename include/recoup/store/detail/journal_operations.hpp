// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/due_index.hpp>
#include <recoup/store/detail/journal_names.hpp>
#include <recoup/store/detail/journal_operation.hpp>
#include <recoup/store/detail/journal_records.hpp>
#include <recoup/store/detail/journal_written.hpp>
#include <recoup/store/detail/memory_operations.hpp>
#include <recoup/store/detail/operation_codec.hpp>
#include <recoup/store/detail/sleep_began.hpp>
#include <recoup/store/durable_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Which durable operations a journal holds, where, and who has them. As `journal_records`.
///
/// Here an owner is alive from `enter` to `leave`: no other process can have the journal open, and so
/// nobody from before the opening is.
class journal_operations {
  public:
    explicit journal_operations(std::size_t operations_max, std::size_t bytes_max) noexcept
        : operations_max_{operations_max}, bytes_max_{std::min(bytes_max, record_bytes_limit)} {}

    // ---- reading a journal again

    char const* replay(journal_frame const& frame, std::size_t side) {
        byte_reader from{frame.payload};
        auto const number = frame.subject;
        if (frame.kind == frame_kind::removed) {
            if (auto const found = entries_.find(number); found != entries_.end()) remove(found);
            return nullptr;
        }
        auto const before = entries_.size();
        auto& one = entries_.try_emplace(entries_.end(), number)->second;  // numbers ascend
        if (entries_.size() == before) unlist(number, one);
        char const* wrong = nullptr;
        if (frame.kind == frame_kind::started)
            wrong = replay_head(number, one, frame.payload, frame.offset + frame_head_bytes, side);
        if (frame.kind == frame_kind::written) wrong = replay_write(number, one, frame, side);
        if (frame.kind == frame_kind::claimed) {
            static_cast<void>(from.number<std::uint64_t>());
            one.epoch = from.number<std::uint64_t>();
            one.owner = from.number<std::uint64_t>();
            wrong = from.wrong();
        }
        if (frame.kind == frame_kind::cancel) {
            one.cancel = true;
            cancelled_.insert(number);
        }
        one.bytes += frame.size;
        live_bytes_ += frame.size;
        if (wrong != nullptr) one.damaged = true;
        list(number, one);
        return wrong;
    }

    void mark_damaged(journal_frame const& frame, std::string wrong) {
        auto& one = entries_[frame.subject];
        one.damaged = true;
        damages_.push_back({one.id, frame.subject, frame.sequence, frame.offset, std::move(wrong)});
    }

    /// What has no head after all was read has lost it.
    void finish_replay() {
        unnamed_ = 0;
        for (auto& [number, one] : entries_) {
            if (one.head.size != 0) continue;
            ++unnamed_;
            if (one.damaged) continue;
            one.damaged = true;
            damages_.push_back({{}, number, 0, 0, "its head is missing"});
        }
    }
    void doubt_all(bool whether) noexcept { doubt_ = whether; }

    // ---- the store's calls

    std::uint64_t enter(std::uint32_t session) {
        auto const number = std::uint64_t{session} << 32U | next_owner_;
        owners_.insert(number);
        ++next_owner_;
        return number;
    }

    result<std::vector<std::uint64_t>> renew(std::uint64_t owner) const {
        if (!owners_.contains(owner))
            return store_failure(store_errc::fenced,
                                 "owner " + std::to_string(owner) + " is not alive");
        std::vector<std::uint64_t> wanted;
        for (auto const number : cancelled_)
            if (entries_.at(number).owner == owner) wanted.push_back(number);
        return wanted;
    }

    void leave(std::uint64_t owner) {
        if (owners_.erase(owner) == 0) return;
        for (auto& [number, one] : entries_)
            if (one.owner == owner) list(number, one);
    }

    template <class Log>
    result<started_operation> start(Log& log, operation_record const& head, std::uint64_t owner,
                                    std::uint64_t& sequence) {
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
            sequence = put.assume_value().sequence;
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
    result<write_receipt> write(Log& log, operation_write const& what, std::uint64_t& sequence) {
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
            sequence = put.assume_value().sequence;
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
    result<std::optional<operation_record>> find(Log const& log, operation_ref id) const {
        auto const found = names_.find(entries_, id);
        if (!found) {
            if (unnamed_ != 0 || doubt_) return corrupt(operation_id{id}, 0);
            return std::optional<operation_record>{};
        }
        auto head = read(log, *entries_.find(*found));
        if (!head.has_value()) return head.error();
        return std::optional{std::move(head).assume_value()};
    }

    template <class Log>
    std::vector<operation_record> list_page(Log const& log, operation_filter const& filter) const {
        std::vector<operation_record> page;
        for (auto at = entries_.upper_bound(filter.after);
             at != entries_.end() && page.size() < filter.limit; ++at) {
            auto const& one = at->second;
            if (filter.status && one.status != *filter.status) continue;
            if (filter.space && one.id.space != *filter.space) continue;
            if (filter.name && one.id.name != *filter.name) continue;
            if (filter.parent && one.parent != *filter.parent) continue;
            if (auto head = read(log, *at); head.has_value())
                page.push_back(std::move(head).assume_value());
        }
        return page;
    }

    template <class Log>
    result<std::vector<step_record>> steps(Log const& log, std::uint64_t number) const {
        std::vector<step_record> all;
        auto const found = entries_.find(number);
        if (found == entries_.end()) {
            if (doubt_) return corrupt({}, number);
            return all;
        }
        if (found->second.damaged || doubt_) return corrupt(found->second.id, number);
        for (auto const& [index, place] : found->second.steps) {
            auto read = decode_step(number, bytes_of(log, place));
            if (read.wrong != nullptr || read.value->index != index)
                return corrupt(found->second.id, number);
            all.push_back(std::move(*read.value));
        }
        return all;
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

    // ---- compaction

    bool keep(journal_frame const& frame, std::size_t from, std::uint64_t to_at) {
        auto const found = entries_.find(frame.subject);
        if (found == entries_.end()) return false;
        return found->second.keep(frame, from, to_at);
    }

    [[nodiscard]] std::uint64_t live_bytes() const noexcept { return live_bytes_; }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] bool full() const noexcept { return entries_.size() >= operations_max_; }
    [[nodiscard]] system_time latest() const noexcept { return latest_; }
    [[nodiscard]] bool any_damage() const noexcept { return !damages_.empty() || doubt_; }
    void damages(std::vector<journal_damage>& into) const {
        into.insert(into.end(), damages_.begin(), damages_.end());
    }

  private:
    using table = std::map<std::uint64_t, journal_operation>;

    static failure corrupt(operation_id const& id, std::uint64_t number) {
        return store_failure(store_errc::corrupt,
                             "operation " + display(id) + " (" + std::to_string(number) +
                                 ") is damaged, or may be one that is: see damaged()");
    }

    [[nodiscard]] bool is_free(journal_standing const& one) const noexcept {
        return one.owner == 0 || !owners_.contains(one.owner);
    }
    [[nodiscard]] bool claimable(journal_standing const& one) const noexcept {
        return (one.status == operation_status::pending ||
                one.status == operation_status::running) &&
               !one.damaged && !doubt_ && is_free(one);
    }
    static bool due_now(journal_standing const& one, system_time now) noexcept {
        return one.due <= now || sleep_began(one.due, one.delay) > now;
    }

    void list(std::uint64_t number, journal_standing const& one) {
        if (one.status != operation_status::pending && one.status != operation_status::running)
            return;
        if (!is_free(one)) return;
        due_.add(number, one.due, one.delay);
    }
    void unlist(std::uint64_t number, journal_standing const& one) noexcept {
        due_.remove(number, one.due, one.delay);
    }

    template <class Log>
    static std::string_view bytes_of(Log const& log, journal_place const& where) noexcept {
        return {log.data() + where.at[log.side()], where.size};
    }

    /// The head as it stands: what is written with it, and what claims and wishes have changed since.
    template <class Operation = operation_record, class Log>
    result<Operation> read(Log const& log, table::value_type const& which) const {
        auto const& [number, one] = which;
        if (one.damaged || doubt_) return corrupt(one.id, number);
        auto head = decode_operation<Operation>(bytes_of(log, one.head));
        if (head.wrong != nullptr || head.value->number != number || head.value->id != one.id)
            return corrupt(one.id, number);
        head.value->epoch = one.epoch;
        head.value->owner = one.owner;
        head.value->cancel_requested = one.cancel;
        return std::move(*head.value);
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
        remove(which);
        return success();
    }

    void remove(table::iterator which) noexcept {
        auto const& [number, one] = *which;
        live_bytes_ -= one.bytes;
        unlist(number, one);
        cancelled_.erase(number);
        names_.remove(one.id, number);
        entries_.erase(which);
    }

    void count(journal_operation& one, appended_frame const& put) noexcept {
        one.bytes += put.bytes;
        live_bytes_ += put.bytes;
    }

    char const* replay_head(std::uint64_t number, journal_operation& one, std::string_view bytes,
                            std::uint64_t at, std::size_t side) {
        auto head = decode_operation<operation_view>(bytes);
        if (head.wrong != nullptr) return head.wrong;
        if (head.value->number != number) return "it is another operation's";
        if (one.head.size == 0) {
            one.id = operation_id{head.value->id};
            names_.note(number);
        }
        latest_ = std::max(latest_, head.value->updated);
        one.take(*head.value);
        one.set_head(at, bytes.size(), side);
        if (one.cancel)
            cancelled_.insert(number);
        else
            cancelled_.erase(number);
        return nullptr;
    }

    char const* replay_write(std::uint64_t number, journal_operation& one,
                             journal_frame const& frame, std::size_t side) {
        byte_reader from{frame.payload};
        static_cast<void>(from.number<std::uint64_t>());
        static_cast<void>(from.number<std::uint64_t>());
        auto const flags = from.number<std::uint32_t>();
        if (from.wrong() != nullptr) return from.wrong();
        if ((flags & written_head) != 0) {
            static_cast<void>(from.number<std::uint32_t>());
            auto const head = from.text(record_bytes_limit, "its head is cut");
            if (from.wrong() != nullptr) return from.wrong();
            if (auto const* wrong = replay_head(number, one, head, 0, side)) return wrong;
        }
        if ((flags & written_drops) != 0) one.steps.clear();
        if ((flags & written_releases) != 0) one.owner = 0;
        return one.place_parts(frame.payload, frame.offset + frame_head_bytes, side);
    }

    std::size_t operations_max_;
    std::size_t bytes_max_;
    table entries_;
    mutable journal_names names_;  ///< puts itself in order when it is asked
    due_index due_;
    std::set<std::uint64_t> owners_;
    std::set<std::uint64_t> cancelled_;
    std::vector<journal_damage> damages_;
    std::size_t unnamed_ = 0;  // damaged ones whose identity is not known
    bool doubt_ = false;
    std::uint32_t next_owner_ = 1;
    std::uint64_t live_bytes_ = 0;
    system_time latest_ = system_time::min();
};

}  // namespace recoup::inline v1::detail
