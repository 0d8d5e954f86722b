// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/detail/wish_after.hpp>
#include <recoup/store/detail/write_behind_log_keeper.hpp>
#include <recoup/store/detail/write_behind_queue.hpp>
#include <recoup/store/detail/write_behind_slots.hpp>
#include <recoup/store/durable_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The durable operations of a `write_behind`: their fences, what of their writes waits, and how it comes
/// to the store.
///
/// Thread safety: what takes a lock is called with the queue's mutex held by it, all else without.
template <class Store, class Log, class Clock>
class write_behind_operations {
    using queue_type = write_behind_queue<Clock>;
    using lock_type = typename queue_type::lock_type;
    static constexpr bool has_log = write_behind_log_keeper<Log>::has_log;

  public:
    write_behind_operations(Store& store, queue_type& queue,
                            write_behind_log_keeper<Log>& log) noexcept
        : store_{&store}, queue_{&queue}, log_{&log} {}

    result<write_receipt> write(operation_write const& what, duration at_most) {
        auto bytes = what.head != nullptr ? encoded_size(*what.head) : 0;
        auto largest = bytes;
        for (auto const& step : what.steps) {
            largest = std::max(largest, encoded_size(step));
            bytes += encoded_size(step);
        }
        if (auto const most = std::min(queue_->options().record_bytes_max, record_bytes_limit);
            largest > most)
            return too_large({"", "operation", std::to_string(what.number)}, largest, most);
        lock_type lock{queue_->mutex()};
        auto const until = queue_->patience(at_most);
        while (true) {
            if (auto usable = queue_->check_open(); !usable.has_value()) return usable.error();
            auto found = known_.find(what.number);
            if (found == known_.end()) {
                if (auto learnt = learn(lock, what.number); !learnt.has_value())
                    return learnt.error();
                continue;
            }
            auto& known = found->second;
            if (known.lost) return *known.lost;
            if (!known.owned || known.epoch != what.epoch) return fenced_off(known, what.epoch);
            if (queue_->has_room(known.queued != 0, bytes)) return accept(known, what, bytes);
            if (auto waited = queue_->wait_for_room(lock, until); !waited.has_value())
                return waited.error();
        }
    }

    /// It was started, claimed or taken.
    void adopt(operation_record const& head) {
        std::lock_guard const lock{queue_->mutex()};
        take_over(head, true);
    }
    void note_wish(std::uint64_t number) {
        std::lock_guard const lock{queue_->mutex()};
        if (auto const found = known_.find(number); found != known_.end())
            found->second.cancel_requested = true;
    }
    void note_removed(std::uint64_t number) {
        std::lock_guard const lock{queue_->mutex()};
        auto const found = known_.find(number);
        if (found == known_.end()) return;
        found->second.owned = false;
        if (found->second.is_idle()) known_.erase(found);
    }
    void forget_idle() {
        std::lock_guard const lock{queue_->mutex()};
        drop_idle();
    }

    // ---- for the writer

    /// Hands over what waits of `known`. False: it failed, and may pass.
    bool deliver(lock_type& lock, known_operation& known, std::vector<write_loss>& losses) {
        auto const since = queue_->begin(known);
        if (!known.waits) return true;
        known.under_way = std::exchange(known.waiting, {});
        known.waits = false;
        known.writing = true;
        auto const bytes = std::exchange(known.bytes, 0);
        auto const epoch = known.epoch;
        lock.unlock();
        auto const written = give(known.number, epoch, known.under_way);
        lock.lock();
        known.writing = false;
        auto under_way = std::exchange(known.under_way, {});
        if (!written.has_value() && may_pass(written.error()) && !queue_->stopped()) {
            known.waiting.put_under(std::move(under_way));
            known.waits = true;
            queue_->put_back(known, since, bytes);
            return false;
        }
        queue_->settle(bytes);
        if (written.has_value()) {
            queue_->note_written(since);
            if (is_news(known, under_way, written.value())) known.cancel_requested = true;
            if (!known.waits && !queue_->stopped()) log_->drop(known);
            return true;
        }
        give_up(known, epoch, written.error(), losses);
        return true;
    }

  private:
    static failure fenced_off(known_operation const& known, std::uint64_t epoch) {
        return store_failure(store_errc::fenced, "operation " + std::to_string(known.number) +
                                                     " is in epoch " + std::to_string(known.epoch) +
                                                     (known.owned ? "" : " and has no owner") +
                                                     "; this writer's is " + std::to_string(epoch));
    }

    result<write_receipt> accept(known_operation& known, operation_write const& what,
                                 std::size_t bytes) {
        auto next = known.waiting;  // whole or not at all
        next.add(what);
        auto const told = write_receipt{known.cancel_requested};
        if constexpr (has_log) {
            auto both = next;
            if (known.writing) both.put_under(known.under_way);
            if (auto kept = log_->keep(known, logged(both, known.number, known.epoch));
                !kept.has_value())
                return kept.error();
        }
        known.waiting = std::move(next);
        known.waits = true;
        if (what.head != nullptr) known.cancel_requested = wish_after(known.cancel_requested, what);
        if (what.release) known.owned = false;
        queue_->enqueue(known, {nullptr, &known, 0}, bytes);
        return told;
    }

    /// Asks the store for the operation's epoch.
    result<void> learn(lock_type& lock, std::uint64_t number) {
        lock.unlock();
        auto page =
            store_->operations({.after = std::max(number, std::uint64_t{1}) - 1, .limit = 1});
        lock.lock();
        if (!page.has_value()) return page.error();
        if (page.value().empty() || page.value()[0].number != number)
            return store_failure(store_errc::fenced,
                                 "there is no operation " + std::to_string(number) + " any more");
        take_over(page.value()[0], false);
        return success();
    }

    void take_over(operation_record const& head, bool claimed) {
        if (known_.size() >= queue_->options().known_max) drop_idle();
        auto& known = known_[head.number];
        if (known.number != 0 && (!claimed || known.epoch >= head.epoch)) return;
        known.number = head.number;
        known.epoch = head.epoch;
        known.owned = head.owner != 0;
        known.cancel_requested = head.cancel_requested;
        known.lost.reset();
    }

    void drop_idle() {
        std::erase_if(known_, [](auto const& one) { return one.second.is_idle(); });
    }

    result<write_receipt> give(std::uint64_t number, std::uint64_t epoch,
                               waiting_write const& change) {
        try {
            return hand_over(*store_, number, epoch, change, queue_->options().store_wait);
        } catch (std::bad_alloc const&) {
            return store_failure(store_errc::unavailable, "out of memory");
        }
    }

    /// Whether the store told of a wish to cancel that is there still, and will be when what waits is too.
    static bool is_news(known_operation const& known, waiting_write const& handed,
                        write_receipt told) noexcept {
        return told.cancel_requested && !handed.drop_wish && !known.waiting.drop_wish;
    }

    /// The store will not take it: the loss of one, or the end of all.
    void give_up(known_operation& known, std::uint64_t epoch, failure const& why,
                 std::vector<write_loss>& losses) {
        if (!is_loss_of_one(why)) {
            if (!queue_->stopped()) queue_->stop(why, losses);
            if constexpr (!has_log) queue_->lose({{}, known.number, why}, losses);
            return;
        }
        queue_->lose({{}, known.number, why}, losses);
        queue_->forget_bytes(known);
        known.waiting = {};
        known.waits = false;
        if (known.epoch == epoch) known.lost = why;
        log_->drop(known);
    }

    Store* store_;
    queue_type* queue_;
    write_behind_log_keeper<Log>* log_;
    std::map<std::uint64_t, known_operation> known_;
};

}  // namespace recoup::inline v1::detail
