// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <cstdint>

namespace recoup::inline v1 {

/// How much of the past a circuit breaker looks at: the last so many operations, or the operations of the
/// last so long.
struct call_window {
    std::uint32_t calls = 100;
    duration span{};  ///< 0: it is `calls` that counts

    friend bool operator==(call_window, call_window) noexcept = default;
};

/// The most calls that a window may have.
inline constexpr std::uint32_t window_calls_max = 32'768;

/// The last `calls` operations, whenever they were.
constexpr call_window last_calls(std::uint32_t calls) noexcept {
    return {.calls = calls, .span = duration{}};
}

/// The operations of the last `span`, give or take a sixteenth of it. Each takes a shared write, a success,
/// too, and there are at most a million of them in a sixteenth.
constexpr call_window last(duration span) noexcept { return {.calls = 0, .span = span}; }

}  // namespace recoup::inline v1
