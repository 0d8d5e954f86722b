// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/identity_order.hpp>
#include <recoup/store/detail/journal_pair.hpp>
#include <recoup/store/detail/journal_place.hpp>
#include <recoup/store/detail/membership.hpp>
#include <recoup/store/detail/record_codec.hpp>
#include <recoup/store/detail/store_failure.hpp>
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

/// Which records a journal holds, and where.
///
/// Log: `append(kind, subject, payload) -> result<appended_frame>`, `next()`, `data()`, `side()`.
/// One thread at a time, but for `may_contain`.
class journal_records {
  public:
    struct entry {
        journal_place place{};
        std::uint64_t revision = 0;
        std::uint64_t sequence = 0;
        std::uint64_t bytes = 0;
        record_status status = record_status::running;
        system_time expires{};
        bool damaged = false;
    };

    journal_records(std::size_t records_max, std::size_t bytes_max) noexcept
        : records_max_{records_max}, bytes_max_{std::min(bytes_max, record_bytes_limit)} {}

    // ---- reading a journal again

    /// Takes a frame; says what is wrong with it, or null.
    char const* replay(journal_frame const& frame, std::size_t side) {
        if (frame.kind == frame_kind::erased) return replay_erased(frame);
        auto read = decode_record(frame.payload);
        if (read.wrong != nullptr) {
            mark_damaged(frame, read.wrong);
            return read.wrong;
        }
        auto& what = *read.value;
        damaged_.erase(hash_of(what.id));
        auto made = entry{};
        made.place.at[side] = frame.offset + frame_head_bytes;
        made.place.size = static_cast<std::uint32_t>(frame.payload.size());
        made.revision = what.revision;
        made.sequence = frame.sequence;
        made.bytes = frame.size;
        made.status = what.status;
        made.expires = what.expires;
        if (auto const found = entries_.find(what.id); found != entries_.end()) remove(found);
        latest_ = std::max(latest_, what.updated);
        insert(std::move(what.id), made);
        return nullptr;
    }

    /// The record whose frame this was cannot be read: whatever is older of it is not the answer.
    void mark_damaged(journal_frame const& frame, std::string wrong) {
        auto& damage = damaged_[frame.subject];
        damage = {{}, 0, frame.sequence, frame.offset, std::move(wrong)};
        for (auto& [id, one] : entries_)
            if (hash_of(id) == frame.subject) {
                damage.id = id;
                one.damaged = true;
            }
    }

    void doubt_all_before(std::uint64_t sequence) noexcept { doubt_ = sequence; }
    [[nodiscard]] bool in_doubt() const noexcept { return doubt_ != 0; }

    // ---- the store's calls

    template <class Log>
    result<std::optional<record>> load(Log const& log, operation_ref id) {
        auto const found = entries_.find(id);
        if (found == entries_.end()) {
            if (auto const known = damaged_.find(hash_of(id)); known != damaged_.end())
                return corrupt(id, known->second.wrong);
            if (doubt_ != 0) return corrupt(id, in_doubt_text);
            return std::optional<record>{};
        }
        if (auto const bad = why_not(found); bad != nullptr) return corrupt(id, bad);
        auto read = decode_record(bytes_of(log, found->second.place));
        if (read.wrong == nullptr && operation_ref(read.value->id) != id)
            read.wrong = "it is another record's";
        if (read.wrong != nullptr) return corrupt(id, read.wrong);
        return std::move(read.value);
    }

    template <class Log>
    result<appended_frame> save(Log& log, record const& what) {
        auto const found = entries_.find(what.id);
        if (found == entries_.end()) {
            if (auto const known = damaged_.find(hash_of(what.id)); known != damaged_.end())
                return corrupt(what.id, known->second.wrong);
            if (doubt_ != 0) return corrupt(what.id, in_doubt_text);
            if (what.revision != 0) return conflict(what.id, what.revision, 0);
            if (entries_.size() >= records_max_)
                return store_failure(store_errc::full,
                                     "the journal holds " + std::to_string(entries_.size()) +
                                         " records; its limit is " + std::to_string(records_max_));
        } else {
            if (auto const bad = why_not(found); bad != nullptr) return corrupt(what.id, bad);
            if (found->second.revision != what.revision)
                return conflict(what.id, what.revision, found->second.revision);
        }
        // What may throw comes first: a save is whole or has not been.
        auto const fresh = found == entries_.end();
        auto const place = fresh ? entries_.emplace(what.id, entry{}).first : found;
        auto listed = false;
        auto const ends = what.status != record_status::running;
        auto undo = [&] {
            if (listed) expiry_.erase({what.expires, &place->first});
            if (fresh) entries_.erase(place);
        };
        try {
            if (ends) listed = expiry_.emplace(what.expires, &place->first).second;
            auto const payload = encode_record(what, log.next());
            auto put = log.append(frame_kind::record, hash_of(what.id), payload);
            if (!put.has_value()) {
                undo();
                return put.error();
            }
            settle(place, fresh, what, put.assume_value(), payload.size(), log.side());
            return put;
        } catch (...) {
            undo();
            throw;
        }
    }

    /// Returns: the frame, or nothing where there was no record.
    template <class Log>
    result<std::optional<appended_frame>> erase(Log& log, operation_ref id,
                                                std::uint64_t revision) {
        auto const found = entries_.find(id);
        if (found == entries_.end()) {
            if (auto const known = damaged_.find(hash_of(id)); known != damaged_.end())
                return corrupt(id, known->second.wrong);
            if (doubt_ != 0) return corrupt(id, in_doubt_text);
            return std::optional<appended_frame>{};
        }
        if (auto const bad = why_not(found); bad != nullptr) return corrupt(id, bad);
        if (found->second.revision != revision)
            return conflict(id, revision, found->second.revision);
        return drop(log, found);
    }

    /// Calls `page(id)` for each that may match, in order, until that says no.
    template <class Log>
    void list(Log const& log, record_filter const& filter, std::vector<record>& page) {
        auto at = filter.after ? entries_.upper_bound(*filter.after) : entries_.begin();
        for (; at != entries_.end() && page.size() < filter.limit; ++at) {
            if (filter.status && at->second.status != *filter.status) continue;
            if (filter.name && at->first.name != *filter.name) continue;
            if (why_not(at) != nullptr) continue;
            auto read = decode_record(bytes_of(log, at->second.place));
            if (read.wrong == nullptr) page.push_back(std::move(*read.value));
        }
    }

    template <class Log>
    result<std::size_t> clean_up(Log& log, system_time now, std::size_t most) {
        std::size_t removed = 0;
        while (removed != most && !expiry_.empty() && expiry_.begin()->first <= now) {
            auto const found = entries_.find(*expiry_.begin()->second);
            if (auto gone = drop(log, found); !gone.has_value()) {
                if (removed != 0) break;
                return gone.error();
            }
            ++removed;
        }
        return removed;
    }

    /// Forgets a damaged record, with what is older of it.
    template <class Log>
    result<std::optional<appended_frame>> discard(Log& log, journal_damage const& what) {
        auto known = damaged_.begin();
        while (known != damaged_.end() && known->second.sequence != what.sequence) ++known;
        if (known == damaged_.end()) return std::optional<appended_frame>{};
        auto const hash = known->first;
        std::string payload;
        put_number(payload, std::uint64_t{0});
        for (int i = 0; i != 3; ++i) put_text(payload, "");
        auto put = log.append(frame_kind::erased, hash, payload);
        if (!put.has_value()) return put.error();
        forget(hash);
        return std::optional{put.assume_value()};
    }

    void accept_loss() noexcept { doubt_ = 0; }

    // ---- compaction

    /// Whether what is at `frame` of side `from` is still what counts; if so it will be at `to_at`.
    bool keep(journal_frame const& frame, std::size_t from, std::uint64_t to_at) {
        byte_reader skip{frame.payload};
        auto const id = identity_of(frame.payload);
        if (!id) return false;
        auto const found = entries_.find(*id);
        if (found == entries_.end() ||
            found->second.place.at[from] != frame.offset + frame_head_bytes)
            return false;
        found->second.place.at[1 - from] = to_at;
        return true;
    }

    [[nodiscard]] bool may_contain(operation_ref id) const noexcept {
        return members_.may_contain(id);
    }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] bool full() const noexcept { return entries_.size() >= records_max_; }
    [[nodiscard]] std::uint64_t live_bytes() const noexcept { return live_bytes_; }
    [[nodiscard]] system_time latest() const noexcept { return latest_; }
    [[nodiscard]] bool contains(operation_ref id) const { return entries_.contains(id); }
    [[nodiscard]] bool any_damage() const noexcept { return !damaged_.empty() || doubt_ != 0; }
    void damages(std::vector<journal_damage>& into) const {
        for (auto const& [hash, what] : damaged_) into.push_back(what);
    }
    [[nodiscard]] std::size_t bytes_max() const noexcept { return bytes_max_; }

  private:
    using table = std::map<operation_id, entry, identity_order>;
    static constexpr auto in_doubt_text =
        "frames are missing before which it may have been written; see accept_loss";

    static failure corrupt(operation_ref id, std::string const& wrong) {
        return store_failure(store_errc::corrupt,
                             "record " + display(id) + " is damaged: " + wrong);
    }

    /// The identity that an encoded record begins with, behind its fixed part.
    static std::optional<operation_id> identity_of(std::string_view payload) {
        if (payload.size() < record_head_bytes) return std::nullopt;
        auto const counts = std::size_t{static_cast<unsigned char>(payload[7])} * 5;
        if (payload.size() < record_head_bytes + counts) return std::nullopt;
        byte_reader from{payload.substr(record_head_bytes + counts)};
        operation_id id;
        for (auto* part : {&id.space, &id.name, &id.key})
            *part = from.text(identifier_bytes_max, "it is cut");
        if (from.wrong() != nullptr) return std::nullopt;
        return id;
    }

    char const* why_not(table::const_iterator which) const noexcept {
        if (which->second.damaged) return "its newest version cannot be read";
        return which->second.sequence < doubt_ ? in_doubt_text : nullptr;
    }

    template <class Log>
    static std::string_view bytes_of(Log const& log, journal_place const& where) noexcept {
        return {log.data() + where.at[log.side()], where.size};
    }

    char const* replay_erased(journal_frame const& frame) {
        byte_reader from{frame.payload};
        static_cast<void>(from.number<std::uint64_t>());
        operation_id id;
        for (auto* part : {&id.space, &id.name, &id.key})
            *part = from.text(identifier_bytes_max, "it is cut");
        if (from.wrong() != nullptr || !from.at_end()) return "it names no record";
        if (id.name.empty()) {
            forget(frame.subject);
        } else {
            damaged_.erase(hash_of(id));
            if (auto const found = entries_.find(id); found != entries_.end()) remove(found);
        }
        return nullptr;
    }

    void forget(std::uint64_t hash) {
        damaged_.erase(hash);
        for (auto at = entries_.begin(); at != entries_.end();) {
            auto const next = std::next(at);
            if (hash_of(at->first) == hash) remove(at);
            at = next;
        }
    }

    template <class Log>
    result<std::optional<appended_frame>> drop(Log& log, table::iterator found) {
        std::string payload;
        put_number(payload, found->second.revision);
        for (auto const* part : {&found->first.space, &found->first.name, &found->first.key})
            put_text(payload, *part);
        auto put = log.append(frame_kind::erased, hash_of(found->first), payload);
        if (!put.has_value()) return put.error();
        remove(found);
        return std::optional{put.assume_value()};
    }

    void settle(table::iterator place, bool fresh, record const& what, appended_frame const& put,
                std::size_t size, std::size_t side) noexcept {
        auto& one = place->second;
        if (!fresh && one.status != record_status::running &&
            (what.status == record_status::running || what.expires != one.expires))
            expiry_.erase({one.expires, &place->first});
        live_bytes_ += put.bytes - one.bytes;
        one.place = {};
        one.place.at[side] = put.payload_at;
        one.place.size = static_cast<std::uint32_t>(size);
        one.revision = put.sequence;
        one.sequence = put.sequence;
        one.bytes = put.bytes;
        one.status = what.status;
        one.expires = what.expires;
        latest_ = std::max(latest_, what.updated);
        if (fresh) members_.insert(place->first);
    }

    void insert(operation_id id, entry const& made) {
        auto const place = entries_.emplace(std::move(id), made).first;
        try {
            if (made.status != record_status::running) expiry_.emplace(made.expires, &place->first);
        } catch (...) {
            entries_.erase(place);
            throw;
        }
        live_bytes_ += made.bytes;
        members_.insert(place->first);
    }

    void remove(table::iterator found) noexcept {
        live_bytes_ -= found->second.bytes;
        members_.erase(found->first);
        expiry_.erase({found->second.expires, &found->first});
        entries_.erase(found);
    }

    std::size_t records_max_;
    std::size_t bytes_max_;
    table entries_;
    std::set<std::pair<system_time, operation_id const*>> expiry_;
    std::map<std::uint64_t, journal_damage> damaged_;  // by the hash of the identity
    std::uint64_t doubt_ = 0;
    std::uint64_t live_bytes_ = 0;
    system_time latest_ = system_time::min();
    membership members_;
};

}  // namespace recoup::inline v1::detail
