// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace recoup::inline v1::detail {

using crc32c_tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr crc32c_tables make_crc32c_tables() noexcept {
    crc32c_tables tables{};
    for (std::uint32_t byte = 0; byte != 256; ++byte) {
        auto crc = byte;
        for (int bit = 0; bit != 8; ++bit) crc = (crc >> 1U) ^ (0x82F63B78U & (0U - (crc & 1U)));
        tables[0][byte] = crc;
    }
    for (std::size_t byte = 0; byte != 256; ++byte)
        for (std::size_t k = 1; k != 8; ++k)
            tables[k][byte] = (tables[k - 1][byte] >> 8U) ^ tables[0][tables[k - 1][byte] & 0xFFU];
    return tables;
}

inline constexpr crc32c_tables crc32c_table = make_crc32c_tables();

/// Eight bytes a step.
///
/// Source: Kounavis and Berry, "A Systematic Approach to Building High Performance, Software-based, CRC
/// Generators", 2005.
constexpr std::uint32_t crc32c_by_table(std::string_view bytes) noexcept {
    auto const& table = crc32c_table;
    auto const at = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
    };
    auto crc = ~std::uint32_t{0};
    std::size_t i = 0;
    for (; bytes.size() - i >= 8; i += 8) {
        auto const low = crc ^ (at(i) | at(i + 1) << 8U | at(i + 2) << 16U | at(i + 3) << 24U);
        crc = table[7][low & 0xFFU] ^ table[6][(low >> 8U) & 0xFFU] ^
              table[5][(low >> 16U) & 0xFFU] ^ table[4][low >> 24U] ^ table[3][at(i + 4)] ^
              table[2][at(i + 5)] ^ table[1][at(i + 6)] ^ table[0][at(i + 7)];
    }
    for (; i != bytes.size(); ++i) crc = (crc >> 8U) ^ table[0][(crc ^ at(i)) & 0xFFU];
    return ~crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
#define RECOUP_HAS_CRC32C_INSTRUCTION 1

/// The processor's own instruction. Pre: it has SSE 4.2.
[[gnu::target("sse4.2")]] inline std::uint32_t crc32c_by_instruction(
    std::string_view bytes) noexcept {
    auto const* at = bytes.data();
    auto left = bytes.size();
    auto crc = std::uint64_t{~std::uint32_t{0}};
    for (; left >= 8; left -= 8, at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, 8);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    auto rest = static_cast<std::uint32_t>(crc);
    for (; left != 0; --left, ++at)
        rest = __builtin_ia32_crc32qi(rest, static_cast<unsigned char>(*at));
    return ~rest;
}
#endif

/// CRC-32C (Castagnoli) of `bytes`: finds every error of up to three bits in a record, and every burst
/// of up to 32.
///
/// Source: RFC 3720 appendix B.4.
constexpr std::uint32_t crc32c(std::string_view bytes) noexcept {
#if defined(RECOUP_HAS_CRC32C_INSTRUCTION)
    if (!std::is_constant_evaluated() && __builtin_cpu_supports("sse4.2"))
        return crc32c_by_instruction(bytes);
#endif
    return crc32c_by_table(bytes);
}
#undef RECOUP_HAS_CRC32C_INSTRUCTION

static_assert(crc32c("123456789") == 0xE3069283U);

}  // namespace recoup::inline v1::detail
