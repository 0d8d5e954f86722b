// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/store/detail/membership.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace recoup::inline v1::detail {

/// The product of two words, folded into one: every bit of it depends on all of them.
inline std::uint64_t folded(std::uint64_t left, std::uint64_t right) noexcept {
    __extension__ using wide = unsigned __int128;
    auto const product = wide{left} * right;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

/// The part of `slot_hash` that all operations of a name have in common.
inline std::uint64_t slot_hash_of_name(std::string_view space, std::string_view name) noexcept {
    return hash_of({space, name, {}});
}

/// By which an operation finds its slot. In two steps, since a wrapper knows space and name beforehand.
inline std::uint64_t slot_hash(std::uint64_t of_name, std::string_view key) noexcept {
    constexpr std::uint64_t first = 0xA0761D6478BD642FU;
    constexpr std::uint64_t second = 0xE7037ED1A0B428DBU;
    auto const* const at = key.data();
    auto const size = key.size();
    auto sum = of_name;
    std::uint64_t front = 0;
    std::uint64_t back = 0;
    if (size >= 8) {
        for (std::size_t i = 0; size - i > 16; i += 16)
            sum = folded(sum ^ little_endian<8>(at + i) ^ first,
                         little_endian<8>(at + i + 8) ^ second);
        front = little_endian<8>(at + (size > 16 ? size - 16 : 0));
        back = little_endian<8>(at + size - 8);  // some of it for the second time
    } else if (size >= 4) {
        front = little_endian<4>(at);
        back = little_endian<4>(at + size - 4);
    } else {
        for (std::size_t i = 0; i != size; ++i)
            front = front << 8U | static_cast<unsigned char>(at[i]);
    }
    return folded(folded(sum ^ front ^ first, back ^ second) ^ size, first);
}

inline std::uint64_t slot_hash(operation_ref id) noexcept {
    return slot_hash(slot_hash_of_name(id.space, id.name), id.key);
}

}  // namespace recoup::inline v1::detail
