// SPDX-License-Identifier: BSL-1.0
#include "fault_server/byte_range.hpp"

#include "support/catch.hpp"

#include <string>

using fault_server::byte_range;
using fault_server::parse_range;
using fault_server::range_kind;

TEST_CASE("a range within the file is served", "[fault_server]") {
    CHECK(parse_range("bytes=0-", 10).range == byte_range{0, 10});
    CHECK(parse_range("bytes=3-5", 10).range == byte_range{3, 3});
    CHECK(parse_range("bytes=3-500", 10).range == byte_range{3, 7});
    CHECK(parse_range("bytes=9-9", 10).range == byte_range{9, 1});
    CHECK(parse_range("bytes=-4", 10).range == byte_range{6, 4});
    CHECK(parse_range("bytes=-40", 10).range == byte_range{0, 10});
    CHECK(parse_range("bytes=3-5", 10).kind == range_kind::part);
}

TEST_CASE("a range behind the end cannot be satisfied", "[fault_server]") {
    CHECK(parse_range("bytes=10-", 10).kind == range_kind::unsatisfiable);
    CHECK(parse_range("bytes=0-", 0).kind == range_kind::unsatisfiable);
    CHECK(parse_range("bytes=-0", 10).kind == range_kind::unsatisfiable);
}

TEST_CASE("a range that is not understood counts as none", "[fault_server]") {
    for (std::string const header : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-3",
                                     "bytes=1-2,4-5", "items=0-1", "bytes=1-2x"}) {
        INFO(header);
        CHECK(parse_range(header, 10).kind == range_kind::whole);
        CHECK(parse_range(header, 10).range == byte_range{0, 10});
    }
}
