// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/decimal.hpp>

#include <recoup/store/detail/key_text.hpp>

#include "support/catch.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace {

std::string decimal(std::uint64_t number) {
    std::array<char, recoup::detail::decimal_digits_max + 1> room{};
    room.fill('#');
    auto* const end = recoup::detail::put_decimal(room.data(), number);
    CHECK(room.back() == '#');
    return {room.data(), static_cast<std::size_t>(end - room.data())};
}

template <class T>
std::string_view as_key(T number, recoup::detail::key_text const& text) {
    CHECK(text.is_number());
    CHECK(text.view() == std::to_string(number));
    return text.view();
}

}  // namespace

TEST_CASE("A number is written as std::to_chars does, in no more room than it may need") {
    auto number = std::uint64_t{1};
    for (auto digits = 1; digits <= 20; ++digits, number *= 10) {
        for (auto const one : {number - 1, number, number + 1, number * 9, number / 3 * 2})
            CHECK(decimal(one) == std::to_string(one));
    }
    CHECK(decimal(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
    auto mixed = std::uint64_t{0x9E3779B97F4A7C15U};
    for (auto i = 0; i != 20'000; ++i, mixed = mixed * 6364136223846793005U + 1) {
        auto const one = mixed >> (static_cast<unsigned>(i) % 64U);
        if (decimal(one) != std::to_string(one)) FAIL(one);
    }
}

TEST_CASE("A key that is a number is its decimal text, whatever its type") {
    using recoup::detail::key_text;
    as_key(std::numeric_limits<std::int64_t>::min(),
           key_text{std::numeric_limits<std::int64_t>::min()});
    as_key(std::numeric_limits<std::int32_t>::min(),
           key_text{std::numeric_limits<std::int32_t>::min()});
    as_key(-1, key_text{-1});
    as_key(0, key_text{0});
    as_key(std::numeric_limits<std::uint64_t>::max(),
           key_text{std::numeric_limits<std::uint64_t>::max()});
    as_key(static_cast<signed char>(-7), key_text{static_cast<signed char>(-7)});
    CHECK(key_text{true}.view() == "true");
    CHECK_FALSE(key_text{"12"}.is_number());
}
