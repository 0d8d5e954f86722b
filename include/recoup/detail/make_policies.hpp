// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/default_classifier.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/retry/retry.hpp>

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
    using held = decltype(hold(std::declval<A>()));
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
    return complete<ordered>(std::tuple_cat(hold(std::forward<Given>(given))...));
}

/// Where a policy is put that is added to others.
enum class policy_place : std::uint8_t { first, around_retry, last };
constexpr policy_place place_of(policy_kind kind) noexcept {
    if (kind == policy_kind::persist) return policy_place::first;
    return kind == policy_kind::deadline ? policy_place::around_retry : policy_place::last;
}

/// `old` where `given` has none of its kind; at the place of the first of a kind, all given ones.
template <class Old, class Given, std::size_t... I, std::size_t... J>
auto merge_held(Old const& old, Given given, std::index_sequence<I...>, std::index_sequence<J...>) {
    constexpr auto kind_of_old = []<std::size_t At>() {
        return held_kind<std::tuple_element_t<At, Old>>;
    };
    constexpr auto kind_of_given = []<std::size_t At>() {
        return held_kind<std::tuple_element_t<At, Given>>;
    };
    constexpr auto first_of_kind = [=]<std::size_t At>() {
        constexpr auto kind = kind_of_old.template operator()<At>();
        return find_policy<std::tuple_element_t<I, Old>...>(kind) == At;
    };
    auto given_of = [&]<policy_kind Kind>() {
        auto one = [&]<std::size_t At>() {
            if constexpr (kind_of_given.template operator()<At>() == Kind)
                return std::tuple{std::get<At>(given)};
            else
                return std::tuple{};
        };
        return std::tuple_cat(one.template operator()<J>()...);
    };
    // What is added goes to the end, but persist and a deadline to their places in a written order:
    // in front of all, and around retry.
    [[maybe_unused]] auto add = [&]<std::size_t At, policy_place Where>() {
        constexpr auto kind = kind_of_given.template operator()<At>();
        constexpr bool is_new =
            kind == policy_kind::observer || count_kind<std::tuple_element_t<I, Old>...>(kind) == 0;
        if constexpr (is_new && place_of(kind) == Where)
            return std::tuple{std::get<At>(given)};
        else
            return std::tuple{};
    };
    auto keep = [&]<std::size_t At>() {
        constexpr auto kind = kind_of_old.template operator()<At>();
        constexpr bool replaced = kind != policy_kind::observer &&
                                  count_kind<std::tuple_element_t<J, Given>...>(kind) != 0;
        if constexpr (!replaced && kind == policy_kind::retry)
            return std::tuple_cat(add.template operator()<J, policy_place::around_retry>()...,
                                  std::tuple{std::get<At>(old)});
        else if constexpr (!replaced)
            return std::tuple{std::get<At>(old)};
        else if constexpr (kind == policy_kind::retry)
            return std::tuple_cat(add.template operator()<J, policy_place::around_retry>()...,
                                  given_of.template operator()<kind>());
        else if constexpr (first_of_kind.template operator()<At>())
            return given_of.template operator()<kind>();
        else
            return std::tuple{};
    };
    return std::tuple_cat(add.template operator()<J, policy_place::first>()...,
                          keep.template operator()<I>()...,
                          add.template operator()<J, policy_place::last>()...);
}

/// The policies of `old` with `overrides` in their place.
template <bool Ordered, class... Held, class... Override>
auto merge_policies(policy_set<Ordered, Held...> const& old, Override&&... overrides) {
    auto given = std::tuple_cat(hold(std::forward<Override>(overrides))...);
    using given_type = decltype(given);
    return complete<Ordered>(merge_held(old.held, std::move(given),
                                        std::index_sequence_for<Held...>{},
                                        std::make_index_sequence<std::tuple_size_v<given_type>>{}));
}

}  // namespace recoup::inline v1::detail
