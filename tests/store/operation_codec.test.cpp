// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/operation_codec.hpp>

#include "support/catch.hpp"

#include <cstring>
#include <limits>
#include <random>

namespace {

using recoup::operation_record;
using recoup::operation_status;
using recoup::step_record;
using recoup::step_status;
using recoup::system_time;
using recoup::detail::crc32c;
using recoup::detail::decode_operation;
using recoup::detail::decode_step;
using recoup::detail::encode_operation;
using recoup::detail::encode_step;
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

std::optional<recoup::recorded_failure> any_failure(generator& random) {
    if (below(random, 2) == 0) return std::nullopt;
    return recoup::recorded_failure{
        static_cast<recoup::category>(below(random, recoup::category_count)),
        static_cast<std::int32_t>(number(random)), text(random, 20), text(random, 60)};
}

operation_record any_operation(generator& random) {
    operation_record what;
    what.id = {text(random, 20), text(random, 20), text(random, 40)};
    for (auto* one : {&what.number, &what.epoch, &what.owner, &what.parent, &what.fingerprint})
        *one = static_cast<std::uint64_t>(number(random));
    what.status = static_cast<operation_status>(1 + below(random, 7));
    what.cancel_requested = below(random, 2) != 0;
    what.undoing = below(random, 2) != 0;
    what.generation = static_cast<std::uint32_t>(number(random));
    what.recoveries = static_cast<std::uint32_t>(number(random));
    for (auto& byte : what.token) byte = static_cast<std::uint8_t>(random());
    what.delay = recoup::duration{number(random)};
    for (auto* time : {&what.due, &what.created, &what.updated, &what.expires})
        *time = system_time{recoup::duration{number(random)}};
    what.version = text(random, 10);
    what.input = text(random, 80);
    what.progress = text(random, 20);
    what.note = text(random, 20);
    if (below(random, 2) != 0) what.result = text(random, 80);
    what.last_failure = any_failure(random);
    return what;
}

step_record any_step(generator& random) {
    step_record what;
    what.index = static_cast<std::uint32_t>(number(random));
    what.count = static_cast<std::uint32_t>(number(random));
    what.name = text(random, 20);
    what.id = text(random, 20);
    what.status = static_cast<step_status>(1 + below(random, 4));
    what.attempts = static_cast<std::uint32_t>(number(random));
    what.fingerprint = random();
    what.updated = system_time{recoup::duration{number(random)}};
    what.value = text(random, 100);
    what.state = text(random, 50);
    what.last_failure = any_failure(random);
    return what;
}

/// The bytes with a checksum that is right again after a change to them.
std::string sealed(std::string bytes) {
    bytes.resize(bytes.size() - 4);
    recoup::detail::put_number(bytes, crc32c(bytes));
    return bytes;
}

std::string hex(std::string_view bytes) {
    std::string shown;
    for (auto const byte : bytes) {
        constexpr auto digits = "0123456789abcdef";
        shown += digits[static_cast<unsigned char>(byte) >> 4U];
        shown += digits[static_cast<unsigned char>(byte) & 15U];
    }
    return shown;
}

/// Every flipped bit and every cut of `bytes` is refused by `decode`, even where the checksum fits.
template <class Decode>
void check_damage(std::string bytes, Decode const& decode) {
    for (std::size_t bit = 0; bit != bytes.size() * 8; ++bit) {
        auto const flip = static_cast<char>(1U << (bit % 8));
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ flip);
        REQUIRE(decode(bytes).wrong != nullptr);
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ flip);
    }
    for (std::size_t size = 0; size != bytes.size(); ++size) {
        REQUIRE(decode(bytes.substr(0, size)).wrong != nullptr);
        if (size >= 4) REQUIRE(decode(sealed(bytes.substr(0, size))).wrong != nullptr);
    }
    REQUIRE(decode(bytes + '\0').wrong != nullptr);
    REQUIRE(decode(sealed(bytes + "12345")).wrong != nullptr);
    REQUIRE(decode(bytes).wrong == nullptr);
}

TEST_CASE("an operation and a step come back as they were, whatever their fields hold") {
    generator random{20260301};
    for (int round = 0; round != 2000; ++round) {
        auto const what = any_operation(random);
        auto const bytes = encode_operation(what);
        REQUIRE(bytes.size() == encoded_size(what));
        REQUIRE(decode_operation(bytes).value == what);
        auto const step = any_step(random);
        auto const of = random();
        auto const step_bytes = encode_step(of, step);
        REQUIRE(step_bytes.size() == encoded_size(step));
        REQUIRE(decode_step(of, step_bytes).value == step);
    }
}

TEST_CASE("the ends of every range come back in an operation and a step") {
    constexpr auto most32 = std::numeric_limits<std::uint32_t>::max();
    for (auto const high : {false, true}) {
        operation_record what;
        for (auto* one : {&what.number, &what.epoch, &what.owner, &what.parent, &what.fingerprint})
            *one = high ? std::numeric_limits<std::uint64_t>::max() : 0;
        what.generation = what.recoveries = high ? most32 : 0;
        what.token.fill(high ? 0xFF : 0);
        what.delay = high ? recoup::duration::max() : recoup::duration::min();
        for (auto* time : {&what.due, &what.created, &what.updated, &what.expires})
            *time = high ? system_time::max() : system_time::min();
        std::string const longest(high ? recoup::identifier_bytes_max : 0, '\xFF');
        what.id = {longest, longest, longest};
        what.version = longest;
        CHECK(decode_operation(encode_operation(what)).value == what);
        step_record step;
        step.index = step.count = step.attempts = high ? most32 : 0;
        step.fingerprint = what.fingerprint;
        step.updated = what.updated;
        step.name = step.id = longest;
        CHECK(decode_step(what.number, encode_step(what.number, step)).value == step);
    }
}

TEST_CASE("a text that is too long to have been written is refused with its name") {
    std::string const long_one(recoup::identifier_bytes_max + 1, 'x');
    operation_record what;
    what.version = long_one;
    CHECK(std::string{decode_operation(encode_operation(what)).wrong} == "its version is too long");
    step_record step;
    step.id = long_one;
    CHECK(std::string{decode_step(1, encode_step(1, step)).wrong} == "its id is too long");
}

TEST_CASE("the encodings of an operation and of a step are pinned byte by byte") {
    operation_record what;
    what.id = {"s", "n", "k"};
    what.number = 7;
    what.epoch = 2;
    what.owner = 3;
    what.status = operation_status::running;
    what.undoing = true;
    what.fingerprint = 0x0102030405060708U;
    what.due = system_time{recoup::duration{1}};
    what.input = "i";
    what.result = "r";
    auto const bytes = hex(encode_operation(what));
    CHECK(bytes.substr(0, bytes.size() - 8) ==
          "99000000"
          "01"
          "02"
          "06"
          "00"
          "0700000000000000"
          "0200000000000000"
          "0300000000000000"
          "0000000000000000"
          "0807060504030201"
          "01000000"
          "00000000"
          "00000000000000000000000000000000"
          "0000000000000000"
          "0100000000000000"
          "0000000000000000"
          "0000000000000000"
          "ffffffffffffff7f"
          "0100000073"
          "010000006e"
          "010000006b"
          "00000000"
          "0100000069"
          "00000000"
          "00000000"
          "0100000072");
    step_record step;
    step.index = 4;
    step.count = 1;
    step.name = "n";
    step.value = "v";
    step.last_failure =
        recoup::recorded_failure{recoup::category::network_timeout, 110, "generic", "t"};
    auto const step_bytes = hex(encode_step(7, step));
    CHECK(step_bytes.substr(0, step_bytes.size() - 8) ==
          "57000000"
          "01"
          "02"
          "08"
          "00"
          "0700000000000000"
          "0000000000000000"
          "04000000"
          "01000000"
          "01000000"
          "0000000000000000"
          "010000006e"
          "00000000"
          "0100000076"
          "00000000"
          "026e000000"
          "0700000067656e65726963"
          "0100000074");
}

TEST_CASE("every flipped bit and every cut of an operation and of a step is recognised") {
    generator random{7};
    for (int round = 0; round != 10; ++round) {
        check_damage(encode_operation(any_operation(random)),
                     [](std::string const& bytes) { return decode_operation(bytes); });
        check_damage(encode_step(5, any_step(random)),
                     [](std::string const& bytes) { return decode_step(5, bytes); });
    }
}

TEST_CASE("a step of another operation is refused, and each is refused as the other") {
    generator random{8};
    auto const step = any_step(random);
    auto const bytes = encode_step(6, step);
    CHECK(decode_step(6, bytes).value == step);
    for (auto const other : {std::uint64_t{0}, std::uint64_t{7}, UINT64_MAX})
        CHECK(std::string{decode_step(other, bytes).wrong} == "it belongs to another operation");
    for (int round = 0; round != 200; ++round) {
        CHECK(decode_operation(encode_step(6, any_step(random))).wrong != nullptr);
        CHECK(decode_step(6, encode_operation(any_operation(random))).wrong != nullptr);
    }
}

TEST_CASE("bytes that nobody encoded give no operation and no step but the one they encode") {
    generator random{9};
    auto const changed = [&](std::string bytes) {
        for (auto changes = below(random, 4); changes != 0; --changes)
            bytes[below(random, bytes.size())] = static_cast<char>(random() & 0xFFU);
        return sealed(std::move(bytes));
    };
    for (int round = 0; round != 10000; ++round) {
        auto const bytes =
            round % 4 == 0 ? text(random, 400) : changed(encode_operation(any_operation(random)));
        auto const back = decode_operation(bytes);
        REQUIRE((back.wrong == nullptr) == back.value.has_value());
        if (back.value) REQUIRE(encode_operation(*back.value) == bytes);
        auto const of = random();
        auto const step_bytes = changed(encode_step(of, any_step(random)));
        auto const step = decode_step(of, step_bytes);
        REQUIRE((step.wrong == nullptr) == step.value.has_value());
        if (step.value) REQUIRE(encode_step(of, *step.value) == step_bytes);
    }
}

TEST_CASE("an operation or a step of a format that is not known is told from a damaged one") {
    auto bytes = encode_operation({});
    bytes[4] = 2;
    CHECK_FALSE(decode_operation(bytes).newer);
    CHECK(decode_operation(sealed(bytes)).newer);
    auto step = encode_step(1, {});
    step[4] = 2;
    CHECK_FALSE(decode_step(1, step).newer);
    CHECK(decode_step(1, sealed(step)).newer);
}

TEST_CASE("a length in an operation or a step that claims more than there is costs no memory") {
    operation_record what;
    what.note = "abc";
    auto bytes = encode_operation(what);
    std::memcpy(bytes.data() + bytes.size() - 4 - 3 - 4, "\xFF\xFF\xFF\x0F", 4);
    CHECK(std::string{decode_operation(sealed(bytes)).wrong} == "its note is cut");
    step_record step;
    step.state = "abc";
    auto step_bytes = encode_step(1, step);
    std::memcpy(step_bytes.data() + step_bytes.size() - 4 - 3 - 4, "\xFF\xFF\xFF\x0F", 4);
    CHECK(std::string{decode_step(1, sealed(step_bytes)).wrong} == "its state is cut");
}

}  // namespace
