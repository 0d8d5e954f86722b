// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// The most bytes that a namespace, a name or a key may have.
inline constexpr std::size_t identifier_bytes_max = 512;

/// Who an operation is, as views: valid as long as what they show.
///
/// (space, name, key) is unique in a store.
struct operation_ref {
    std::string_view space{};  ///< the namespace; may be empty
    std::string_view name{};   ///< what kind of operation
    std::string_view key{};    ///< which one of them

    friend bool operator==(operation_ref, operation_ref) noexcept = default;
};

/// Who an operation is, owning its texts.
struct operation_id {
    std::string space{};
    std::string name{};
    std::string key{};

    operation_id() = default;
    operation_id(std::string in_space, std::string of_name, std::string with_key)
        : space{std::move(in_space)}, name{std::move(of_name)}, key{std::move(with_key)} {}
    explicit operation_id(operation_ref id) : space{id.space}, name{id.name}, key{id.key} {}

    operator operation_ref() const noexcept { return {space, name, key}; }
    friend bool operator==(operation_id const&, operation_id const&) noexcept = default;
};

namespace detail {

/// The bytes that the UTF-8 sequence at the front of `text` has, or 0 where it is none: RFC 3629,
/// no overlong forms, no surrogates, nothing above U+10FFFF.
constexpr std::size_t utf8_sequence(std::string_view text) noexcept {
    auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    auto const tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0U) == 0x80U; };
    auto const lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (!tail(1) || !tail(2)) return 0;
        if (lead == 0xE0 && byte(1) < 0xA0) return 0;
        if (lead == 0xED && byte(1) > 0x9F) return 0;
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (!tail(1) || !tail(2) || !tail(3)) return 0;
        if (lead == 0xF0 && byte(1) < 0x90) return 0;
        if (lead == 0xF4 && byte(1) > 0x8F) return 0;
        return 4;
    }
    return 0;
}

/// Whether eight bytes are printable ASCII, each.
constexpr bool printable_ascii(std::uint64_t bytes) noexcept {
    constexpr std::uint64_t each = 0x0101010101010101U;
    // With no high bit set, adding 0x60 sets one from 0x20 on, and adding 1 sets one for 0x7F.
    return (((bytes + 0x60 * each) & ~(bytes + each) & ~bytes) & 0x80 * each) == 0x80 * each;
}

/// Whether all of `text` is printable ASCII; where its last word overlaps another, some bytes are looked at
/// twice.
inline bool printable_ascii(std::string_view text) noexcept {
    auto const* const at = text.data();
    auto const size = text.size();
    std::uint64_t word = 0x2020202020202020U;
    if (size >= 8) {
        for (std::size_t i = 0; size - i > 8; i += 8) {
            std::memcpy(&word, at + i, 8);
            if (!printable_ascii(word)) return false;
        }
        std::memcpy(&word, at + size - 8, 8);
    } else if (size >= 4) {
        std::uint32_t front = 0;
        std::uint32_t back = 0;
        std::memcpy(&front, at, 4);
        std::memcpy(&back, at + size - 4, 4);
        word = std::uint64_t{front} << 32U | back;
    } else {
        for (std::size_t i = 0; i != size; ++i)
            word = word << 8U | static_cast<unsigned char>(at[i]);
    }
    return printable_ascii(word);
}

}  // namespace detail

/// Whether `text` may be part of an identity: at most `identifier_bytes_max` bytes of UTF-8 with no
/// control characters (C0, DEL, C1) and so no NUL.
constexpr bool valid_identifier(std::string_view text) noexcept {
    if (text.size() > identifier_bytes_max) return false;
    // Most of them are plain, and a call may check one each time.
    if (!std::is_constant_evaluated() && detail::printable_ascii(text)) return true;
    while (!text.empty()) {
        auto const length = detail::utf8_sequence(text);
        if (length == 0) return false;
        auto const first = static_cast<unsigned char>(text[0]);
        if (length == 1 && (first < 0x20 || first == 0x7F)) return false;
        if (length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0)
            return false;
        text.remove_prefix(length);
    }
    return true;
}

/// Whether `id` may name a record: all parts valid, name and key not empty.
constexpr bool valid(operation_ref id) noexcept {
    return !id.name.empty() && !id.key.empty() && valid_identifier(id.space) &&
           valid_identifier(id.name) && valid_identifier(id.key);
}

}  // namespace recoup::inline v1
