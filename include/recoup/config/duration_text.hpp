// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/retry/jitter.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace recoup::inline v1::config {

namespace detail {

using recoup::detail::wide_int;

struct duration_unit {
    std::string_view name;
    std::int64_t nanoseconds;
};

/// The largest first.
inline constexpr std::array<duration_unit, 7> duration_units{{{"d", 86'400'000'000'000},
                                                              {"h", 3'600'000'000'000},
                                                              {"min", 60'000'000'000},
                                                              {"s", 1'000'000'000},
                                                              {"ms", 1'000'000},
                                                              {"us", 1'000},
                                                              {"ns", 1}}};

/// The most digits before the point, and behind it.
inline constexpr std::size_t duration_digits_max = 18;

/// Takes the digits off the front of `text`.
inline std::string_view take_digits(std::string_view& text) {
    std::size_t count = 0;
    while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
    auto const digits = text.substr(0, count);
    text.remove_prefix(count);
    return digits;
}

inline std::int64_t number_of(std::string_view digits) {
    std::int64_t number = 0;
    for (auto const digit : digits) number = number * 10 + (digit - '0');
    return number;
}

}  // namespace detail

/// A span of time as text: a number and one of the units d, h, min, s, ms, us and ns, as `200ms`, `1.5h` or
/// `2min`; or `unlimited`.
///
/// Returns: nothing where it is not that, does not fit, or is no whole number of nanoseconds.
[[nodiscard]] inline std::optional<duration> parse_duration(std::string_view text) {
    using namespace detail;
    if (text == "unlimited") return unlimited;
    auto const negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    auto const whole = take_digits(text);
    auto fraction = std::string_view{};
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        fraction = take_digits(text);
        if (fraction.empty()) return std::nullopt;
    }
    // A number of 19 digits is written in whole nanoseconds alone.
    auto const most = duration_digits_max + (fraction.empty() ? 1 : 0);
    if (whole.empty() || whole.size() > most || fraction.size() > duration_digits_max)
        return std::nullopt;
    for (auto const& unit : duration_units) {
        if (text != unit.name) continue;
        if (whole.size() == 19 && whole > "9223372036854775807") return std::nullopt;
        auto parts = wide_int{1};
        for (std::size_t i = 0; i != fraction.size(); ++i) parts *= 10;
        auto const behind = wide_int{number_of(fraction)} * unit.nanoseconds;
        if (behind % parts != 0) return std::nullopt;
        auto const sum = wide_int{number_of(whole)} * unit.nanoseconds + behind / parts;
        // `unlimited` is a word of its own, and no number.
        if (sum >= wide_int{std::numeric_limits<std::int64_t>::max()}) return std::nullopt;
        auto const count = static_cast<std::int64_t>(sum);
        return duration{negative ? -count : count};
    }
    return std::nullopt;
}

/// The text that `parse_duration` reads as `span`: a whole number in the largest unit up to hours.
[[nodiscard]] inline std::string duration_text(duration span) {
    if (span == unlimited) return "unlimited";
    if (span == duration{}) return "0s";
    for (auto const& unit : detail::duration_units) {
        if (unit.name == "d" || span.count() % unit.nanoseconds != 0) continue;
        return std::to_string(span.count() / unit.nanoseconds) + std::string{unit.name};
    }
    return std::to_string(span.count()) + "ns";
}

}  // namespace recoup::inline v1::config
