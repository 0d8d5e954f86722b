// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>

#include <cstdint>

namespace recoup::inline v1 {

/// What a policy sees of an attempt that failed: plain data, so that a test can make it up.
struct failed_attempt {
    recoup::failure const& failure;       ///< classified
    std::uint32_t attempt = 1;            ///< its number, from 1, over all restarts
    std::uint32_t spent = 1;              ///< attempts charged to the shared budget so far
    std::uint32_t spent_in_category = 1;  ///< attempts that failed with this category so far
    duration previous_delay{};            ///< of the wait before this attempt; 0 before the first
    std::uint64_t random = 0;             ///< a random number, for jitter
};

/// What follows a failed attempt.
struct verdict {
    bool retry = false;                            ///< try again after `delay`
    duration delay{};                              ///< never negative
    stop_reason why = stop_reason::not_retryable;  ///< where it is not tried again
};

}  // namespace recoup::inline v1
