// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/due_index.hpp>
#include <recoup/store/detail/journal_names.hpp>
#include <recoup/store/detail/journal_operation.hpp>
#include <recoup/store/detail/journal_pair.hpp>
#include <recoup/store/detail/operation_codec.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/durable_store.hpp>
#include <recoup/store/journal_options.hpp>

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

/// Which durable operations a journal holds, where, and who has them: what is read of a journal, and asked
/// without writing to it. Log: as for `journal_records`. One thread at a time.
///
/// Here an owner is alive from `enter` to `leave`: no other process can have the journal open, and so
/// nobody from before the opening is.
class journal_operation_table {
  public:
    journal_operation_table(std::size_t operations_max, std::size_t bytes_max) noexcept
        : operations_max_{operations_max}, bytes_max_{std::min(bytes_max, record_bytes_limit)} {}

    // ---- reading a journal again

    char const* replay(journal_frame const& frame, std::size_t side) {
        byte_reader from{frame.payload};
        auto const number = frame.subject;
        if (frame.kind == frame_kind::removed) {
            if (auto const found = entries_.find(number); found != entries_.end()) forget(found);
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

    // ---- owners

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

    // ---- what is asked of it

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

  protected:
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

    void forget(table::iterator which) noexcept {
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
