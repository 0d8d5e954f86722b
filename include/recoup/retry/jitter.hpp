// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <cstdint>
#include <iosfwd>
#include <string_view>

namespace recoup::inline v1 {

/// How a delay is spread, so that those who failed together do not come back together.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
enum class jitter : std::uint8_t {
    none,   ///< the delay itself
    full,   ///< evenly between zero and the delay
    equal,  ///< evenly between half the delay and the delay
};

/// The name of `how`, as in the enumeration.
constexpr std::string_view to_string(jitter how) noexcept {
    switch (how) {
        case jitter::none: return "none";
        case jitter::full: return "full";
        case jitter::equal: return "equal";
    }
    return "none";
}

template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out, jitter how) {
    return out << to_string(how);
}

namespace detail {

__extension__ using wide_uint = unsigned __int128;
__extension__ using wide_int = __int128;

/// A whole number from 0 to `most`, both included, spread evenly as `random` is.
///
/// Source: D. Lemire, "Fast Random Integer Generation in an Interval", 2019; without its rejection,
/// whose bias is below one in 2^64 / most.
constexpr std::int64_t pick_up_to(std::int64_t most, std::uint64_t random) noexcept {
    auto const choices = static_cast<std::uint64_t>(most) + 1;
    return static_cast<std::int64_t>(
        static_cast<std::uint64_t>((wide_uint{random} * choices) >> 64U));
}

/// `delay`, which is not negative, spread as `how` says.
constexpr duration spread(duration delay, jitter how, std::uint64_t random) noexcept {
    switch (how) {
        case jitter::none: return delay;
        case jitter::full: return duration{pick_up_to(delay.count(), random)};
        case jitter::equal: {
            auto const sure = delay.count() / 2;
            return duration{sure + pick_up_to(delay.count() - sure, random)};
        }
    }
    return delay;
}

}  // namespace detail

}  // namespace recoup::inline v1
