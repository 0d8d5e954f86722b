// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

// How a cache makes a key of the arguments of a call, and tells keys apart.

namespace recoup::inline v1::detail {

template <class T>
inline constexpr bool is_tuple_like = false;
template <class... T>
inline constexpr bool is_tuple_like<std::tuple<T...>> = true;
template <class A, class B>
inline constexpr bool is_tuple_like<std::pair<A, B>> = true;

/// Spreads the bits of a hash, for that of an integer is often the integer.
/// Source: Sebastiano Vigna's splitmix64, its last steps.
constexpr std::size_t spread(std::size_t hash) noexcept {
    auto bits = std::uint64_t{hash} + 0x9E3779B97F4A7C15ULL;
    bits = (bits ^ (bits >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    bits = (bits ^ (bits >> 27U)) * 0x94D049BB133111EBULL;
    return static_cast<std::size_t>(bits ^ (bits >> 31U));
}

template <class Key>
constexpr bool find_hashable() {
    if constexpr (is_tuple_like<Key>)
        return []<std::size_t... I>(std::index_sequence<I...>) {
            return (find_hashable<std::tuple_element_t<I, Key>>() && ...);
        }(std::make_index_sequence<std::tuple_size_v<Key>>{});
    else
        return std::is_default_constructible_v<std::hash<Key>> && std::equality_comparable<Key>;
}
template <class Key>
concept hashable_key = find_hashable<Key>();

template <class Key>
std::size_t key_hash(Key const& key) {
    if constexpr (is_tuple_like<Key>)
        return std::apply(
            [](auto const&... part) {
                auto sum = std::size_t{sizeof...(part)};
                ((sum = spread(sum ^ detail::key_hash(part))), ...);
                return sum;
            },
            key);
    else
        return spread(std::hash<Key>{}(key));
}

/// As what a key is looked up: a text needs no string of its own for that.
template <class Key>
using key_view = std::conditional_t<std::same_as<Key, std::string>, std::string_view, Key const&>;

/// Whether an argument is a key, or a part of one, as it stands: no two of its values make the same key.
template <class Key, class Arg>
concept key_argument =
    std::same_as<Key, Arg> ||
    (std::same_as<Key, std::string> && std::is_convertible_v<Arg const&, std::string_view>) ||
    (std::is_arithmetic_v<Key> && std::is_arithmetic_v<Arg> && !std::same_as<Arg, bool> &&
     !std::same_as<Key, bool> && requires(Arg const& given) { Key{given}; });

template <class Key, class... Args>
constexpr bool makes_key() {
    if constexpr (sizeof...(Args) == 1 && (key_argument<Key, Args> && ...)) {
        return true;
    } else if constexpr (is_tuple_like<Key>) {
        if constexpr (std::tuple_size_v<Key> != sizeof...(Args))
            return false;
        else
            return []<std::size_t... I>(std::index_sequence<I...>) {
                using given = std::tuple<Args...>;
                return (
                    key_argument<std::tuple_element_t<I, Key>, std::tuple_element_t<I, given>> &&
                    ...);
            }(std::index_sequence_for<Args...>{});
    } else {
        return false;
    }
}

/// What the key of a call is looked up with while it is: what was made for it, where that will do.
template <class Key, class Made>
using key_holder = std::conditional_t<std::same_as<std::remove_cvref_t<Made>, Key> ||
                                          (std::same_as<Key, std::string> &&
                                           std::is_convertible_v<Made const&, std::string_view>),
                                      Made&&, Key>;

/// The arguments as a key.
template <class Key, class... Args>
decltype(auto) key_of_arguments(Args const&... arguments) {
    static_assert(makes_key<Key, Args...>(),
                  "recoup: these arguments are not the key of the cache, nor the parts of one that "
                  "is a std::tuple: give cache.by(f), where f makes the key of them");
    if constexpr (makes_key<Key, Args...>()) {
        if constexpr (sizeof...(Args) == 1 && (std::same_as<Key, Args> && ...))
            return (arguments, ...);
        else if constexpr (sizeof...(Args) == 1 && std::same_as<Key, std::string>)
            return std::string_view{arguments...};
        else if constexpr (sizeof...(Args) == 1 && !is_tuple_like<Key>)
            return Key{arguments...};
        else
            return Key(arguments...);
    }
}

}  // namespace recoup::inline v1::detail
