// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/event.hpp>
#include <recoup/core/on.hpp>
#include <recoup/detail/policy_kind.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

// What a wrapper holds of its policies: who owns them, and in which order they act.

namespace recoup::inline v1::detail {

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
