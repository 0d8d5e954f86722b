// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace recoup::inline v1::detail {

/// A percentile of the last latencies, in memory that is allocated once.
///
/// It is the nearest rank: of n latencies in order, the ⌈p·n⌉-th. It is found anew with every sixteenth part of
/// the window, by whoever adds the latency that completes it; others go on with the one before.
/// Thread safety: all members may be called concurrently; nobody waits.
class latency_window {
  public:
    static constexpr duration unknown{-1};

    /// `least`: how many latencies there must be. Pre: 0 < percentile < 1, 1 <= least <= size.
    latency_window(std::size_t size, std::size_t least, double percentile)
        : least_{least},
          percentile_{percentile},
          every_{std::max(size / 16, std::size_t{1})},
          latencies_(size),
          sorted_(size) {
        for (auto& one : latencies_) one.store(unknown.count(), std::memory_order_relaxed);
    }
    latency_window(latency_window const&) = delete;
    latency_window& operator=(latency_window const&) = delete;

    void add(duration latency) noexcept {
        auto const count = added_.fetch_add(1, std::memory_order_relaxed) + 1;
        latencies_[(count - 1) % latencies_.size()].store(latency.count(),
                                                          std::memory_order_relaxed);
        if (count >= least_ && (count == least_ || count % every_ == 0)) find(count);
    }

    /// Finds another percentile of what is known. Pre: as of the constructor.
    void change(double percentile) noexcept {
        percentile_.store(percentile, std::memory_order_relaxed);
        if (auto const count = added_.load(std::memory_order_relaxed); count >= least_) find(count);
    }

    /// `unknown` where there are too few.
    [[nodiscard]] duration value() const noexcept {
        return duration{value_.load(std::memory_order_relaxed)};
    }

  private:
    void find(std::uint64_t count) noexcept {
        std::unique_lock const lock{mutex_, std::try_to_lock};
        if (!lock) return;
        auto const written =
            static_cast<std::size_t>(std::min<std::uint64_t>(count, latencies_.size()));
        auto known = std::size_t{0};
        for (std::size_t i = 0; i != written; ++i) {
            auto const one = latencies_[i].load(std::memory_order_relaxed);
            if (one >= 0) sorted_[known++] = one;  // another thread may be about to write it
        }
        if (known < least_) return;
        auto const rank = static_cast<std::size_t>(
            std::ceil(percentile_.load(std::memory_order_relaxed) * static_cast<double>(known)));
        auto const place = sorted_.begin() +
                           static_cast<std::ptrdiff_t>(std::clamp(rank, std::size_t{1}, known)) - 1;
        std::nth_element(sorted_.begin(), place,
                         sorted_.begin() + static_cast<std::ptrdiff_t>(known));
        value_.store(*place, std::memory_order_relaxed);
    }

    std::size_t const least_;
    std::atomic<double> percentile_;
    std::size_t const every_;
    std::vector<std::atomic<duration::rep>> latencies_;
    std::atomic<std::uint64_t> added_{0};
    std::atomic<duration::rep> value_{unknown.count()};
    std::mutex mutex_;
    std::vector<duration::rep> sorted_;  ///< under the mutex
};

}  // namespace recoup::inline v1::detail
