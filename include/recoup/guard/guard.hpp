// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/time.hpp>

#include <concepts>
#include <cstdint>
#include <stop_token>
#include <string_view>
#include <utility>

namespace recoup::inline v1 {

/// Where a guard stands among those of a call, outermost first, if their order is not written.
enum class guard_stage : std::uint8_t {
    breaker,  ///< whether what is called is fit to be called at all
    rate,     ///< how often it is called
    room,     ///< how many calls run at a time: held only while one really runs
};

/// Admits attempts or rejects them, and learns how they end: a circuit breaker, say.
///
/// - `try_acquire` gives a permit, which is false where the attempt is not admitted. A rejection
///   allocates nothing and does not throw.
/// - Of an admitted attempt the permit is told `succeeded`, or `failed` with its category and whether
///   the operation ends with it; one that is destroyed untold says nothing about the callee, and
///   gives back what it held.
/// - `retry_in` is how long it will take until it may admit again.
/// - Optional: `queue(clock, give_up_at, stop_token) noexcept`, as `try_acquire`, but the attempt may wait for
///   its turn; see `waiting_guard`. It is asked where `try_acquire` did not admit the attempt.
/// - Optional: `longest_wait() noexcept`, how long `queue` lets an attempt wait at the most. Where that is zero
///   `queue` is not asked.
/// - Optional: `static constexpr guard_rejection rejection`, what a rejected attempt fails with.
/// - Optional: `static constexpr guard_stage stage`, `breaker` without it; and `static constexpr
///   std::string_view label`, what `explain` calls it.
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

namespace detail {

template <class G>
constexpr guard_stage stage_of() noexcept {
    if constexpr (requires { guard_stage{G::stage}; })
        return G::stage;
    else
        return guard_stage::breaker;
}

template <class G>
constexpr std::string_view label_of() noexcept {
    if constexpr (requires { std::string_view{G::label}; })
        return G::label;
    else
        return "guard";
}

}  // namespace detail

/// A guard that may let an attempt wait for its turn, until `give_up_at` at the latest, and no longer than until
/// a stop is requested.
///
/// `queue` gives a ticket. While that `waits()`, its holder waits until its `until()`, or until its `wake()`
/// requests to stop, on a thread or in a coroutine, and tells it so by `woken(clock)`; then `take()` is the
/// permit, false where the turn did not come. A ticket stays where it is made, and belongs to one at a time.
template <class G>
concept waiting_guard =
    guard<G> && requires(G& gate, real_clock& time, steady_time until, std::stop_token const& stop,
                         typename G::ticket& ticket) {
        { gate.queue(time, until, stop) } noexcept -> std::same_as<typename G::ticket>;
        { ticket.waits() } noexcept -> std::same_as<bool>;
        { ticket.until() } noexcept -> std::same_as<steady_time>;
        { ticket.wake() } noexcept -> std::same_as<std::stop_token>;
        { ticket.woken(time) } noexcept;
        { ticket.take() } noexcept -> std::same_as<typename G::permit>;
    };

namespace detail {

/// Whether an attempt that is not admitted at once may wait for its turn.
template <waiting_guard G>
constexpr bool may_let_wait([[maybe_unused]] G const& gate) noexcept {
    if constexpr (requires {
                      { gate.longest_wait() } -> std::same_as<duration>;
                  })
        return gate.longest_wait() > duration{};
    else
        return true;
}

}  // namespace detail

/// Waits on this thread for a turn.
template <waiting_guard G, clock Clock>
[[nodiscard]] typename G::permit acquire(G& gate, Clock& time, steady_time give_up_at,
                                         std::stop_token const& stop) noexcept {
    auto ticket = gate.queue(time, give_up_at, stop);
    while (ticket.waits()) {
        try {
            static_cast<void>(time.wait_until(ticket.until(), ticket.wake()));
        } catch (...) {
            break;  // no memory to wait with
        }
        ticket.woken(time);
    }
    return ticket.take();
}

}  // namespace recoup::inline v1
