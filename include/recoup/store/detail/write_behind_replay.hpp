// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/detail/crc32c.hpp>
#include <recoup/store/detail/operation_codec.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/detail/write_behind_log.hpp>
#include <recoup/store/durable_store.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Brings the logged writes of operations to a store. They may be made twice, since the fence is the same.
///
/// A store that one process owns gives back at its opening what a dead one had, and no write under the old
/// fence gets through then: the operation is taken, written to and given back. The log notes that before, so
/// that an end between the two is not the loss of what was to be written.
template <class Store, class Log>
class write_behind_replay {
  public:
    write_behind_replay(Store& store, Log& log, duration at_most) noexcept
        : store_{&store}, log_{&log}, at_most_{at_most} {}
    write_behind_replay(write_behind_replay const&) = delete;
    write_behind_replay& operator=(write_behind_replay const&) = delete;
    ~write_behind_replay() {
        if (owner_ != 0) static_cast<void>(store_->leave(owner_));  // or its lease ends it
    }

    /// `entry` gets the revision that the log has of it then. Pre: it has a checkpoint.
    result<void> bring(record& entry) {
        auto read = read_writes(entry);
        if (!read) return log_damaged(entry);
        auto& [number, epoch, what] = *read;
        auto written = give(number, epoch, what);
        if (written.has_value() || written.error().code() != make_error_code(store_errc::fenced))
            return written;
        auto page = store_->operations({.after = number - 1, .limit = 1});
        if (!page.has_value()) return page.error();
        if (page.value().empty() || page.value()[0].number != number) return written;
        auto const& now = page.value()[0];
        auto const noted = (entry.attempts & taken_for_replay) != 0;
        if (noted && now.owner == entry.fingerprint) {
            what.release = true;
            written = give(number, now.epoch, what);
            if (written.has_value() ||
                written.error().code() != make_error_code(store_errc::fenced))
                return written;
        }
        // One that is lower than the log's is of a claim that the store did not keep, as nothing was written
        // under it.
        if (now.epoch > epoch && !noted) return written;
        auto const steps = store_->steps(number, at_most_);
        if (!steps.has_value()) return steps.error();
        // The last write before the end may be there already, and have given the operation back.
        if (has(now, steps.value(), what)) return success();
        auto const sum = sum_of(now, steps.value());
        // Somebody had it since, and has written.
        if (now.epoch > epoch && sum != entry.generation) return written;
        return take_and_give(entry, now, sum, what);
    }

  private:
    /// In `attempts` of an entry: its operation is taken by the owner in `fingerprint`, and was of the
    /// checksum in `generation` before.
    static constexpr std::uint32_t taken_for_replay = 256;
    static constexpr duration lease = std::chrono::minutes{1};

    struct logged_writes {
        std::uint64_t number;
        std::uint64_t epoch;
        waiting_write what{};
    };

    static std::optional<logged_writes> read_writes(record const& entry) {
        byte_reader from{*entry.checkpoint};
        auto const number = from.number<std::uint64_t>();
        auto const epoch = from.number<std::uint64_t>();
        auto const count = from.number<std::uint32_t>();
        logged_writes read{number, epoch};
        for (std::uint32_t i = 0; i != count && from.wrong() == nullptr; ++i) {
            auto step = decode_step(number, from.text(record_bytes_limit, "it is cut"));
            if (!step.value) return std::nullopt;
            auto const index = step.value->index;
            read.what.steps.insert_or_assign(index, std::move(*step.value));
        }
        if (from.wrong() != nullptr) return std::nullopt;
        if ((entry.attempts & 16U) != 0) {
            read.what.head = decode_operation(*entry.result).value;
            if (!read.what.head) return std::nullopt;
        }
        read.what.drop_steps = (entry.attempts & 32U) != 0;
        read.what.release = (entry.attempts & 64U) != 0;
        read.what.drop_wish = (entry.attempts & 128U) != 0;
        return read;
    }

    /// What writes make of a head, whoever runs it; a wish to cancel can come at any time.
    static std::string written_part(operation_record head) {
        head.number = head.epoch = head.owner = 0;
        head.cancel_requested = false;
        return encode_operation(head);
    }
    static std::uint32_t sum_of(operation_record const& now,
                                std::vector<step_record> const& steps) {
        auto bytes = written_part(now);
        for (auto const& step : steps) bytes += encode_step(now.number, step);
        return crc32c(bytes);
    }
    static bool has(operation_record const& now, std::vector<step_record> const& steps,
                    waiting_write const& what) {
        if (what.head && written_part(*what.head) != written_part(now)) return false;
        if (what.drop_steps && steps.size() != what.steps.size()) return false;
        return std::all_of(what.steps.begin(), what.steps.end(), [&](auto const& one) {
            return std::find(steps.begin(), steps.end(), one.second) != steps.end();
        });
    }

    result<void> give(std::uint64_t number, std::uint64_t epoch, waiting_write const& what) {
        auto const written = hand_over(*store_, number, epoch, what, at_most_);
        if (!written.has_value()) return written.error();
        return success();
    }

    result<void> take_and_give(record& entry, operation_record const& now, std::uint32_t sum,
                               waiting_write& what) {
        if (owner_ == 0) {
            auto const entered = store_->enter("write_behind", lease);
            if (!entered.has_value()) return entered.error();
            owner_ = entered.value();
        }
        entry.attempts |= taken_for_replay;
        entry.fingerprint = owner_;
        entry.generation = sum;
        auto const noted = log_->save(entry, at_most_);
        if (!noted.has_value()) return noted.error();
        entry.revision = noted.value();
        auto const taken = store_->take(now.number, now.epoch, owner_);
        if (!taken.has_value()) return taken.error();
        what.release = true;
        return give(now.number, taken.value().epoch, what);
    }

    Store* store_;
    Log* log_;
    duration at_most_;
    std::uint64_t owner_ = 0;
};

}  // namespace recoup::inline v1::detail
