// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/guard/circuit_breaker_options.hpp>

#include <cstdint>

// All that changes often in a circuit breaker is one word, so that one compare-and-swap decides both
// whether a result still counts and where it goes:
//
//   63 timed   62 … 35 generation   34 clean   33 … 32 state   31 … 0 depends on the state:
//     closed:    31 wrapped, 30 … 16 cursor, 14 … 0 streak
//     half-open: 29 … 20 probes under way, 19 … 10 failed, 9 … 0 succeeded
//
// The upper half is what a permit remembers. A generation begins with each change of state. `timed` is set
// for good where attempts are timed, so that one comparison tells the others apart.

namespace recoup::inline v1::detail {

using breaker_word = std::uint64_t;
using breaker_tag = std::uint32_t;

inline constexpr breaker_tag clean_flag = 4;
inline constexpr breaker_tag timed_flag = breaker_tag{1} << 31U;

constexpr breaker_tag tag_of(breaker_word word) noexcept {
    return static_cast<breaker_tag>(word >> 32U);
}
constexpr breaker_state state_of(breaker_tag tag) noexcept {
    return static_cast<breaker_state>(tag & 3U);
}

/// Whether an attempt is admitted, and not timed.
constexpr bool is_plainly_closed(breaker_tag tag) noexcept {
    static_assert(static_cast<breaker_tag>(breaker_state::closed) == 0);
    return (tag & (3U | timed_flag)) == 0;
}

/// Whether what was admitted under `tag` still counts under `word`.
constexpr bool same_generation(breaker_word word, breaker_tag tag) noexcept {
    return ((tag_of(word) ^ tag) & ~clean_flag) == 0;
}

/// The beginning of a state, after the one that `before` is of.
constexpr breaker_word enter(breaker_word before, breaker_state state) noexcept {
    auto const tag = tag_of(before);
    auto const generation = (((tag >> 3U) + 1) << 3U) & ~timed_flag;
    return breaker_word{(tag & timed_flag) | generation | static_cast<breaker_tag>(state)} << 32U;
}

/// A closed breaker's window: where the next outcome goes, and what is known without counting.
struct window_head {
    std::uint32_t cursor = 0;  ///< the place of the next outcome
    std::uint32_t streak = 0;  ///< successes since the last failure
    bool wrapped = false;      ///< every place has been used
    bool clean = false;        ///< every place has been used and holds a success

    static constexpr window_head of(breaker_word word) noexcept {
        auto const low = static_cast<std::uint32_t>(word);
        return {.cursor = (low >> 16U) & 0x7FFFU,
                .streak = low & 0x7FFFU,
                .wrapped = (low >> 31U) != 0,
                .clean = (tag_of(word) & clean_flag) != 0};
    }

    /// The same generation with this head.
    [[nodiscard]] constexpr breaker_word into(breaker_word word) const noexcept {
        auto const tag = (tag_of(word) & ~clean_flag) | (clean ? clean_flag : 0);
        auto const low = (wrapped ? 1U << 31U : 0U) | (cursor << 16U) | streak;
        return breaker_word{tag} << 32U | low;
    }

    /// How many outcomes the window holds.
    [[nodiscard]] constexpr std::uint32_t filled(std::uint32_t size) const noexcept {
        return wrapped ? size : cursor;
    }

    /// After one more outcome.
    [[nodiscard]] constexpr window_head after(bool failed, std::uint32_t size) const noexcept {
        auto next = *this;
        next.cursor = cursor + 1;
        if (next.cursor == size) {
            next.cursor = 0;
            next.wrapped = true;
        }
        next.streak = failed ? 0 : streak + 1;
        next.clean = next.streak == size;
        if (next.clean) next.streak = 0;
        return next;
    }
};

/// A half-open breaker's probes.
struct probe_counts {
    std::uint32_t running = 0;
    std::uint32_t failed = 0;
    std::uint32_t succeeded = 0;

    static constexpr probe_counts of(breaker_word word) noexcept {
        auto const low = static_cast<std::uint32_t>(word);
        return {.running = (low >> 20U) & 0x3FFU,
                .failed = (low >> 10U) & 0x3FFU,
                .succeeded = low & 0x3FFU};
    }

    [[nodiscard]] constexpr breaker_word into(breaker_word word) const noexcept {
        return breaker_word{tag_of(word)} << 32U | (running << 20U) | (failed << 10U) | succeeded;
    }

    [[nodiscard]] constexpr std::uint32_t used() const noexcept {
        return running + failed + succeeded;
    }
};

/// Whether `part` of `whole` is at least `rate`. A quotient, for it is rounded as the rate was when
/// somebody wrote 0.07; the product 0.07 × 100 is above 7.
constexpr bool reaches(std::uint32_t part, std::uint32_t whole, double rate) noexcept {
    return static_cast<double>(part) / static_cast<double>(whole) >= rate;
}

}  // namespace recoup::inline v1::detail
