// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/store/detail/write_behind_log.hpp>
#include <recoup/store/detail/write_behind_replay.hpp>
#include <recoup/store/detail/write_behind_slots.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The log of a `write_behind` that has none.
struct no_log {
    static no_log& instance() noexcept {
        static no_log one;
        return one;
    }
};

/// The log of a `write_behind`: one entry for each record and operation that waits.
template <class Log>
class write_behind_log_keeper {
  public:
    static constexpr bool has_log = !std::same_as<Log, no_log>;

    write_behind_log_keeper(Log& log, duration store_wait) noexcept
        : log_{&log}, store_wait_{store_wait} {}

    [[nodiscard]] recoup::durability durability() const noexcept {
        if constexpr (has_log)
            return log_->durability();
        else
            return recoup::durability::none;
    }

    /// Keeps `entry` in place of what was held of `known`.
    [[nodiscard]] result<void> keep(write_behind_slot& known, record entry) {
        if constexpr (has_log) {
            if (known.log_number == 0) known.log_number = ++logged_;
            entry.id = log_id(known.log_number);
            entry.revision = known.log_revision;
            auto kept = log_->save(entry, store_wait_);
            if (!kept.has_value()) return kept.error();
            known.log_revision = kept.value();
        }
        return success();
    }

    void drop(write_behind_slot& known) {
        if constexpr (has_log) {
            if (known.log_number == 0) return;
            // Left behind, it is replayed at the next opening, where the store has it already.
            static_cast<void>(
                log_->erase(log_id(known.log_number), known.log_revision, store_wait_));
            known.log_number = 0;
            known.log_revision = 0;
        }
    }

    /// Hands over what the log holds; `lose` is told what cannot be, before its entry goes: so that a
    /// failure after it leaves no loss untold.
    ///
    /// Throws: recovery_error where the log or the store cannot be used.
    template <class Store, class Lose>
    void replay(Store& store, Lose const& lose) {
        if constexpr (has_log) {
            auto const writes = make_replay(store);
            for (record_filter page{.limit = replayed_at_once}; true;) {
                auto entries = log_->list(page);
                if (!entries.has_value()) throw recovery_error{entries.error()};
                if (entries.value().empty()) break;
                for (auto& entry : entries.value()) {
                    page.after = entry.id;
                    if (entry.id.space == log_id(0).space && entry.result)
                        replay(store, writes.get(), lose, entry);
                }
            }
        }
    }

  private:
    template <class Store>
    auto make_replay(Store& store) {
        if constexpr (durable_store<Store>)
            return std::make_unique<write_behind_replay<Store, Log>>(store, *log_, store_wait_);
        else
            return std::unique_ptr<no_log>{};
    }

    template <class Store, class Writes, class Lose>
    void replay(Store& store, Writes* writes, Lose const& lose, record& entry) {
        auto const damaged = is_damaged(entry);
        auto const done =
            damaged ? result<void>{log_damaged(entry)} : replay_one(store, writes, entry);
        if (!done.has_value()) {
            if (!damaged && !is_loss_of_one(done.error())) throw recovery_error{done.error()};
            lose(lost_entry(entry, done.error()));
        }
        auto erased = log_->erase(entry.id, entry.revision, store_wait_);
        if (!erased.has_value()) throw recovery_error{erased.error()};
    }

    template <class Store, class Writes>
    result<void> replay_one(Store& store, Writes* writes, record& entry) {
        if ((entry.attempts & 1U) != 0) return replay_record(store, entry, store_wait_);
        if constexpr (durable_store<Store>)
            if (entry.checkpoint) return writes->bring(entry);
        return log_damaged(entry);
    }

    static constexpr std::size_t replayed_at_once = 256;

    Log* log_;
    duration store_wait_;
    std::uint64_t logged_ = 0;
};

}  // namespace recoup::inline v1::detail
