// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/result.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/detail/write_behind_slots.hpp>
#include <recoup/store/write_behind_options.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The queue before a store: its bounds, who waits for room in it or for its end, and when what is first
/// is due. It knows no store.
///
/// Pre: those who call hold its mutex, but where a comment says otherwise.
template <class Clock>
class write_behind_queue {
  public:
    using lock_type = std::unique_lock<std::mutex>;

    /// `logged`: what waits is in a log, too, and so not lost at a stop.
    write_behind_queue(Clock& clock, write_behind_options&& options, bool logged)
        : clock_{&clock}, options_{std::move(options)}, logged_{logged} {}
    write_behind_queue(write_behind_queue const&) = delete;
    write_behind_queue& operator=(write_behind_queue const&) = delete;

    // ---- without the mutex

    [[nodiscard]] std::mutex& mutex() const noexcept { return mutex_; }
    [[nodiscard]] write_behind_options const& options() const noexcept { return options_; }
    [[nodiscard]] steady_time after(duration at_most) const {
        return saturating_add(clock_->now(), at_most);
    }
    /// Until when a caller waits for room, or for the store.
    [[nodiscard]] steady_time patience(duration at_most) const {
        return after(std::min(at_most, options_.full_wait));
    }
    void report(std::vector<write_loss> const& losses) const {
        if (options_.on_loss)
            for (auto const& one : losses) options_.on_loss(one);
    }

    // ---- what may be done

    /// Whether anything is accepted.
    [[nodiscard]] result<void> check_open() const {
        if (stopped_) return *stopped_;
        if (closed_) return store_failure(store_errc::stopped, "this write_behind was shut down");
        return success();
    }
    /// Whether the store shows all that was accepted: after a stop, part of it is only in the log.
    [[nodiscard]] result<void> check_visible() const {
        if (logged_ && stopped_) return *stopped_;
        return success();
    }
    [[nodiscard]] bool stopped() const noexcept { return stopped_.has_value(); }
    /// Whether the store has all that was accepted.
    [[nodiscard]] bool is_drained() const noexcept { return queue_.empty() && !writing_; }

    [[nodiscard]] write_behind_statistics statistics() const {
        auto seen = statistics_;
        seen.waiting = queue_.size();
        if (seen.written != 0) seen.typical = total_ / static_cast<duration::rep>(seen.written);
        return seen;
    }

    // ---- for callers

    [[nodiscard]] bool has_room(bool queued_already, std::size_t bytes) const noexcept {
        auto const fits = bytes_ == 0 || bytes_ + bytes <= options_.bytes_max;
        return fits && (queued_already || queue_.size() < options_.queue_max);
    }

    [[nodiscard]] result<void> wait_for_room(lock_type& lock, steady_time until) {
        hurry();
        if (options_.refuse_when_full || !wait_for_change(lock, until))
            return store_failure(
                store_errc::unavailable,
                "the queue before the store is full: " + std::to_string(queue_.size()) + " wait, " +
                    std::to_string(bytes_) + " bytes");
        return success();
    }

    /// Gives `known` a place in the queue, unless it has one.
    void enqueue(write_behind_slot& known, queued_write item, std::size_t bytes) {
        count_accepted();
        known.bytes += bytes;
        bytes_ += bytes;
        if (known.queued != 0) return;
        known.queued = 1;
        known.since = clock_->now();
        item.place = ++placed_;
        queue_.push_back(item);
        statistics_.waiting_most = std::max(statistics_.waiting_most, queue_.size());
        // The writer sleeps until the window of the first one is over, and is woken only where it must be.
        auto const half =
            queue_.size() * 2 >= options_.queue_max || bytes_ * 2 >= options_.bytes_max;
        if (idle_ || half) wake_.request_stop();
        if (half) hurried_to_ = placed_;
    }
    void count_accepted() noexcept { ++statistics_.accepted; }

    /// What waited of `known` is no more.
    void forget_bytes(write_behind_slot& known) noexcept {
        bytes_ -= std::exchange(known.bytes, 0);
    }

    [[nodiscard]] result<void> flush(lock_type& lock, steady_time until) {
        auto const place = placed_;
        while (finished_ < place && !stopped_) {
            hurried_to_ = std::max(hurried_to_, place);
            wake_.request_stop();
            if (!wait_for_change(lock, until))
                return store_failure(store_errc::unavailable,
                                     std::to_string(queue_.size()) +
                                         " records and operations still wait for the store");
        }
        if (stopped_) return *stopped_;
        return success();
    }

    // ---- the end

    /// Accepts nothing more.
    void close() noexcept { closed_ = true; }
    /// Lets the writer end with what is queued now.
    void end() {
        ending_ = true;
        hurry();
    }

    /// Acknowledges nothing any more. What waits is lost, or stays in the log.
    void stop(failure const& why, std::vector<write_loss>& losses) {
        stopped_ = why;
        for (auto const& item : queue_) {
            if (item.one != nullptr) {
                item.one->queued = 0;
                if (!logged_ && item.one->waiting.value)
                    lose({item.one->waiting.value->id, 0, why}, losses);
                item.one->waiting = {};
            } else {
                item.other->queued = 0;
                if (!logged_ && item.other->waits) lose({{}, item.other->number, why}, losses);
                item.other->waits = false;
            }
        }
        queue_.clear();
        finished_ = placed_;
        tell_waiters();
    }

    void lose(write_loss what, std::vector<write_loss>& losses) {
        ++statistics_.lost;
        losses.push_back(std::move(what));
    }

    // ---- for the writer

    /// Waits for the first that is due and takes it out; nothing where all is done and it is the end.
    [[nodiscard]] std::optional<queued_write> take_first(lock_type& lock) {
        while (true) {
            if (queue_.empty()) {
                if (ending_) return std::nullopt;
                idle_ = true;
                sleep(lock, steady_time::max());
                idle_ = false;
                continue;
            }
            auto const item = queue_.front();
            auto const since = item.one != nullptr ? item.one->since : item.other->since;
            auto const due = saturating_add(since, options_.window);
            auto const now = clock_->now();
            // Those that are due soon come along: it wakes a few times a window, and not for each.
            if (now >= due) along_ = saturating_add(now, options_.window / 4);
            if (ending_ || item.place <= hurried_to_ || due <= along_) {
                queue_.pop_front();
                writing_ = true;
                return item;
            }
            sleep(lock, due);
        }
    }

    /// What is being handed over; returns since when it waited.
    steady_time begin(write_behind_slot& known) noexcept {
        --known.queued;
        return known.since;
    }
    /// The store has not taken it, and may later.
    void put_back(write_behind_slot& known, steady_time since, std::size_t bytes) noexcept {
        ++statistics_.retried;
        ++known.queued;
        known.since = since;
        known.bytes += bytes;
    }
    /// It is out of the queue's hands.
    void settle(std::size_t bytes) noexcept { bytes_ -= bytes; }
    void note_written(steady_time since) noexcept {
        ++statistics_.written;
        auto const took = saturating_between(since, clock_->now());
        statistics_.longest = std::max(statistics_.longest, took);
        total_ = saturating_add(total_, took);
    }

    /// `item` was handed over, or failed and comes first again.
    void finish(queued_write const& item, bool done) {
        writing_ = false;
        if (done || stopped_)
            finished_ = std::max(finished_, item.place);
        else
            queue_.push_front(item);
        tell_waiters();
    }

    /// Waits before the store is asked again, longer each time.
    void rest(lock_type& lock, bool done) {
        if (done || stopped_) {
            pause_ = options_.retry_wait;
            return;
        }
        auto const until = after(pause_);
        while (!ending_ && !stopped_ && clock_->now() < until) sleep(lock, until);
        pause_ = std::min(pause_ + pause_, options_.retry_wait_max);
    }

  private:
    /// Waits until the writer has done something; false at `until`.
    bool wait_for_change(lock_type& lock, steady_time until) {
        std::stop_source woken;
        waiters_.push_back(woken);
        lock.unlock();
        auto const late = clock_->wait_until(until, woken.get_token());
        lock.lock();
        return !late;
    }

    void tell_waiters() {
        auto waiters = std::exchange(waiters_, {});
        for (auto& one : waiters) one.request_stop();
    }

    /// All that waits is due.
    void hurry() {
        hurried_to_ = placed_;
        wake_.request_stop();
    }

    void sleep(lock_type& lock, steady_time until) {
        wake_ = std::stop_source{};
        if (ending_) return;
        auto const token = wake_.get_token();
        lock.unlock();
        clock_->wait_until(until, token);
        lock.lock();
    }

    Clock* clock_;
    write_behind_options options_;
    bool logged_;
    mutable std::mutex mutex_;
    std::deque<queued_write> queue_;
    std::vector<std::stop_source> waiters_;
    std::stop_source wake_;
    duration pause_ = options_.retry_wait;
    steady_time along_ = steady_time::min();  ///< all that is due until then is handed over now
    std::size_t bytes_ = 0;
    std::uint64_t placed_ = 0;      ///< the last place in the queue that was given
    std::uint64_t finished_ = 0;    ///< all up to this one are with the store
    std::uint64_t hurried_to_ = 0;  ///< all up to this one are handed over without waiting
    bool idle_ = false;
    bool writing_ = false;
    bool closed_ = false;
    bool ending_ = false;
    std::optional<failure> stopped_;
    write_behind_statistics statistics_;
    duration total_{};
};

}  // namespace recoup::inline v1::detail
