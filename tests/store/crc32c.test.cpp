// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/random.hpp>
#include <recoup/store/detail/crc32c.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <string>
#include <string_view>

using recoup::detail::crc32c;
using recoup::detail::crc32c_by_table;

TEST_CASE("The sum is the standard's") {
    // RFC 3720, appendix B.4.
    CHECK(crc32c("") == 0);
    CHECK(crc32c("123456789") == 0xE3069283U);
    CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAU);
    CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43U);
    std::string rising;
    for (char byte = 0; byte != 32; ++byte) rising.push_back(byte);
    CHECK(crc32c(rising) == 0x46DD794EU);
}

TEST_CASE(
    "The sum is the same with the processor's instruction and without, at every length and place") {
    recoup::splitmix64 random{7};
    std::string bytes(4'096, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    for (std::size_t from = 0; from != 9; ++from)
        for (std::size_t size = 0; size != 200; ++size) {
            auto const part = std::string_view{bytes}.substr(from, size);
            INFO("from " << from << ", " << size << " bytes");
            REQUIRE(crc32c(part) == crc32c_by_table(part));
        }
    CHECK(crc32c(bytes) == crc32c_by_table(bytes));
}
