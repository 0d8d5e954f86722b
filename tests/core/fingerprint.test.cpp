// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/fingerprint.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

using recoup::detail::fingerprint_of;

enum class shade : std::uint8_t { red = 1 };

}  // namespace

TEST_CASE("Fingerprints are the same for every compiler, for they are stored") {
    // A change here makes every record of an operation in progress look like one of another input.
    CHECK(fingerprint_of() == 0x8ebc6af09c88c6e3U);
    CHECK(fingerprint_of(0) == 0xed8744773eca8825U);
    CHECK(fingerprint_of(1) == 0xbc227c62487347fcU);
    CHECK(fingerprint_of(-1) == 0xe866a277bed0ac25U);
    CHECK(fingerprint_of(std::uint64_t{0x0102030405060708}) == 0x77b5d3d79cc834faU);
    CHECK(fingerprint_of(true) == 0xbc227c62487347fcU);
    CHECK(fingerprint_of(1.5) == 0x7ea8ebfbc4fd21faU);
    CHECK(fingerprint_of(std::string{}) == 0x55ba897d2af3577cU);
    CHECK(fingerprint_of(std::string{"a"}) == 0x566f11c38cc78aaaU);
    CHECK(fingerprint_of(std::string{"12345678"}) == 0x06722a7683ab6857U);
    CHECK(fingerprint_of(std::string{"https://example.test/model.bin"}) == 0xe31640b903b5c063U);
    CHECK(fingerprint_of(std::string{"u"}, 7, 0.25) == 0xc4332f51e0d765dcU);
    CHECK(fingerprint_of(std::vector<unsigned char>{1, 2, 3}) == 0x7ab79f38dcd618f3U);
}

TEST_CASE("What is the same input has the same fingerprint, whatever its type is called") {
    CHECK(fingerprint_of(5) == fingerprint_of(5L));
    CHECK(fingerprint_of(5) == fingerprint_of(5ULL));
    CHECK(fingerprint_of(1) == fingerprint_of(shade::red));
    CHECK(fingerprint_of(1.5F) == fingerprint_of(1.5));
    CHECK(fingerprint_of(std::string{"x"}) == fingerprint_of("x"));
    CHECK(fingerprint_of(std::string{"x"}) == fingerprint_of(std::string_view{"x"}));
    CHECK(fingerprint_of(std::string{"x"}) == fingerprint_of(std::filesystem::path{"x"}));
}

TEST_CASE("Other inputs have other fingerprints: where they are split, ordered, cut or empty") {
    using namespace std::string_literals;
    auto const prints = std::vector{
        fingerprint_of(),
        fingerprint_of(""s),
        fingerprint_of(""s, ""s),
        fingerprint_of("ab"s, "c"s),
        fingerprint_of("a"s, "bc"s),
        fingerprint_of("abc"s),
        fingerprint_of("abc\0"s),
        fingerprint_of("c"s, "ab"s),
        fingerprint_of("12345678"s),
        fingerprint_of("12345678"s, ""s),
        fingerprint_of("1234567"s),
        fingerprint_of("123456789"s),
        fingerprint_of(0),
        fingerprint_of(0, 0),
        fingerprint_of(1, 2),
        fingerprint_of(2, 1),
        fingerprint_of(12),
        fingerprint_of("12"s),
        fingerprint_of(1.0),
        fingerprint_of(1),
        fingerprint_of(std::vector<unsigned char>{}),
        fingerprint_of(std::vector<unsigned char>{'a'}),
        fingerprint_of("a"s),
        fingerprint_of(std::numeric_limits<std::int64_t>::min()),
        fingerprint_of(std::numeric_limits<std::int64_t>::max()),
    };
    CHECK(std::set(prints.begin(), prints.end()).size() == prints.size());
}

TEST_CASE("Neighbouring inputs do not collide") {
    std::set<std::uint64_t> prints;
    for (int i = 0; i != 20'000; ++i) {
        prints.insert(fingerprint_of(i));
        prints.insert(fingerprint_of("model-" + std::to_string(i) + ".safetensors"));
    }
    CHECK(prints.size() == 40'000);
}

TEST_CASE("What is read before every call costs no allocation, and what is not is told apart") {
    using recoup::detail::cheap_input;
    static_assert(cheap_input<int> && cheap_input<std::string> &&
                  cheap_input<std::filesystem::path>);
    static_assert(cheap_input<shade> && cheap_input<double> && cheap_input<char const*>);
    static_assert(!cheap_input<std::vector<unsigned char>>);
    SUCCEED();
}
