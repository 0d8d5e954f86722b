// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/encoding.hpp>

#include "support/catch.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using recoup::decodable;
using recoup::encodable;
using recoup::encoding;

enum class colour : std::uint8_t { red = 1, blue = 250 };
struct plain {
    int x;
};
struct own {
    int x;
    friend bool operator==(own, own) = default;
};

static_assert(decodable<int> && decodable<bool> && decodable<double> && decodable<std::string>);
static_assert(decodable<std::vector<std::byte>> && decodable<std::vector<unsigned char>>);
static_assert(decodable<colour> && decodable<std::filesystem::path> && decodable<char>);
static_assert(encodable<std::string_view> && encodable<char const*>);
static_assert(!encodable<plain> && !encodable<std::vector<int>> && !encodable<int*>);
static_assert(!encodable<std::optional<int>>);
static_assert(!encodable<long double> || sizeof(long double) == sizeof(double));

template <class T>
void check_round_trip(T const& value) {
    auto const read = encoding<T>::decode(encoding<T>::encode(value));
    REQUIRE(read.has_value());
    CHECK(*read == value);
}

template <class T>
void check_extremes() {
    using limits = std::numeric_limits<T>;
    for (auto const value : {limits::min(), limits::lowest(), limits::max(), T(0), T(1), T(100)})
        check_round_trip<T>(value);
}

std::string encoded(auto const& value) { return recoup::detail::encode(value); }

}  // namespace

template <>
struct recoup::encoding<own> {
    static std::string encode(own value) { return "own" + std::to_string(value.x); }
    static std::optional<own> decode(std::string_view in) {
        if (!in.starts_with("own")) return std::nullopt;
        return own{in[3] - '0'};
    }
};

TEST_CASE("Numbers are read as they were written") {
    check_extremes<signed char>();
    check_extremes<unsigned char>();
    check_extremes<char>();
    check_extremes<short>();
    check_extremes<unsigned short>();
    check_extremes<int>();
    check_extremes<unsigned>();
    check_extremes<long>();
    check_extremes<unsigned long>();
    check_extremes<long long>();
    check_extremes<unsigned long long>();
    check_extremes<float>();
    check_extremes<double>();
    check_round_trip(true);
    check_round_trip(false);
    check_round_trip(colour::blue);
    check_round_trip(-0.5);
    check_round_trip(std::numeric_limits<double>::infinity());
    check_round_trip(std::numeric_limits<float>::denorm_min());
    auto const nan = encoding<double>::decode(encoded(std::numeric_limits<double>::quiet_NaN()));
    CHECK(std::isnan(nan.value()));
    CHECK(std::isnan(
        encoding<float>::decode(encoded(std::numeric_limits<float>::quiet_NaN())).value()));
    CHECK(std::signbit(encoding<double>::decode(encoded(-0.0)).value()));
}

TEST_CASE("Text and bytes are read as they were written, whatever they hold") {
    for (auto const& text : {std::string{}, std::string{"x"}, std::string("a\0b", 3),
                             std::string(100'000, '\xff'), std::string{"i12345678"}}) {
        check_round_trip(text);
        check_round_trip(std::filesystem::path{text});
        check_round_trip(std::vector<unsigned char>(text.begin(), text.end()));
    }
    check_round_trip(std::vector<std::byte>{std::byte{0}, std::byte{255}});
    check_round_trip(std::vector<std::byte>{});
    CHECK(encoded(std::string_view{"abc"}) == encoded(std::string{"abc"}));
    CHECK(encoded("abc") == encoded(std::string{"abc"}));
    CHECK(encoded(static_cast<char const*>("abc")) == encoded(std::string{"abc"}));
}

TEST_CASE("An encoding of one's own is used") {
    check_round_trip(own{7});
    CHECK(encoded(own{7}) == "own7");
}

TEST_CASE("The bytes of an encoding are the same everywhere and for ever") {
    using std::string_literals::operator""s;
    CHECK(encoded(1) == "i\x01\0\0\0\0\0\0\0"s);
    CHECK(encoded(-2) == "i\xfe\xff\xff\xff\xff\xff\xff\xff"s);
    CHECK(encoded(std::uint64_t{0x0102030405060708}) == "u\x08\x07\x06\x05\x04\x03\x02\x01"s);
    CHECK(encoded(true) == "u\x01\0\0\0\0\0\0\0"s);
    CHECK(encoded(1.0) == "d\0\0\0\0\0\0\xf0\x3f"s);
    CHECK(encoded(1.0F) == encoded(1.0));
    CHECK(encoded(std::string{"ab"}) == "tab");
    CHECK(encoded(std::vector<unsigned char>{1, 2}) == "b\x01\x02");
}

TEST_CASE("A value of one kind is never read as another") {
    auto const number = encoded(std::int64_t{65});
    CHECK_FALSE(encoding<std::uint64_t>::decode(number));
    CHECK_FALSE(encoding<double>::decode(number));
    CHECK_FALSE(encoding<std::string>::decode(number));
    CHECK_FALSE(encoding<std::vector<std::byte>>::decode(number));
    CHECK_FALSE(encoding<bool>::decode(number));
    auto const text = encoded(std::string(8, 'x'));
    CHECK_FALSE(encoding<std::int64_t>::decode(text));
    CHECK_FALSE(encoding<std::vector<std::byte>>::decode(text));
    CHECK_FALSE(encoding<double>::decode(text));
    CHECK_FALSE(encoding<std::string>::decode(encoded(std::vector<unsigned char>{'x'})));
    CHECK_FALSE(encoding<std::int64_t>::decode(encoded(1.0)));
    CHECK_FALSE(encoding<own>::decode(text));
}

TEST_CASE("A number that the type cannot hold is no value of it") {
    CHECK_FALSE(encoding<std::int8_t>::decode(encoded(128)));
    CHECK_FALSE(encoding<std::int8_t>::decode(encoded(-129)));
    CHECK_FALSE(encoding<std::int32_t>::decode(encoded(std::int64_t{1} << 31U)));
    CHECK_FALSE(encoding<std::uint8_t>::decode(encoded(256U)));
    CHECK_FALSE(encoding<bool>::decode(encoded(2U)));
    CHECK_FALSE(encoding<colour>::decode(encoded(256U)));
    CHECK(encoding<std::int8_t>::decode(encoded(-128)) == std::int8_t{-128});
    CHECK(encoding<std::uint8_t>::decode(encoded(std::uint64_t{255})) == std::uint8_t{255});
}

TEST_CASE("A real number that the type cannot hold exactly is no value of it") {
    CHECK(encoding<float>::decode(encoded(0.5)) == 0.5F);
    CHECK_FALSE(encoding<float>::decode(encoded(0.1)));
    CHECK_FALSE(encoding<float>::decode(encoded(1e300)));
    CHECK_FALSE(encoding<float>::decode(encoded(-1e300)));
    CHECK(encoding<float>::decode(encoded(std::numeric_limits<double>::infinity())) ==
          std::numeric_limits<float>::infinity());
}

TEST_CASE("Bytes that were cut, lengthened or made up are no number, and harm nothing") {
    for (auto const& whole : {encoded(77), encoded(77U), encoded(7.7)}) {
        for (std::size_t length = 0; length != whole.size(); ++length) {
            auto const part = std::string_view{whole}.substr(0, length);
            CHECK_FALSE(encoding<int>::decode(part));
            CHECK_FALSE(encoding<unsigned>::decode(part));
            CHECK_FALSE(encoding<double>::decode(part));
            CHECK_FALSE(encoding<bool>::decode(part));
        }
        auto const longer = whole + 'x';
        CHECK_FALSE(encoding<int>::decode(longer));
        CHECK_FALSE(encoding<unsigned>::decode(longer));
        CHECK_FALSE(encoding<double>::decode(longer));
    }
    CHECK_FALSE(encoding<std::string>::decode(""));
    CHECK_FALSE(encoding<std::vector<std::byte>>::decode(""));
    CHECK_FALSE(encoding<std::filesystem::path>::decode("b/x"));
}
