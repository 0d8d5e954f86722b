// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

namespace recoup::inline v1 {

/// How much of the past a circuit breaker looks at: the last so many operations.
struct call_window {
    std::uint32_t calls = 100;

    friend bool operator==(call_window, call_window) noexcept = default;
};

/// The most calls that a window may have.
inline constexpr std::uint32_t window_calls_max = 32'768;

/// The last `calls` operations, whenever they were.
constexpr call_window last_calls(std::uint32_t calls) noexcept { return {.calls = calls}; }

}  // namespace recoup::inline v1
