// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/encoding.hpp>
#include <recoup/store/detail/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

// The arguments of an operation as bytes: how many, and each in its encoding, with its length.

namespace recoup::inline v1::detail {

template <class T>
constexpr void require_argument() {
    require_encoding<T>();
    if constexpr (encodable<T>)
        static_assert(decodable<T>,
                      "recoup: this type can be recorded but not read again: give it from_json, or "
                      "pass it as a type that owns what it shows, such as std::string");
}

template <class... Args>
std::string encode_arguments(std::tuple<Args...> const& arguments) {
    (require_argument<Args>(), ...);
    std::string bytes;
    put_number(bytes, static_cast<std::uint32_t>(sizeof...(Args)));
    std::apply([&](auto const&... one) { (put_text(bytes, detail::encode(one)), ...); }, arguments);
    return bytes;
}

/// The arguments that `bytes` hold, or nothing where they are not of these types.
template <class... Args>
std::optional<std::tuple<Args...>> decode_arguments(std::string_view bytes,
                                                    std::type_identity<std::tuple<Args...>>) {
    byte_reader from{bytes};
    from.require(from.number<std::uint32_t>() == sizeof...(Args), "other arguments");
    // In braces, and so read from left to right.
    auto read = std::tuple<std::optional<Args>...>{[&]() -> std::optional<Args> {
        auto const text = from.text(record_bytes_limit, "an argument is cut");
        if (from.wrong() != nullptr) return std::nullopt;
        return encoding<Args>::decode(text);
    }()...};
    from.require(from.at_end(), "more arguments");
    if (from.wrong() != nullptr) return std::nullopt;
    return std::apply(
        [](auto&... one) -> std::optional<std::tuple<Args...>> {
            if (!(one.has_value() && ...)) return std::nullopt;
            return std::tuple<Args...>{*std::move(one)...};
        },
        read);
}

}  // namespace recoup::inline v1::detail
