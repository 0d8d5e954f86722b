// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <chrono>
#include <cstdint>

namespace recoup::inline v1::validation {

/// What a decorated callable is held to: plain data.
struct requirements {
    double overhead_below = 0.05;           ///< the median, as a share of the bare call's time
    std::int64_t memory_below = 5'000'000;  ///< bytes by which the process may grow over all calls
    duration recovery_below = std::chrono::milliseconds{500};  ///< the median, waits included
    double success_at_least = 0.90;  ///< of the operations that can be cured

    friend bool operator==(requirements const&, requirements const&) = default;
};

}  // namespace recoup::inline v1::validation
