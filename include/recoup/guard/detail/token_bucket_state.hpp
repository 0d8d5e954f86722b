// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/guard/detail/live.hpp>
#include <recoup/guard/rate_limit.hpp>
#include <recoup/retry/jitter.hpp>

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
    explicit token_bucket_state(rate_limit const& limit) noexcept : sizes_{sizes_of(limit)} {}

    /// Takes a token, be it one that drops in within `at_most`.
    ///
    /// Returns: how long until it is there, more than `at_most` where none was taken.
    duration take(steady_time now, duration at_most = {}) noexcept {
        auto full_at = full_at_.load(std::memory_order_acquire);
        while (true) {
            // Behind the moment, so that one which a change has converted is never read with sizes from
            // before it.
            auto const [token, whole] = sizes_.get();
            auto const next = saturating_add(std::max(steady_time{duration{full_at}}, now), token);
            auto const wait = std::max(saturating_between(now, next) - whole, duration{});
            if (wait > at_most ||
                full_at_.compare_exchange_weak(full_at, next.time_since_epoch().count(),
                                               std::memory_order_acquire))
                return wait;
        }
    }

    /// How long until there is a token.
    [[nodiscard]] duration next_in(steady_time now) const noexcept {
        auto const full_at = steady_time{duration{full_at_.load(std::memory_order_acquire)}};
        auto const [token, whole] = sizes_.get();
        auto const next = saturating_add(std::max(full_at, now), token);
        return std::max(saturating_between(now, next) - whole, duration{});
    }

    /// Goes on with another limit: as many tokens are missing as before, but no more than all, and what was
    /// promised to those who wait stays promised. A call at that very moment may be counted by the size
    /// that a token had or has, never by neither.
    ///
    /// Pre: nobody else is in it.
    void change(rate_limit const& limit, steady_time now) noexcept {
        auto const before = sizes_.get();
        auto const after = sizes_of(limit);
        sizes_.set(after);
        auto full_at = full_at_.load(std::memory_order_relaxed);
        auto next = full_at;
        do {
            auto const left = saturating_between(now, steady_time{duration{full_at}});
            if (left <= duration{}) return;  // it is full
            auto const promised = std::max(left - before.whole, duration{});
            auto const missing =
                wide_int{left.count()} * after.token.count() / before.token.count();
            auto const most = wide_int{saturating_add(after.whole, promised).count()};
            auto const then = duration{static_cast<duration::rep>(std::min(missing, most))};
            next = saturating_add(now, then).time_since_epoch().count();
        } while (!full_at_.compare_exchange_weak(full_at, next, std::memory_order_release,
                                                 std::memory_order_relaxed));
    }

  private:
    struct sizes {
        duration token;
        duration whole;
    };

    static sizes sizes_of(rate_limit const& limit) noexcept {
        // Rounded up, so that rounding never admits more.
        auto const token = duration{(limit.per.count() + limit.calls - 1) / limit.calls};
        return {token, whole(token, limit.burst)};
    }

    /// A century at the most, so that no moment gets near the end of the clock's range.
    static constexpr duration whole(duration token, std::uint32_t burst) noexcept {
        auto const most = 10 * rate_limit_span_max;
        return token > most / burst ? most : token * burst;
    }

    live<sizes> sizes_;
    std::atomic<duration::rep> full_at_{std::numeric_limits<duration::rep>::min()};
};

}  // namespace recoup::inline v1::detail
