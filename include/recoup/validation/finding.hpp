// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/validation/statistics.hpp>

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string_view>

namespace recoup::inline v1::validation {

/// What a measurement says of a requirement.
enum class finding : std::uint8_t {
    met,
    missed,
    too_noisy_to_tell,  ///< what was measured allows both
};

/// The name of `found`, as in the enumeration.
constexpr std::string_view to_string(finding found) noexcept {
    switch (found) {
        case finding::met: return "met";
        case finding::missed: return "missed";
        case finding::too_noisy_to_tell: return "too_noisy_to_tell";
    }
    return "too_noisy_to_tell";
}

template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out, finding found) {
    return out << to_string(found);
}

/// Judges a figure that must be below `bound`, and is known to lie in an interval. It is met only where all of the
/// interval is below, and missed only where all of it is not, and is off by more than the `noise` of a figure that
/// should be 0.
constexpr finding judge_below(std::optional<interval> const& where, double bound,
                              double noise = 0) noexcept {
    if (!where) return finding::too_noisy_to_tell;
    if (where->high < bound) return finding::met;
    return where->low - noise >= bound ? finding::missed : finding::too_noisy_to_tell;
}

/// Judges a figure that must be at least `bound`.
constexpr finding judge_at_least(std::optional<interval> const& where, double bound) noexcept {
    if (!where) return finding::too_noisy_to_tell;
    if (where->low >= bound) return finding::met;
    return where->high < bound ? finding::missed : finding::too_noisy_to_tell;
}

}  // namespace recoup::inline v1::validation
