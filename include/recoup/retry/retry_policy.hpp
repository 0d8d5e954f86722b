// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failed_attempt.hpp>

#include <concepts>

namespace recoup::inline v1 {

/// Decides what follows a failed attempt.
///
/// Beyond the syntax: `decide` reads no clock and does no I/O, so that equal inputs give equal
/// verdicts and a test needs no sleep. The deadline and cancellation are the engine's business.
template <class P>
concept retry_policy = std::copyable<P> && requires(P const& policy, failed_attempt const& seen) {
    { policy.decide(seen) } noexcept -> std::same_as<verdict>;
};

}  // namespace recoup::inline v1
