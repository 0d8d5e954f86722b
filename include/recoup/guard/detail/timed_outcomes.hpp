// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/guard/detail/breaker_word.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace recoup::inline v1::detail {

/// Outcomes of a span of time, counted in sixteen parts of it: what is older than the span is forgotten part
/// by part.
///
/// A part is one word, so that it is begun anew and counted in one step:
///
///   63 … 58 generation of the breaker   57 … 40 which part of all time   39 … 20 bad ones   19 … 0 all
///
/// What is of another generation, or of a part that is over, counts as nothing. A part that is full counts
/// no further.
///
/// Thread safety: all members may be called concurrently.
class timed_outcomes {
  public:
    struct counts {
        std::uint32_t calls = 0;
        std::uint32_t bad = 0;
    };

    explicit timed_outcomes(duration span) noexcept
        : part_{std::max<duration::rep>(span.count() / static_cast<duration::rep>(parts), 1)} {}

    void add(breaker_tag tag, bool bad, steady_time now) noexcept {
        auto const mark = mark_of(tag, now);
        auto& word = words_[mark % parts];
        auto seen = word.load(std::memory_order_relaxed);
        std::uint64_t next = 0;
        do {
            auto const kept = seen >> mark_shift == mark ? seen : mark << mark_shift;
            if ((kept & count_most) == count_most) return;
            next = kept + 1 + (bad ? one_bad : 0);
            // Sequentially consistent: of two threads that add and then sum up, one at least sees both.
        } while (!word.compare_exchange_weak(seen, next));
    }

    [[nodiscard]] counts sum(breaker_tag tag, steady_time now) const noexcept {
        auto const mark = mark_of(tag, now);
        auto found = counts{};
        for (auto const& one : words_) {
            auto const word = one.load();
            auto const its = word >> mark_shift;
            // Of this generation, and of one of the last so many parts.
            if (its >> part_bits != mark >> part_bits || ((mark - its) & part_most) >= parts)
                continue;
            found.calls += static_cast<std::uint32_t>(word & count_most);
            found.bad += static_cast<std::uint32_t>((word / one_bad) & count_most);
        }
        return found;
    }

  private:
    static constexpr std::uint64_t parts = 16;
    static constexpr unsigned mark_shift = 40;
    static constexpr unsigned part_bits = 18;
    static constexpr std::uint64_t part_most = (std::uint64_t{1} << part_bits) - 1;
    static constexpr std::uint64_t count_most = (std::uint64_t{1} << 20U) - 1;
    static constexpr std::uint64_t one_bad = std::uint64_t{1} << 20U;

    /// Generation and part, as they stand in a word. From 1, so that a word that was never written is of none.
    [[nodiscard]] std::uint64_t mark_of(breaker_tag tag, steady_time now) const noexcept {
        auto const part = static_cast<std::uint64_t>(now.time_since_epoch().count() / part_);
        auto const generation = std::uint64_t{tag >> 3U} % 63 + 1;
        return generation << part_bits | (part & part_most);
    }

    duration::rep part_;
    std::array<std::atomic<std::uint64_t>, parts> words_{};
};

}  // namespace recoup::inline v1::detail
