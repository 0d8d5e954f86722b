// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/guard/detail/breaker_word.hpp>
#include <recoup/guard/detail/live.hpp>
#include <recoup/guard/detail/outcome_bits.hpp>
#include <recoup/guard/detail/timed_outcomes.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

namespace recoup::inline v1::detail {

/// What a closed breaker remembers of operations, and whether that is enough to open: the last so many of
/// them, or those of the last so long; how many failed, and where it matters how many were slow.
///
/// Thread safety: all members may be called concurrently.
class breaker_window {
  public:
    struct counts {
        std::uint32_t calls = 0;
        std::uint32_t failures = 0;
        std::uint32_t slow = 0;
    };

    /// Pre: `options` are checked.
    explicit breaker_window(circuit_breaker_options const& options)
        : size_{in_time(options) ? window_calls_max : options.window.calls},
          rates_{rates_of(options)} {
        auto const slow = options.slow_after != unlimited;
        if (in_time(options)) {
            failed_in_time_ = std::make_unique<timed_outcomes>(options.window.span);
            if (slow) slow_in_time_ = std::make_unique<timed_outcomes>(options.window.span);
        } else {
            failed_.emplace(size_);
            if (slow) slow_.emplace(size_);
        }
    }

    /// Records an operation that was admitted under `tag`, if that still counts under `word`.
    ///
    /// Returns: whether the breaker must open.
    template <clock Clock>
    bool record(std::atomic<breaker_word>& word, breaker_tag tag, bool failed, bool slow,
                Clock& time) noexcept {
        if (!failed_in_time_) return record_in_order(word, tag, failed, slow);
        return same_generation(word.load(), tag) &&
               record_in_time(tag, failed, slow, time.coarse_now());
    }

    /// What it holds. Pre: `word` is that of a closed breaker.
    template <clock Clock>
    [[nodiscard]] counts count(breaker_word word, Clock& time) const noexcept {
        if (!failed_in_time_) {
            auto const filled = window_head::of(word).filled(size_);
            return {filled, failed_->failures(filled), slow_ ? slow_->failures(filled) : 0};
        }
        auto const now = time.coarse_now();
        auto const found = failed_in_time_->sum(tag_of(word), now);
        return {found.calls, found.bad,
                slow_in_time_ ? slow_in_time_->sum(tag_of(word), now).bad : 0};
    }

    /// Goes on with other rates and another minimum. Pre: nobody else is in it; the rest is as before.
    void change(circuit_breaker_options const& options) noexcept { rates_.set(rates_of(options)); }

  private:
    struct rates {
        double failed;
        double slow;
        std::uint32_t minimum;
    };

    static rates rates_of(circuit_breaker_options const& options) noexcept {
        auto const least = std::max(options.minimum_calls, std::uint32_t{1});
        return {options.failure_rate, options.slow_rate,
                in_time(options) ? least : std::min(least, options.window.calls)};
    }

    static bool in_time(circuit_breaker_options const& options) noexcept {
        return options.window.span != duration{};
    }

    bool record_in_order(std::atomic<breaker_word>& word, breaker_tag tag, bool failed,
                         bool slow) noexcept {
        auto const bad = failed || slow;
        auto seen = word.load();
        window_head before;
        window_head after;
        do {
            if (!same_generation(seen, tag)) return false;
            before = window_head::of(seen);
            if (before.clean && !bad) return false;
            after = before.after(bad, size_);
        } while (!word.compare_exchange_weak(seen, after.into(seen)));
        auto const [failure_rate, slow_rate, minimum] = rates_.get();
        failed_->set(before.cursor, failed);
        if (slow_) slow_->set(before.cursor, slow);

        // A success can raise the rate above the limit only by completing the minimum. What is bad looks
        // at the head again, for others may have completed it before its bit was set.
        auto const completes = !before.wrapped && after.filled(size_) == minimum;
        if (!bad && !completes) return false;
        seen = word.load();
        if (!same_generation(seen, tag)) return false;
        auto const filled = window_head::of(seen).filled(size_);
        return filled >= minimum &&
               (reaches(failed_->failures(filled), filled, failure_rate) ||
                (slow_ && reaches(slow_->failures(filled), filled, slow_rate)));
    }

    bool record_in_time(breaker_tag tag, bool failed, bool slow, steady_time now) noexcept {
        failed_in_time_->add(tag, failed, now);
        if (slow_in_time_) slow_in_time_->add(tag, slow, now);
        auto const found = failed_in_time_->sum(tag, now);
        auto const [failure_rate, slow_rate, minimum] = rates_.get();
        if (found.calls < minimum) return false;
        return reaches(found.bad, found.calls, failure_rate) ||
               (slow_in_time_ && reaches(slow_in_time_->sum(tag, now).bad, found.calls, slow_rate));
    }

    std::uint32_t size_;
    live<rates> rates_;
    std::optional<outcome_bits> failed_{};
    std::optional<outcome_bits> slow_{};
    std::unique_ptr<timed_outcomes> failed_in_time_{};
    std::unique_ptr<timed_outcomes> slow_in_time_{};
};

}  // namespace recoup::inline v1::detail
