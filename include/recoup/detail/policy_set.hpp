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

#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

// What a wrapper holds of its policies: which is which, who owns it, and in which order they act.

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

// What a wrapper's type consists of. A user's unqualified call with a wrapper looks for functions in
// here, too: there must be none.
namespace adl_barrier {

/// A policy that the wrapper owns: plain data.
template <class P>
struct by_value {
    using policy_type = P;
    P policy;
    [[nodiscard]] P const& get() const noexcept { return policy; }
};

/// An observer that the wrapper owns and that changes when it is called.
template <class P>
struct by_changing_value {
    using policy_type = P;
    mutable P policy;
    [[nodiscard]] P& get() const noexcept { return policy; }
};

/// A stateful policy that outlives the wrapper.
template <class P>
struct by_reference {
    using policy_type = std::remove_const_t<P>;
    P* policy;
    [[nodiscard]] P& get() const noexcept { return *policy; }
};

/// A stateful policy that the wrapper and its copies own together.
template <class P>
struct by_sharing {
    using policy_type = std::remove_const_t<P>;
    std::shared_ptr<P> policy;
    [[nodiscard]] P& get() const noexcept { return *policy; }
};

}  // namespace adl_barrier

using adl_barrier::by_changing_value;
using adl_barrier::by_reference;
using adl_barrier::by_sharing;
using adl_barrier::by_value;

template <class P>
inline constexpr bool is_shared_ptr = false;
template <class P>
inline constexpr bool is_shared_ptr<std::shared_ptr<P>> = true;
template <class P>
inline constexpr bool is_reference_wrapper = false;
template <class P>
inline constexpr bool is_reference_wrapper<std::reference_wrapper<P>> = true;

}  // namespace recoup::inline v1::detail

namespace recoup::inline v1 {

/// Policies for many callables. Made by `policies` and `in_order`.
template <bool Ordered, class... Held>
struct policy_bundle {
    static constexpr bool ordered = Ordered;
    std::tuple<Held...> held;
};

}  // namespace recoup::inline v1

namespace recoup::inline v1::detail {

template <class P>
inline constexpr bool is_bundle = false;
template <bool Ordered, class... Held>
inline constexpr bool is_bundle<policy_bundle<Ordered, Held...>> = true;

/// Takes one argument of `with_recovery` into a tuple of what is held of it.
template <class A>
auto hold(A&& given) {
    using plain = std::remove_cvref_t<A>;
    if constexpr (is_bundle<plain>) {
        return std::forward<A>(given).held;
    } else if constexpr (is_shared_ptr<plain>) {
        return std::tuple{by_sharing<typename plain::element_type>{std::forward<A>(given)}};
    } else if constexpr (is_reference_wrapper<plain>) {
        return std::tuple{by_reference<typename plain::type>{&given.get()}};
    } else if constexpr (std::same_as<plain, std::stop_token>) {
        return std::tuple{by_value<stop_choice>{{std::forward<A>(given)}}};
    } else if constexpr (std::is_lvalue_reference_v<A> && !std::is_copy_constructible_v<plain>) {
        return std::tuple{by_reference<std::remove_reference_t<A>>{&given}};
    } else {
        static_assert(std::is_constructible_v<plain, A&&>,
                      "recoup: this policy has state that can be neither copied nor moved: pass an "
                      "lvalue that outlives the wrapper, or a std::shared_ptr");
        if constexpr (kind_of<plain> == policy_kind::observer && !observer<plain const>)
            return std::tuple{by_changing_value<plain>{std::forward<A>(given)}};
        else
            return std::tuple{by_value<plain>{std::forward<A>(given)}};
    }
}

template <class Held>
inline constexpr policy_kind held_kind = kind_of<typename Held::policy_type>;

template <class... Held>
constexpr std::size_t count_kind([[maybe_unused]] policy_kind kind) {
    return (std::size_t{0} + ... + (held_kind<Held> == kind ? 1 : 0));
}

/// The position of the first of a kind, or the number of all where there is none.
template <class... Held>
constexpr std::size_t find_policy([[maybe_unused]] policy_kind kind) {
    std::size_t at = 0;
    bool found = false;
    ((found = found || held_kind<Held> == kind, at += found ? 0U : 1U), ...);
    return at;
}

namespace adl_barrier {

/// The policies of one wrapper.
template <bool Ordered, class... Held>
struct policy_set {
    std::tuple<Held...> held;

    static constexpr bool ordered = Ordered;
    static constexpr std::size_t size = sizeof...(Held);

    template <policy_kind Kind>
    static constexpr bool has = count_kind<Held...>(Kind) != 0;

    template <policy_kind Kind>
    static constexpr std::size_t index_of = find_policy<Held...>(Kind);

    template <policy_kind Kind>
    [[nodiscard]] decltype(auto) get() const noexcept {
        return std::get<index_of<Kind>>(held).get();
    }

    /// Calls `visit(policy)` for each policy of the kind, in the order given.
    template <policy_kind Kind, class Visit>
    void each(Visit&& visit) const {
        std::apply(
            [&](auto const&... one) {
                auto const maybe = [&](auto const& holder) {
                    if constexpr (held_kind<std::remove_cvref_t<decltype(holder)>> == Kind)
                        visit(holder.get());
                };
                (maybe(one), ...);
            },
            held);
    }

    /// Whether the guard at `index` is asked once an operation instead of once an attempt: it stands
    /// outside `retry` in a written order.
    static constexpr bool outside_retry(std::size_t index) {
        return Ordered && index < index_of<policy_kind::retry>;
    }
};

}  // namespace adl_barrier

using adl_barrier::policy_set;

template <class... Held>
constexpr bool fallbacks_first() {
    bool others = false;
    bool first = true;
    ((held_kind<Held> == policy_kind::fallback ? first = first&& !others : others = true), ...);
    return first;
}

/// One sentence for what cannot work.
template <bool Ordered, class... Held>
constexpr void check_policies() {
    static_assert(((held_kind<Held> != policy_kind::unknown) && ...),
                  "recoup: with_recovery does not know one of these policies: it models none of "
                  "retry_policy, guard, error_classifier, observer or persist(...)");
    static_assert(count_kind<Held...>(policy_kind::retry) <= 1,
                  "recoup: there are two retry policies, which would multiply; keep one");
    static_assert(count_kind<Held...>(policy_kind::deadline) <= 1,
                  "recoup: there are two deadlines; keep the shorter one");
    static_assert(count_kind<Held...>(policy_kind::cache) <= 1,
                  "recoup: there are two caches, of which the inner one would see nothing of the "
                  "outer one's hits; keep one");
    static_assert(count_kind<Held...>(policy_kind::persist) <= 1,
                  "recoup: there are two persist policies; an operation has one record");
    static_assert(count_kind<Held...>(policy_kind::classifier) <= 1,
                  "recoup: there are two classifiers; put all rules into one");
    static_assert(count_kind<Held...>(policy_kind::clock) <= 1,
                  "recoup: there are two clocks; keep one");
    static_assert(count_kind<Held...>(policy_kind::stop) <= 1,
                  "recoup: there are two stop tokens; keep one");
    static_assert(count_kind<Held...>(policy_kind::attempt_timeout) <= 1,
                  "recoup: there are two attempt timeouts; keep the shorter one");
    static_assert(count_kind<Held...>(policy_kind::abandon) <= 1,
                  "recoup: there are two abandon_after; keep the shorter one");
    static_assert(count_kind<Held...>(policy_kind::attempt_timeout) == 0 ||
                      count_kind<Held...>(policy_kind::abandon) == 0,
                  "recoup: attempt_timeout is for an attempt that ends when it is told to, "
                  "abandon_after for one that does not; keep one of them");
    static_assert(count_kind<Held...>(policy_kind::budget) <= 1,
                  "recoup: there are two retry budgets; keep the one that all calls share");
    static_assert(count_kind<Held...>(policy_kind::trace) <= 1,
                  "recoup: there are two traces; a call is part of one");
    static_assert(count_kind<Held...>(policy_kind::threads) <= 1,
                  "recoup: there are two abandon pools; a hedge runs on one");
    static_assert(
        count_kind<Held...>(policy_kind::threads) == 0 ||
            count_kind<Held...>(policy_kind::hedge) != 0,
        "recoup: an abandon_pool does nothing by itself: name a hedge beside it, or give it "
        "to abandon_after");
    static_assert(count_kind<Held...>(policy_kind::hedge) <= 1,
                  "recoup: there are two hedges, which would multiply; keep one");
    static_assert(count_kind<Held...>(policy_kind::hedge) == 0 ||
                      count_kind<Held...>(policy_kind::idempotency) == 0,
                  "recoup: a hedge calls twice at a time what not_idempotent says must not happen "
                  "twice; keep one of them");
    static_assert(count_kind<Held...>(policy_kind::hedge) == 0 ||
                      count_kind<Held...>(policy_kind::persist) == 0,
                  "recoup: persist keeps the progress of one attempt at a time, and a hedge runs "
                  "several; keep one of them");
    static_assert(count_kind<Held...>(policy_kind::hedge) == 0 ||
                      count_kind<Held...>(policy_kind::abandon) == 0,
                  "recoup: a hedge lets go of attempts that lose by itself, and does not go with "
                  "abandon_after; keep one of them");
    if constexpr (Ordered) {
        constexpr auto retry_at = find_policy<Held...>(policy_kind::retry);
        static_assert(count_kind<Held...>(policy_kind::retry) == 1,
                      "recoup: in_order needs a retry policy, for order is what stands outside or "
                      "inside of it");
        static_assert(count_kind<Held...>(policy_kind::deadline) == 0 ||
                          find_policy<Held...>(policy_kind::deadline) < retry_at,
                      "recoup: a deadline bounds the whole operation and stands outside retry");
        static_assert(count_kind<Held...>(policy_kind::cache) == 0 ||
                          find_policy<Held...>(policy_kind::cache) ==
                              count_kind<Held...>(policy_kind::fallback),
                      "recoup: a cache answers in place of the whole operation, and so comes first "
                      "in in_order, behind fallbacks alone");
        static_assert(count_kind<Held...>(policy_kind::persist) == 0 ||
                          find_policy<Held...>(policy_kind::persist) ==
                              count_kind<Held...>(policy_kind::fallback) +
                                  count_kind<Held...>(policy_kind::cache),
                      "recoup: persist remembers the whole operation and stands first in in_order");
        static_assert(count_kind<Held...>(policy_kind::attempt_timeout) == 0 ||
                          find_policy<Held...>(policy_kind::attempt_timeout) == sizeof...(Held) - 1,
                      "recoup: an attempt timeout bounds one attempt and stands last in in_order");
        static_assert(count_kind<Held...>(policy_kind::abandon) == 0 ||
                          find_policy<Held...>(policy_kind::abandon) == sizeof...(Held) - 1,
                      "recoup: abandon_after bounds one attempt and stands last in in_order");
        static_assert(count_kind<Held...>(policy_kind::hedge) == 0 ||
                          find_policy<Held...>(policy_kind::hedge) == retry_at + 1,
                      "recoup: each hedge asks the guards, and so hedge stands right behind retry "
                      "in in_order");
        static_assert(fallbacks_first<Held...>(),
                      "recoup: a fallback stands in for the whole operation, and so comes first in "
                      "in_order");
    }
}

}  // namespace recoup::inline v1::detail

namespace recoup::inline v1 {

/// Bundles policies for many callables: `with_recovery(f, common)`. Stages are sorted as always.
template <class... Policies>
[[nodiscard]] auto policies(Policies&&... given) {
    auto held = std::tuple_cat(detail::hold(std::forward<Policies>(given))...);
    return std::apply(
        []<class... Held>(Held&&... one) {
            return policy_bundle<false, std::remove_cvref_t<Held>...>{{std::forward<Held>(one)...}};
        },
        std::move(held));
}

/// Keeps the written order, outermost first: a guard before `retry` is asked once an operation, one
/// behind it once an attempt, as by default.
template <class... Policies>
[[nodiscard]] auto in_order(Policies&&... given) {
    auto held = std::tuple_cat(detail::hold(std::forward<Policies>(given))...);
    return std::apply(
        []<class... Held>(Held&&... one) {
            static_assert(
                (detail::has_stage(detail::held_kind<std::remove_cvref_t<Held>>) && ...),
                "recoup: only policies with a stage have an order; give classifier, clock, "
                "observers and tokens outside of in_order");
            return policy_bundle<true, std::remove_cvref_t<Held>...>{{std::forward<Held>(one)...}};
        },
        std::move(held));
}

}  // namespace recoup::inline v1
