// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>

#include <concepts>
#include <utility>

namespace recoup::inline v1 {

/// Admits attempts or rejects them, and learns how they end: a circuit breaker, say.
///
/// - `try_acquire` gives a permit, which is false where the attempt is not admitted. A rejection
///   allocates nothing and does not throw.
/// - Of an admitted attempt the permit is told `succeeded`, or `failed` with its category and whether
///   the operation ends with it; one that is destroyed untold says nothing about the callee, and
///   gives back what it held.
/// - `retry_in` is how long it will take until it may admit again.
/// - Optional: `operation_failed(what, clock) noexcept`, told where an operation ends in failure between
///   attempts (it was stopped, its record was lost, a guard rejected the next attempt) after the
///   permit of the last one was told that the operation goes on.
///
/// Thread safety: all members may be called concurrently. A permit belongs to one thread at a time.
template <class G>
concept guard = requires(G& gate, real_clock& time, typename G::permit& permit, category what) {
    { gate.try_acquire(time) } noexcept -> std::same_as<typename G::permit>;
    { static_cast<bool>(permit) } noexcept;
    { permit.succeeded(time) } noexcept;
    { permit.failed(what, true, time) } noexcept;
    { gate.retry_in(time) } noexcept -> std::same_as<duration>;
    requires std::movable<typename G::permit>;
};

}  // namespace recoup::inline v1
