// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/random.hpp>
#include <recoup/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <stop_token>

namespace recoup::inline v1::validation::detail {

/// Another clock, whose jitter comes from a seed, and whose waits may be over at once: time has then passed all the
/// same, for whoever looks at this clock.
///
/// Thread safety: all members may be called concurrently.
template <clock Base>
class trial_clock {
  public:
    trial_clock(Base& base, std::uint64_t seed, bool skips) noexcept
        : base_{&base}, skips_{skips}, random_{seed} {}
    trial_clock(trial_clock const&) = delete;
    trial_clock& operator=(trial_clock const&) = delete;

    [[nodiscard]] steady_time now() const noexcept { return saturating_add(base_->now(), ahead()); }
    [[nodiscard]] steady_time coarse_now() const noexcept {
        return saturating_add(base_->coarse_now(), ahead());
    }
    [[nodiscard]] system_time system_now() const noexcept {
        return saturating_add(base_->system_now(), ahead());
    }
    [[nodiscard]] std::uint64_t random() noexcept {
        // What splitmix64 adds at each step, so that threads share one sequence without a lock.
        return splitmix64{random_.fetch_add(0x9E3779B97F4A7C15ULL, std::memory_order_relaxed)}();
    }

    bool wait_until(steady_time when, std::stop_token const& stop) {
        if (!skips_) return base_->wait_until(when, stop);
        if (stop.stop_requested()) return false;
        auto const length = std::max(saturating_between(now(), when), duration{});
        skipped_.store(saturating_add(ahead(), length).count(), std::memory_order_relaxed);
        return true;
    }

  private:
    [[nodiscard]] duration ahead() const noexcept {
        return duration{skipped_.load(std::memory_order_relaxed)};
    }

    Base* base_;
    bool skips_;
    std::atomic<std::uint64_t> random_;
    std::atomic<duration::rep> skipped_{0};
};

static_assert(clock<trial_clock<real_clock>>);

}  // namespace recoup::inline v1::validation::detail
