// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace recoup::inline v1 {

/// How a value of type T is kept in a record. Built in for integers, `bool`, enumerations, floating
/// point, text and bytes; `<recoup/json.hpp>` adds every type with `to_json` and `from_json`.
///
/// To give a type an encoding of its own, specialise it with
/// `static std::string encode(T const&)` and `static std::optional<T> decode(std::string_view)`,
/// where `decode` accepts what `encode` made, returns nothing for all else, and never guesses.
template <class T>
struct encoding;

namespace detail {

// The first byte of an encoded value tells its kind, so that a value is never read as another.
enum class encoding_tag : char {
    none = '0',
    sint = 'i',
    uint = 'u',
    real = 'd',
    text = 't',
    bytes = 'b',
    json = 'j'
};

inline std::string encode_word(encoding_tag tag, std::uint64_t word) {
    std::string out(9, static_cast<char>(tag));
    for (std::size_t i = 0; i != 8; ++i) out[i + 1] = static_cast<char>((word >> (8 * i)) & 0xFFU);
    return out;
}

inline std::optional<std::uint64_t> decode_word(encoding_tag tag, std::string_view in) noexcept {
    if (in.size() != 9 || in[0] != static_cast<char>(tag)) return std::nullopt;
    std::uint64_t word = 0;
    for (std::size_t i = 8; i != 0; --i) word = word << 8U | static_cast<unsigned char>(in[i]);
    return word;
}

/// Types whose text is meant: strings, views, literals and `std::filesystem::path`.
template <class T>
concept textual = std::convertible_to<T const&, std::string_view> || requires(T const& value) {
    { value.native() } -> std::convertible_to<std::string_view>;
    value.filename();
};

template <textual T>
std::string_view text_of(T const& value) noexcept {
    if constexpr (std::convertible_to<T const&, std::string_view>)
        return value;
    else
        return value.native();
}

template <class T>
concept byte_like = std::same_as<T, std::byte> || std::same_as<T, unsigned char>;

template <class T>
struct is_secret : std::false_type {};

}  // namespace detail

template <std::signed_integral T>
struct encoding<T> {
    static std::string encode(T value) {
        return detail::encode_word(detail::encoding_tag::sint,
                                   static_cast<std::uint64_t>(std::int64_t{value}));
    }
    static std::optional<T> decode(std::string_view in) noexcept {
        auto const word = detail::decode_word(detail::encoding_tag::sint, in);
        if (!word) return std::nullopt;
        auto const wide = static_cast<std::int64_t>(*word);
        auto const value = static_cast<T>(wide);
        return std::int64_t{value} == wide ? std::optional{value} : std::nullopt;
    }
};

template <std::unsigned_integral T>
struct encoding<T> {
    static std::string encode(T value) {
        return detail::encode_word(detail::encoding_tag::uint, std::uint64_t{value});
    }
    static std::optional<T> decode(std::string_view in) noexcept {
        auto const word = detail::decode_word(detail::encoding_tag::uint, in);
        if (!word || *word > std::uint64_t{std::numeric_limits<T>::max()}) return std::nullopt;
        return static_cast<T>(*word);
    }
};

template <class T>
    requires std::is_enum_v<T> && (!detail::byte_like<T>)
struct encoding<T> {
    using number = std::underlying_type_t<T>;
    static std::string encode(T value) {
        return encoding<number>::encode(static_cast<number>(value));
    }
    static std::optional<T> decode(std::string_view in) noexcept {
        auto const value = encoding<number>::decode(in);
        return value ? std::optional{static_cast<T>(*value)} : std::nullopt;
    }
};

template <std::floating_point T>
    requires(sizeof(T) <= sizeof(double))
struct encoding<T> {
    static std::string encode(T value) {
        return detail::encode_word(detail::encoding_tag::real,
                                   std::bit_cast<std::uint64_t>(static_cast<double>(value)));
    }
    static std::optional<T> decode(std::string_view in) noexcept {
        auto const word = detail::decode_word(detail::encoding_tag::real, in);
        if (!word) return std::nullopt;
        auto const wide = std::bit_cast<double>(*word);
        // Looked at before it is converted, which is undefined for what a float cannot hold.
        constexpr auto most = double{std::numeric_limits<T>::max()};
        auto const finite = wide - wide == 0;
        if (finite && (wide > most || wide < -most)) return std::nullopt;
        auto const value = static_cast<T>(wide);
        auto const exact = double{value} == wide || wide != wide;  // the second: NaN
        return exact ? std::optional{value} : std::nullopt;
    }
};

template <detail::textual T>
struct encoding<T> {
    static std::string encode(T const& value) {
        std::string out{static_cast<char>(detail::encoding_tag::text)};
        return out += detail::text_of(value);
    }
    static std::optional<T> decode(std::string_view in)
        requires std::constructible_from<T, std::string>
    {
        static_assert(!std::same_as<T, std::string_view>,
                      "recoup: a recorded text is read as std::string; a view would dangle");
        if (in.empty() || in[0] != static_cast<char>(detail::encoding_tag::text))
            return std::nullopt;
        return T(std::string{in.substr(1)});
    }
};

template <detail::byte_like Byte>
struct encoding<std::vector<Byte>> {
    static std::string encode(std::vector<Byte> const& value) {
        std::string out(value.size() + 1, static_cast<char>(detail::encoding_tag::bytes));
        if (!value.empty()) std::memcpy(out.data() + 1, value.data(), value.size());
        return out;
    }
    static std::optional<std::vector<Byte>> decode(std::string_view in) {
        if (in.empty() || in[0] != static_cast<char>(detail::encoding_tag::bytes))
            return std::nullopt;
        std::vector<Byte> out(in.size() - 1);
        if (!out.empty()) std::memcpy(out.data(), in.data() + 1, out.size());
        return out;
    }
};

/// Whether values of T can be kept in a record.
template <class T>
concept encodable = requires(T const& value) {
    { encoding<T>::encode(value) } -> std::same_as<std::string>;
};

/// Whether values of T can be kept in a record and read again.
template <class T>
concept decodable = encodable<T> && requires(std::string_view in) {
    { encoding<T>::decode(in) } -> std::same_as<std::optional<T>>;
};

namespace detail {

template <class T>
constexpr void require_encoding() {
    static_assert(!is_secret<T>::value, "recoup: a recoup::secret cannot be stored");
    static_assert(
        is_secret<T>::value || encodable<T>,
        "recoup: this type cannot be stored: include <recoup/json.hpp> and give it to_json "
        "and from_json, or specialise recoup::encoding for it");
}

template <class T>
std::string encode(T const& value) {
    require_encoding<T>();
    return encoding<T>::encode(value);
}

}  // namespace detail

}  // namespace recoup::inline v1
