// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/guard/rate_limit.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

namespace recoup::inline v1::detail {

/// When each of the last so many calls was admitted, in a ring: one more may pass where the oldest of
/// them has left the span.
///
/// A place holds half of the nanoseconds since the log began and, as its lowest bit, the parity of the
/// lap that wrote it. A thread writes the place at the head and then moves the head on; where it is
/// slow to do so, whoever finds the place written in this lap does it for it. So there is no lock, and
/// no moment at which two threads take one place.
///
/// Thread safety: all members may be called concurrently.
class sliding_log {
  public:
    explicit sliding_log(rate_limit const& limit)
        : places_{std::make_unique<std::atomic<std::uint64_t>[]>(limit.calls)},
          count_{limit.calls},
          span_{span_of(limit)} {
        // Written in the lap before the first, long enough ago.
        for (std::uint32_t i = 0; i != count_; ++i) places_[i].store(1, std::memory_order_relaxed);
    }

    /// Notes a call at `now` where one more may pass.
    bool take(steady_time now) noexcept {
        while (true) {
            auto head = head_.load(std::memory_order_acquire);
            auto& place = places_[head % count_];
            auto seen = place.load(std::memory_order_acquire);
            if (written_in_lap(head, seen)) {
                head_.compare_exchange_strong(head, head + 1, std::memory_order_acq_rel);
                continue;
            }
            // In order, also where a thread comes late with what it read of the clock.
            auto const last = places_[(head + count_ - 1) % count_].load(std::memory_order_acquire);
            auto const moment = std::max(half(now), head == 0 ? 0 : last >> 1U);
            if (wait_for(seen, head, moment) != 0) return false;
            auto const mine = moment << 1U | lap(head);
            if (!place.compare_exchange_strong(seen, mine, std::memory_order_acq_rel)) continue;
            head_.compare_exchange_strong(head, head + 1, std::memory_order_acq_rel);
            return true;
        }
    }

    /// How long until one more may pass.
    [[nodiscard]] duration next_in(steady_time now) const noexcept {
        auto const head = head_.load(std::memory_order_acquire);
        auto const seen = places_[head % count_].load(std::memory_order_acquire);
        if (written_in_lap(head, seen)) return duration{};  // the head moves on just now
        return duration{static_cast<duration::rep>(2 * wait_for(seen, head, half(now)))};
    }

    /// Goes on with another span. Pre: `limit` has as many calls.
    void change(rate_limit const& limit) noexcept {
        span_.store(span_of(limit), std::memory_order_relaxed);
    }

  private:
    // Rounded up twice, for what halving takes off a moment: never one call too many.
    static std::uint64_t span_of(rate_limit const& limit) noexcept {
        return static_cast<std::uint64_t>(limit.per.count()) / 2 + 1;
    }

    [[nodiscard]] std::uint64_t lap(std::uint64_t head) const noexcept {
        return (head / count_) & 1U;
    }
    [[nodiscard]] bool written_in_lap(std::uint64_t head, std::uint64_t seen) const noexcept {
        return (seen & 1U) == lap(head);
    }

    /// Half of the nanoseconds, in what 63 bits hold.
    static std::uint64_t half(steady_time when) noexcept {
        return static_cast<std::uint64_t>(std::max(when.time_since_epoch(), duration{}).count()) /
               2;
    }

    [[nodiscard]] std::uint64_t wait_for(std::uint64_t seen, std::uint64_t head,
                                         std::uint64_t now) const noexcept {
        if (head < count_) return 0;  // nobody has been here
        auto const over = (seen >> 1U) + span_.load(std::memory_order_relaxed);
        return over > now ? over - now : 0;
    }

    std::unique_ptr<std::atomic<std::uint64_t>[]> places_;
    std::uint32_t count_;
    std::atomic<std::uint64_t> span_;
    alignas(64) std::atomic<std::uint64_t> head_{0};
};

}  // namespace recoup::inline v1::detail
