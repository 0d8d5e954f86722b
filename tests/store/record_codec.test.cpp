// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/record_codec.hpp>

#include "support/catch.hpp"

#include <cstring>
#include <limits>
#include <random>

namespace {

using recoup::record;
using recoup::record_status;
using recoup::system_time;
using recoup::detail::crc32c;
using recoup::detail::decode_record;
using recoup::detail::encode_record;
using recoup::detail::encoded_size;

using generator = std::mt19937_64;

std::uint64_t below(generator& random, std::uint64_t bound) { return random() % bound; }

std::string text(generator& random, std::size_t most) {
    std::string made(below(random, most + 1), '\0');
    for (auto& byte : made) byte = static_cast<char>(random() & 0xFFU);
    return made;
}

/// Small values, the ends of the range, and anything between.
std::int64_t number(generator& random) {
    switch (below(random, 5)) {
        case 0: return 0;
        case 1: return std::numeric_limits<std::int64_t>::min();
        case 2: return std::numeric_limits<std::int64_t>::max();
        case 3: return static_cast<std::int64_t>(below(random, 100));
        default: return static_cast<std::int64_t>(random());
    }
}

record any_record(generator& random) {
    record what;
    what.id = {text(random, 20), text(random, 20), text(random, 40)};
    what.revision = random();
    what.fingerprint = random();
    what.status = static_cast<record_status>(1 + below(random, 3));
    what.generation = static_cast<std::uint32_t>(number(random));
    what.attempts = static_cast<std::uint32_t>(number(random));
    what.spent = static_cast<std::uint32_t>(number(random));
    for (auto& count : what.spent_by_category)
        if (below(random, 4) == 0) count = static_cast<std::uint32_t>(random());
    for (auto& byte : what.token) byte = static_cast<std::uint8_t>(random());
    what.active = recoup::duration{number(random)};
    what.delay = recoup::duration{number(random)};
    for (auto* time : {&what.due, &what.created, &what.updated, &what.expires})
        *time = system_time{recoup::duration{number(random)}};
    if (below(random, 2) != 0) what.checkpoint = text(random, 100);
    if (below(random, 2) != 0) what.result = text(random, 100);
    if (below(random, 2) != 0)
        what.last_failure = recoup::recorded_failure{
            static_cast<recoup::category>(below(random, recoup::category_count)),
            static_cast<std::int32_t>(number(random)), text(random, 20), text(random, 60)};
    return what;
}

/// The bytes with a checksum that is right again after a change to them.
std::string sealed(std::string bytes) {
    bytes.resize(bytes.size() - 4);
    recoup::detail::put_number(bytes, crc32c(bytes));
    return bytes;
}

TEST_CASE("a record comes back as it was, whatever its fields hold") {
    generator random{20260101};
    for (int round = 0; round != 2000; ++round) {
        auto const what = any_record(random);
        auto const bytes = encode_record(what, what.revision);
        REQUIRE(bytes.size() == encoded_size(what));
        auto const back = decode_record(bytes);
        REQUIRE(back.wrong == nullptr);
        REQUIRE(back.value == what);
    }
}

TEST_CASE("the revision to store is written in place of the record's own") {
    record what;
    what.id = {"", "download", "a"};
    what.revision = 4;
    CHECK(decode_record(encode_record(what, 5)).value->revision == 5);
}

TEST_CASE("the encoding of a record is pinned byte by byte") {
    record what;
    what.id = {"s", "n", "k"};
    what.fingerprint = 0x0102030405060708U;
    what.status = record_status::failed;
    what.attempts = 2;
    what.spent = 1;
    what.spent_by_category[2] = 1;
    what.created = system_time{recoup::duration{1}};
    what.checkpoint = "c";
    what.last_failure =
        recoup::recorded_failure{recoup::category::network_timeout, 110, "generic", "t"};
    auto const bytes = encode_record(what, 7);
    std::string hex;
    for (auto const byte : bytes) {
        constexpr auto digits = "0123456789abcdef";
        hex += digits[static_cast<unsigned char>(byte) >> 4U];
        hex += digits[static_cast<unsigned char>(byte) & 15U];
    }
    CHECK(hex ==
          "96000000"
          "01"
          "03"
          "05"
          "01"
          "0700000000000000"
          "0807060504030201"
          "01000000"
          "02000000"
          "01000000"
          "00000000000000000000000000000000"
          "0000000000000000"
          "0000000000000000"
          "0000000000000000"
          "0100000000000000"
          "0000000000000000"
          "ffffffffffffff7f"
          "0201000000"
          "0100000073"
          "010000006e"
          "010000006b"
          "0100000063"
          "026e000000"
          "0700000067656e65726963"
          "0100000074"
          "6d5cb0e1");
}

TEST_CASE("every single flipped bit is recognised") {
    generator random{7};
    for (int round = 0; round != 20; ++round) {
        auto const what = any_record(random);
        auto bytes = encode_record(what, what.revision);
        for (std::size_t bit = 0; bit != bytes.size() * 8; ++bit) {
            auto const flip = static_cast<char>(1U << (bit % 8));
            bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ flip);
            REQUIRE(decode_record(bytes).wrong != nullptr);
            bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ flip);
        }
        REQUIRE(decode_record(bytes).value == what);
    }
}

TEST_CASE("every truncation is recognised, even with a checksum that fits the rest") {
    generator random{8};
    for (int round = 0; round != 20; ++round) {
        auto const what = any_record(random);
        auto const bytes = encode_record(what, what.revision);
        for (std::size_t size = 0; size != bytes.size(); ++size) {
            REQUIRE(decode_record(std::string_view{bytes}.substr(0, size)).wrong != nullptr);
            if (size >= 4) REQUIRE(decode_record(sealed(bytes.substr(0, size))).wrong != nullptr);
        }
        REQUIRE(decode_record(bytes + '\0').wrong != nullptr);
        REQUIRE(decode_record(sealed(bytes + "12345")).wrong != nullptr);
    }
}

TEST_CASE("bytes that nobody encoded are refused, or are the one encoding of what they give") {
    generator random{9};
    for (int round = 0; round != 20000; ++round) {
        std::string bytes;
        if (round % 2 == 0) {
            bytes = text(random, 400);
        } else {  // a record with some bytes changed and a right checksum: past the first defence
            bytes = encode_record(any_record(random), random());
            for (auto changes = below(random, 4); changes != 0; --changes)
                bytes[below(random, bytes.size())] = static_cast<char>(random() & 0xFFU);
            bytes = sealed(std::move(bytes));
        }
        auto const back = decode_record(bytes);
        REQUIRE((back.wrong == nullptr) == back.value.has_value());
        if (back.value) REQUIRE(encode_record(*back.value, back.value->revision) == bytes);
    }
}

TEST_CASE("a length that claims more than there is costs no memory and is refused") {
    record what;
    what.id = {"", "n", "k"};
    what.checkpoint = "abc";
    auto bytes = encode_record(what, 1);
    auto const at = bytes.size() - 4 - 3 - 4;
    std::memcpy(bytes.data() + at, "\xFF\xFF\xFF\x0F", 4);
    CHECK(std::string{decode_record(sealed(bytes)).wrong} == "its checkpoint is cut");
}

TEST_CASE("a record of a format that is not known is told from a damaged one") {
    auto bytes = encode_record(record{}, 1);
    bytes[4] = 2;
    CHECK_FALSE(decode_record(bytes).newer);
    CHECK(decode_record(sealed(bytes)).newer);
}

}  // namespace
