// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>

namespace recoup::inline v1 {

/// Spans of time inside the library; 64-bit nanoseconds, some 292 years.
using duration = std::chrono::nanoseconds;

/// A moment on the clock that never jumps: for measuring and waiting.
using steady_time = std::chrono::time_point<std::chrono::steady_clock, duration>;

/// A moment on the wall clock: only for what must survive a restart.
using system_time = std::chrono::time_point<std::chrono::system_clock, duration>;

/// No limit.
inline constexpr duration unlimited = duration::max();

/// `time + span`, which stops at the end of the range instead of wrapping.
template <class Clock>
constexpr std::chrono::time_point<Clock, duration> saturating_add(
    std::chrono::time_point<Clock, duration> time, duration span) noexcept {
    using point = std::chrono::time_point<Clock, duration>;
    duration sum{};
    duration::rep raw{};
    if (__builtin_add_overflow(time.time_since_epoch().count(), span.count(), &raw))
        return span.count() > 0 ? point::max() : point::min();
    sum = duration{raw};
    return point{sum};
}

/// `left + right`, which stops at the end of the range instead of wrapping.
constexpr duration saturating_add(duration left, duration right) noexcept {
    duration::rep raw{};
    if (__builtin_add_overflow(left.count(), right.count(), &raw))
        return right.count() > 0 ? duration::max() : duration::min();
    return duration{raw};
}

/// `later - earlier`, which stops at the end of the range instead of wrapping.
template <class Clock>
constexpr duration saturating_between(std::chrono::time_point<Clock, duration> earlier,
                                      std::chrono::time_point<Clock, duration> later) noexcept {
    duration::rep raw{};
    auto const from = earlier.time_since_epoch().count();
    auto const to = later.time_since_epoch().count();
    if (__builtin_sub_overflow(to, from, &raw))
        return to > from ? duration::max() : duration::min();
    return duration{raw};
}

}  // namespace recoup::inline v1
