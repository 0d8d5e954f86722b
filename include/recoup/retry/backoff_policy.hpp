// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <concepts>
#include <cstdint>

namespace recoup::inline v1 {

/// What a backoff sees: plain data.
struct backoff_step {
    std::uint32_t retry = 1;   ///< which retry it will be, from 1
    duration previous{};       ///< the delay before; 0 before the first retry
    std::uint64_t random = 0;  ///< a random number, for jitter
};

/// Says how long to wait before a retry.
///
/// Beyond the syntax: `delay` is pure (equal steps give equal delays), reads no clock, and is never
/// negative, for any step whatever. `longest` bounds every delay it gives.
template <class B>
concept backoff_policy = std::copyable<B> && requires(B const& policy, backoff_step step) {
    { policy.delay(step) } noexcept -> std::same_as<duration>;
    { policy.longest() } noexcept -> std::same_as<duration>;
};

}  // namespace recoup::inline v1
