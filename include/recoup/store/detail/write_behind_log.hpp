// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/operation_codec.hpp>
#include <recoup/store/detail/record_codec.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/detail/wish_after.hpp>
#include <recoup/store/durable_store.hpp>
#include <recoup/store/write_behind_options.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What waits behind a `write_behind`, and as what it is kept in its log.

namespace recoup::inline v1::detail {

/// A change of a record that the store has not got yet.
struct waiting_record {
    std::shared_ptr<record const> value{};  ///< null: nothing; for an erase the identity counts
    bool erases = false;
};

/// Writes of an operation that the store has not got yet, as one.
struct waiting_write {
    std::optional<operation_record> head{};
    std::map<std::uint32_t, step_record> steps{};
    bool drop_steps = false;
    bool release = false;
    bool drop_wish = false;  ///< with `head`

    /// Adds a later write.
    void add(operation_write const& what) {
        auto next = what.head != nullptr ? std::optional{*what.head} : std::nullopt;
        if (next) {
            next->cancel_requested = wish_after(head && head->cancel_requested, what);
            drop_wish = drop_wish || what.drop_wish;
        }
        std::map<std::uint32_t, step_record> fresh;
        for (auto const& step : what.steps) fresh.insert_or_assign(step.index, step);
        if (next) head = std::move(next);  // nothing throws any more
        if (what.drop_steps) {
            steps.clear();
            drop_steps = true;
        }
        for (auto const& [index, step] : fresh) steps.erase(index);
        steps.merge(fresh);
        release = release || what.release;
    }

    /// Puts what was written earlier under this.
    void put_under(waiting_write earlier) {
        if (head && earlier.head) {
            head->cancel_requested =
                head->cancel_requested || (earlier.head->cancel_requested && !drop_wish);
        } else if (!head) {
            head = std::move(earlier.head);
        }
        drop_wish = drop_wish || earlier.drop_wish;
        if (!drop_steps) {
            steps.merge(earlier.steps);
            drop_steps = earlier.drop_steps;
        }
        release = release || earlier.release;
    }

    [[nodiscard]] std::vector<step_record> all_steps() const {
        std::vector<step_record> all;
        for (auto const& [index, step] : steps) all.push_back(step);
        return all;
    }
};

inline bool same_content(record const& left, record const& right) {
    auto other = right;
    other.revision = left.revision;
    return left == other;
}

/// The identity under which a log keeps its `number`th entry.
inline operation_id log_id(std::uint64_t number) {
    return {"recoup.write_behind", "entry", std::to_string(number)};
}

/// A record that waits, for the log: with the revision that the store has, and a checksum of what is
/// on its way there now, if anything.
inline record logged(waiting_record const& what, std::uint64_t store_revision,
                     waiting_record const& under_way) {
    record entry;
    entry.fingerprint = store_revision;
    entry.attempts =
        1U | (what.erases ? 2U : 0U) | (under_way.value ? 4U : 0U) | (under_way.erases ? 8U : 0U);
    if (under_way.value) entry.generation = crc32c(encode_record(*under_way.value, 0));
    entry.result = encode_record(*what.value, store_revision);
    return entry;
}

/// The writes of an operation, for the log.
inline record logged(waiting_write const& what, std::uint64_t number, std::uint64_t epoch) {
    record entry;
    entry.attempts = (what.head ? 16U : 0U) | (what.drop_steps ? 32U : 0U) |
                     (what.release ? 64U : 0U) | (what.drop_wish ? 128U : 0U);
    entry.result = what.head ? encode_operation(*what.head) : std::string{};
    auto& rest = entry.checkpoint.emplace();
    put_number(rest, number);
    put_number(rest, epoch);
    put_number(rest, static_cast<std::uint32_t>(what.steps.size()));
    for (auto const& [index, step] : what.steps) put_text(rest, encode_step(number, step));
    return entry;
}

inline failure log_damaged(record const& entry) {
    return store_failure(store_errc::corrupt, "entry " + entry.id.key +
                                                  " of the log is damaged; what it holds was not "
                                                  "handed to the store");
}

/// Whether an entry of the log cannot be read, whatever the store says.
inline bool is_damaged(record const& entry) {
    if ((entry.attempts & 1U) != 0) return !decode_record(*entry.result).value;
    if (!entry.checkpoint) return true;
    byte_reader from{*entry.checkpoint};
    auto const number = from.number<std::uint64_t>();
    static_cast<void>(from.number<std::uint64_t>());  // the epoch
    auto const count = from.number<std::uint32_t>();
    for (std::uint32_t i = 0; i != count && from.wrong() == nullptr; ++i)
        if (!decode_step(number, from.text(record_bytes_limit, "it is cut")).value) return true;
    if (from.wrong() != nullptr) return true;
    return (entry.attempts & 16U) != 0 && !decode_operation(*entry.result).value;
}

/// Whose entry was lost: where that cannot be read any more, the identity is that of the entry.
inline write_loss lost_entry(record const& entry, failure why) {
    if ((entry.attempts & 1U) != 0) {
        auto read = decode_record(*entry.result);
        return {read.value ? read.value->id : entry.id, 0, std::move(why)};
    }
    std::uint64_t number = 0;
    if (entry.checkpoint) {
        byte_reader from{*entry.checkpoint};
        auto const first = from.number<std::uint64_t>();
        if (from.wrong() == nullptr) number = first;
    }
    return {number == 0 ? entry.id : operation_id{}, number, std::move(why)};
}

/// Gives the store an operation's writes.
template <class Store>
result<write_receipt> hand_over(Store& store, std::uint64_t number, std::uint64_t epoch,
                                waiting_write const& change, duration at_most) {
    auto const steps = change.all_steps();
    operation_write what{.number = number, .epoch = epoch, .steps = steps};
    what.head = change.head ? &*change.head : nullptr;
    what.drop_steps = change.drop_steps;
    what.drop_wish = change.drop_wish;
    what.release = change.release;
    return store.write(what, at_most);
}

/// Brings a logged record to `store`, if it has not got it; `conflict` where another has changed it.
template <class Store>
result<void> replay_record(Store& store, record const& entry, duration at_most) {
    auto const read = decode_record(*entry.result);
    if (!read.value) return log_damaged(entry);
    auto what = *read.value;
    auto const erases = (entry.attempts & 2U) != 0;
    auto there = store.load(what.id, at_most);
    if (!there.has_value()) return there.error();
    auto const& now = there.value();
    if (erases ? !now : now && same_content(*now, what)) return success();
    auto const revision = now ? now->revision : 0;
    // The store has what was logged before, or what was on its way when the process ended.
    auto const had_value =
        now && (entry.attempts & 12U) == 4U && crc32c(encode_record(*now, 0)) == entry.generation;
    auto const had_erase = !now && (entry.attempts & 8U) != 0;
    if (revision != entry.fingerprint && !had_value && !had_erase)
        return conflict(what.id, entry.fingerprint, revision);
    if (erases) return store.erase(what.id, revision, at_most);
    what.revision = revision;
    if (auto saved = store.save(what, at_most); !saved.has_value()) return saved.error();
    return success();
}

}  // namespace recoup::inline v1::detail
