// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/error_classifier.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/on.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/guard.hpp>
#include <recoup/retry/not_idempotent.hpp>
#include <recoup/retry/retry_if.hpp>
#include <recoup/retry/retry_policy.hpp>

#include <concepts>
#include <cstdint>

// What each policy is for, and how it says so.

namespace recoup::inline v1 {

// Whoever names them includes what they need.
struct attempt_timeout;
struct abandon_after;

}  // namespace recoup::inline v1

namespace recoup::inline v1::detail {

/// What a policy is for; the staged kinds in the order of their stages, outermost first.
enum class policy_kind : std::uint8_t {
    fallback,
    cache,
    persist,
    deadline,
    retry,
    hedge,
    guard,
    attempt_timeout,
    abandon,
    classifier,  // from here on: no stage
    clock,
    observer,
    stop,
    value_check,
    budget,
    idempotency,
    trace,
    threads,
    unknown,
};

template <class P>
inline constexpr bool is_clock_choice = false;
template <class C>
inline constexpr bool is_clock_choice<clock_choice<C>> = true;
template <class P>
inline constexpr bool is_value_check = false;
template <class F>
inline constexpr bool is_value_check<value_check<F>> = true;

/// Retries are paid for: `retry_budget`, or another model.
template <class P>
concept budgeting = requires(P& budget, real_clock& time) {
    { budget.deposit() } noexcept;
    { budget.try_withdraw(time) } noexcept -> std::same_as<bool>;
};

/// What `persist(...)` returns says so itself, so that nothing here needs to know a store.
template <class P>
concept persisting = requires { typename P::is_persistence; };

/// A guard for each key of the calls: `per_key(...)`.
template <class P>
concept keyed_guard = requires { typename P::is_keyed_guard; };

/// Begins attempts beside a slow one: `hedge`.
template <class P>
concept hedging = requires { typename P::is_hedge; };

/// Bounds an operation: `deadline`, or one that can be replaced.
template <class P>
concept bounding = std::same_as<P, recoup::deadline> || requires { typename P::is_deadline; };

/// The deadline of an operation that begins.
template <bounding P>
[[nodiscard]] recoup::deadline deadline_of(P const& policy) noexcept {
    if constexpr (std::same_as<P, recoup::deadline>)
        return policy;
    else
        return policy.current();
}

/// Bounds an attempt: `attempt_timeout`, or one that can be replaced.
template <class P>
concept timing_out =
    std::same_as<P, recoup::attempt_timeout> || requires { typename P::is_attempt_timeout; };

/// The timeout of an attempt that begins.
template <timing_out P>
[[nodiscard]] auto timeout_of(P const& policy) noexcept {
    if constexpr (std::same_as<P, recoup::attempt_timeout>)
        return policy;
    else
        return policy.current();
}

/// Says that an attempt must not happen twice: `not_idempotent`, or one that can be replaced.
template <class P>
concept happening_once =
    std::same_as<P, recoup::not_idempotent> || requires { typename P::is_not_idempotent; };

/// Where plain calls run that have a hedge: `abandon_pool`.
template <class P>
concept thread_pool = requires { typename P::is_thread_pool; };

/// Says which trace calls are part of: `trace(...)`.
template <class P>
concept tracing = requires { typename P::is_trace; };

template <class P>
concept falling_back = requires { typename P::is_fallback; };

/// Returns recent results again: `cache`.
template <class P>
concept caching = requires { typename P::is_cache; };

template <class P>
constexpr policy_kind find_kind() {
    if constexpr (falling_back<P>)
        return policy_kind::fallback;
    else if constexpr (caching<P>)
        return policy_kind::cache;
    else if constexpr (persisting<P>)
        return policy_kind::persist;
    else if constexpr (bounding<P>)
        return policy_kind::deadline;
    else if constexpr (retry_policy<P>)
        return policy_kind::retry;
    else if constexpr (hedging<P>)
        return policy_kind::hedge;
    else if constexpr (guard<P> || keyed_guard<P>)
        return policy_kind::guard;
    else if constexpr (timing_out<P>)
        return policy_kind::attempt_timeout;
    else if constexpr (std::same_as<P, recoup::abandon_after>)
        return policy_kind::abandon;
    else if constexpr (error_classifier<P>)
        return policy_kind::classifier;
    else if constexpr (is_clock_choice<P>)
        return policy_kind::clock;
    else if constexpr (std::same_as<P, stop_choice>)
        return policy_kind::stop;
    else if constexpr (is_value_check<P>)
        return policy_kind::value_check;
    else if constexpr (budgeting<P>)
        return policy_kind::budget;
    else if constexpr (happening_once<P>)
        return policy_kind::idempotency;
    else if constexpr (tracing<P>)
        return policy_kind::trace;
    else if constexpr (thread_pool<P>)
        return policy_kind::threads;
    else if constexpr (observer<P>)
        return policy_kind::observer;
    else
        return policy_kind::unknown;
}

template <class P>
inline constexpr policy_kind kind_of = find_kind<P>();

constexpr bool has_stage(policy_kind kind) noexcept { return kind <= policy_kind::abandon; }

}  // namespace recoup::inline v1::detail
