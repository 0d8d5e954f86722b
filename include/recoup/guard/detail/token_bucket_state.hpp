// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/guard/rate_limit.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

namespace recoup::inline v1::detail {

/// A token bucket in one word: the moment at which it will be full again. A call moves that on by the
/// time that one token takes, and is admitted where it does not get further away than a whole bucket.
///
/// Source: the generic cell rate algorithm, ITU-T I.371 (2004), annex A, as virtual scheduling.
/// Thread safety: all members may be called concurrently.
class token_bucket_state {
  public:
    explicit token_bucket_state(rate_limit const& limit) noexcept
        // Rounded up, so that rounding never admits more.
        : token_{duration{(limit.per.count() + limit.calls - 1) / limit.calls}},
          whole_{whole(token_, limit.burst)} {}

    /// Takes a token, be it one that drops in within `at_most`.
    ///
    /// Returns: how long until it is there, more than `at_most` where none was taken.
    duration take(steady_time now, duration at_most = {}) noexcept {
        auto full_at = full_at_.load(std::memory_order_relaxed);
        while (true) {
            auto const next = saturating_add(std::max(steady_time{duration{full_at}}, now), token_);
            auto const wait = std::max(saturating_between(now, next) - whole_, duration{});
            if (wait > at_most ||
                full_at_.compare_exchange_weak(full_at, next.time_since_epoch().count(),
                                               std::memory_order_relaxed))
                return wait;
        }
    }

    /// How long until there is a token.
    [[nodiscard]] duration next_in(steady_time now) const noexcept {
        auto const full_at = steady_time{duration{full_at_.load(std::memory_order_relaxed)}};
        auto const next = saturating_add(std::max(full_at, now), token_);
        return std::max(saturating_between(now, next) - whole_, duration{});
    }

  private:
    /// A century at the most, so that no moment gets near the end of the clock's range.
    static constexpr duration whole(duration token, std::uint32_t burst) noexcept {
        auto const most = 10 * rate_limit_span_max;
        return token > most / burst ? most : token * burst;
    }

    duration token_;
    duration whole_;
    std::atomic<duration::rep> full_at_{std::numeric_limits<duration::rep>::min()};
};

}  // namespace recoup::inline v1::detail
