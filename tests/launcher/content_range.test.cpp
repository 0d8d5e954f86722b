// SPDX-License-Identifier: BSL-1.0
#include "launcher/content_range.hpp"

#include "support/catch.hpp"

#include <string>

using launcher::content_range;
using launcher::parse_content_range;

TEST_CASE("a Content-Range is read whole", "[launcher]") {
    CHECK(parse_content_range("bytes 100-199/500") == content_range{100, 199, 500});
    CHECK(parse_content_range("bytes 0-0/1") == content_range{0, 0, 1});
    CHECK(parse_content_range("bytes 0-18446744073709551614/18446744073709551615") ==
          content_range{0, 18446744073709551614U, 18446744073709551615U});
    CHECK(parse_content_range("bytes 7-9/*") == content_range{7, 9, std::nullopt});
}

TEST_CASE("a Content-Range that is malformed or contradicts itself is refused", "[launcher]") {
    for (std::string const text :
         {"", "bytes", "bytes ", "bytes 1", "bytes 1-", "bytes 1-2", "bytes 1-2/", "bytes -2/5",
          "bytes 2-1/5", "bytes 0-5/5", "bytes 0-4/5 ", "bytes  0-4/5", "octets 0-4/5",
          "bytes 0-4/5,6", "bytes +0-4/5", "bytes */5", "bytes 0-99999999999999999999/5",
          "bytes 0x0-4/5"}) {
        INFO(text);
        CHECK(!parse_content_range(text));
    }
}
