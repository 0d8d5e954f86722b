// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/default_classifier.hpp>
#include <recoup/detail/policy_checks.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/retry/retry.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

// From the arguments of with_recovery to the policies of a wrapper.

namespace recoup::inline v1::detail {

template <class P>
inline constexpr bool has_order = false;
template <class... Held>
inline constexpr bool has_order<policy_bundle<true, Held...>> = true;

template <bool Ordered, class... Held>
auto complete(std::tuple<Held...> given) {
    check_policies<Ordered, Held...>();
    auto missing = [] {
        if constexpr (count_kind<Held...>(policy_kind::retry) == 0)
            return std::tuple{by_value<retry>{}};
        else
            return std::tuple{};
    };
    auto rules = [] {
        if constexpr (count_kind<Held...>(policy_kind::classifier) == 0)
            return std::tuple{by_value<default_classifier>{}};
        else
            return std::tuple{};
    };
    return std::apply(
        []<class... All>(All&&... one) {
            return policy_set<Ordered, All...>{std::tuple<All...>{std::forward<All>(one)...}};
        },
        std::tuple_cat(std::move(given), missing(), rules()));
}

/// Whether an argument beside an `in_order` should have been part of it.
template <class A>
constexpr bool has_staged_policy() {
    using held = decltype(detail::hold(std::declval<A>()));
    return !has_order<std::remove_cvref_t<A>> &&
           []<class... Held>(std::type_identity<std::tuple<Held...>>) {
               return (has_stage(held_kind<Held>) || ...);
           }(std::type_identity<held>{});
}

/// All policies of a wrapper: those given, then defaults for what every call needs.
template <class... Given>
auto make_policies(Given&&... given) {
    constexpr bool ordered = (has_order<std::remove_cvref_t<Given>> || ...);
    static_assert(!ordered || !(has_staged_policy<Given>() || ...),
                  "recoup: in_order names every policy that has a stage; put the others into it");
    return complete<ordered>(std::tuple_cat(detail::hold(std::forward<Given>(given))...));
}

/// Where a policy is put that is added to others.
enum class policy_place : std::uint8_t { outermost, cached, first, around_retry, last };
constexpr policy_place place_of(policy_kind kind) noexcept {
    if (kind == policy_kind::fallback) return policy_place::outermost;
    if (kind == policy_kind::cache) return policy_place::cached;
    if (kind == policy_kind::persist) return policy_place::first;
    return kind == policy_kind::deadline ? policy_place::around_retry : policy_place::last;
}

/// Whether the one takes the place of the other: both are of one kind, and guards of one type, for a
/// breaker does nothing that a limiter does.
template <class Held, class Other>
inline constexpr bool alike =
    held_kind<Held> == held_kind<Other> && held_kind<Held> != policy_kind::observer &&
    (held_kind<Held> != policy_kind::guard ||
     std::same_as<typename Held::policy_type, typename Other::policy_type>);

template <class Held, class Others>
inline constexpr bool alike_any = false;
template <class Held, class... Other>
inline constexpr bool alike_any<Held, std::tuple<Other...>> = (alike<Held, Other> || ...);

/// `old` where `given` has none alike; at the place of the first of those alike, all given ones.
template <class Old, class Given, std::size_t... I, std::size_t... J>
auto merge_held(Old const& old, Given given, std::index_sequence<I...>, std::index_sequence<J...>) {
    // Those given that are alike.
    auto given_for = [&]<class Held>(std::type_identity<Held>) {
        auto one = [&]<std::size_t At>() {
            if constexpr (alike<std::tuple_element_t<At, Given>, Held>)
                return std::tuple{std::get<At>(given)};
            else
                return std::tuple{};
        };
        return std::tuple_cat(one.template operator()<J>()...);
    };
    // What is added goes to the end, but a cache, persist and a deadline to their places in a written
    // order: in front of all, and around retry.
    [[maybe_unused]] auto add = [&]<std::size_t At, policy_place Where>() {
        using held = std::tuple_element_t<At, Given>;
        if constexpr (!alike_any<held, Old> && place_of(held_kind<held>) == Where)
            return std::tuple{std::get<At>(given)};
        else
            return std::tuple{};
    };
    auto keep = [&]<std::size_t At>() {
        using held = std::tuple_element_t<At, Old>;
        constexpr bool first_alike =
            !((I < At && alike<std::tuple_element_t<I, Old>, held>) || ...);
        if constexpr (held_kind<held> == policy_kind::retry && !alike_any<held, Given>)
            return std::tuple_cat(add.template operator()<J, policy_place::around_retry>()...,
                                  std::tuple{std::get<At>(old)});
        else if constexpr (!alike_any<held, Given>)
            return std::tuple{std::get<At>(old)};
        else if constexpr (held_kind<held> == policy_kind::retry)
            return std::tuple_cat(add.template operator()<J, policy_place::around_retry>()...,
                                  given_for(std::type_identity<held>{}));
        else if constexpr (first_alike)
            return given_for(std::type_identity<held>{});
        else
            return std::tuple{};
    };
    return std::tuple_cat(add.template operator()<J, policy_place::outermost>()...,
                          add.template operator()<J, policy_place::cached>()...,
                          add.template operator()<J, policy_place::first>()...,
                          keep.template operator()<I>()...,
                          add.template operator()<J, policy_place::last>()...);
}

/// The policies of `old` with `overrides` in their place.
template <bool Ordered, class... Held, class... Override>
auto merge_policies(policy_set<Ordered, Held...> const& old, Override&&... overrides) {
    auto given = std::tuple_cat(detail::hold(std::forward<Override>(overrides))...);
    using given_type = decltype(given);
    return complete<Ordered>(merge_held(old.held, std::move(given),
                                        std::index_sequence_for<Held...>{},
                                        std::make_index_sequence<std::tuple_size_v<given_type>>{}));
}

}  // namespace recoup::inline v1::detail
