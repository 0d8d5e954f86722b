// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/trace_context.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>

#include "support/catch.hpp"

#include <rapidcheck.h>

using recoup::trace_context;

namespace {

// The example of the specification.
constexpr std::string_view header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The grammar, and the rules beside it, worked out by other means than the code's.
bool is_valid_traceparent(std::string const& given) {
    static std::regex const grammar{
        "(00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})|"
        "((?!00|ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[^]*)?)"};
    return std::regex_match(given, grammar);
}

std::string why(std::string_view given) {
    auto const read = trace_context::parse(given);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().category() == recoup::category::invalid_format);
    CHECK(read.error().code() == recoup::errc::trace_unreadable);
    return std::string{read.error().message()};
}

rc::Gen<trace_context> any_context() {
    return rc::gen::map(
        rc::gen::tuple(
            rc::gen::container<std::array<std::uint8_t, 16>>(rc::gen::arbitrary<std::uint8_t>()),
            rc::gen::container<std::array<std::uint8_t, 8>>(rc::gen::arbitrary<std::uint8_t>()),
            rc::gen::arbitrary<std::uint8_t>()),
        [](auto const& drawn) {
            return trace_context{std::get<0>(drawn), std::get<1>(drawn), std::get<2>(drawn)};
        });
}

}  // namespace

static_assert(!trace_context{}.valid());
static_assert(!trace_context{}.sampled());

TEST_CASE("a traceparent is read and written as the specification has it", "[trace]") {
    auto const read = trace_context::parse(header);
    REQUIRE(read);
    auto const& context = read.value();
    CHECK(context.trace_id == std::array<std::uint8_t, 16>{0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43,
                                                           0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80,
                                                           0x31, 0x9c});
    CHECK(context.span_id ==
          std::array<std::uint8_t, 8>{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31});
    CHECK(context.flags == 1);
    CHECK(context.valid());
    CHECK(context.sampled());
    CHECK(context.traceparent() == header);
    std::ostringstream out;
    out << context;
    CHECK(out.str() == header);

    auto other = context;
    other.flags = 0;
    CHECK_FALSE(other.sampled());
    CHECK(other != context);
    other = context;
    other.span_id = {};
    CHECK_FALSE(other.valid());
    other = context;
    other.trace_id = {};
    CHECK_FALSE(other.valid());
}

TEST_CASE("of a higher version what it has in common with this one is read", "[trace]") {
    std::string const rest{header.substr(2)};
    auto const expected = trace_context::parse(header).value();
    CHECK(trace_context::parse("01" + rest).value() == expected);
    CHECK(trace_context::parse("cc" + rest + "-what-the-future-brings").value() == expected);
    CHECK(trace_context::parse("fe" + rest + "-").value() == expected);
    // Bits that this version does not know are not believed, and none is written on.
    auto const unknown_flags = "01" + rest.substr(0, rest.size() - 2) + "ff";
    CHECK(trace_context::parse(unknown_flags).value().flags == 1);
    auto context = expected;
    context.flags = 0xff;
    CHECK(context.traceparent().substr(53) == "03");
}

TEST_CASE("what is wrong with a traceparent is said, where, and what was expected", "[trace]") {
    std::string const good{header};
    CHECK(why("") ==
          "traceparent: at character 1 there is the end; expected a digit of the "
          "version: 0 to 9, or a to f");
    CHECK(why("ff" + good.substr(2)) == "traceparent: the version is ff, which is invalid");
    auto upper = good;
    upper[4] = 'F';
    CHECK(why(upper) ==
          "traceparent: at character 5 there is 'F'; expected a digit of the trace "
          "id: 0 to 9, or a to f");
    auto joined = good;
    joined[35] = '_';
    CHECK(why(joined) ==
          "traceparent: at character 36 there is '_'; expected '-' after the trace id");
    CHECK(why(good.substr(0, 54)) ==
          "traceparent: at character 55 there is the end; expected a "
          "digit of the flags: 0 to 9, or a to f");
    CHECK(why(good + "-more") ==
          "traceparent: at character 56 there is '-'; expected the end of version 00");
    CHECK(why("01" + good.substr(2) + "\n") ==
          "traceparent: at character 56 there is the byte 0x0A; expected the end, or '-' before "
          "what a higher version adds");
    CHECK(why("00-00000000000000000000000000000000-b7ad6b7169203331-01") ==
          "traceparent: the trace id is all zeros");
    CHECK(why("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01") ==
          "traceparent: the parent id is all zeros");
}

TEST_CASE("what is written is read as it was", "[trace]") {
    auto const holds = rc::check("round trip", [] {
        auto const context = *any_context();
        auto const given = context.traceparent();
        RC_ASSERT(given.size() == std::size_t{55});
        auto const read = trace_context::parse(given);
        RC_ASSERT(read.has_value() == context.valid());
        if (!read) return;
        auto expected = context;
        expected.flags &= trace_context::sampled_flag | trace_context::random_flag;
        RC_ASSERT(read.value() == expected);
    });
    CHECK(holds);
}

TEST_CASE("what is read is what the grammar allows, and nothing else", "[trace]") {
    // A header with some characters changed, cut short or followed by others: what only just is none.
    auto const holds = rc::check("grammar", [] {
        auto given = std::string{header};
        auto const version = *rc::gen::element<std::string>("00", "00", "01", "fe", "ff", "0g");
        given.replace(0, 2, version);
        auto const zeroed = *rc::gen::inRange(0, 8);
        if (zeroed == 0) given.replace(3, 32, std::string(32, '0'));
        if (zeroed == 1) given.replace(36, 16, std::string(16, '0'));
        auto const changes = *rc::gen::inRange(0, 3);
        for (auto i = 0; i != changes; ++i)
            given[*rc::gen::inRange<std::size_t>(0, given.size())] =
                *rc::gen::oneOf(rc::gen::element('0', '9', 'a', 'f', 'A', 'F', 'g', '-', ' '),
                                rc::gen::arbitrary<char>());
        given.resize(*rc::gen::weightedOneOf<std::size_t>(
            {{5, rc::gen::just(given.size())}, {1, rc::gen::inRange<std::size_t>(0, 60)}}));
        given += *rc::gen::weightedOneOf<std::string>({{5, rc::gen::just(std::string{})},
                                                       {1, rc::gen::just(std::string{"-more"})},
                                                       {1, rc::gen::arbitrary<std::string>()}});
        auto const allowed = is_valid_traceparent(given);
        RC_CLASSIFY(allowed);
        auto const read = trace_context::parse(given);
        RC_LOG() << given << '\n';
        RC_ASSERT(read.has_value() == allowed);
        if (read) RC_ASSERT(read.value().traceparent().substr(2, 51) == given.substr(2, 51));
    });
    CHECK(holds);
    CHECK(rc::check("any text", [] {
        auto const given = *rc::gen::arbitrary<std::string>();
        RC_ASSERT(trace_context::parse(given).has_value() == is_valid_traceparent(given));
    }));
}
