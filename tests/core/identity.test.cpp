// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/identity.hpp>

#include "support/catch.hpp"

#include <string>
#include <string_view>

namespace {

using namespace std::string_literals;
using recoup::operation_id;
using recoup::operation_ref;
using recoup::valid_identifier;

static_assert(noexcept(valid_identifier("")));
static_assert(valid_identifier("download-model"));
static_assert(!valid_identifier(std::string_view{"a\0b", 3}));

std::string bytes(std::initializer_list<int> list) {
    auto text = "a"s;
    for (auto const byte : list) text += static_cast<char>(byte);
    return text + "z";
}

}  // namespace

TEST_CASE("An identifier is printable UTF-8") {
    for (auto const& good : {
             ""s, " "s, "~"s, "https://host/path?x=1#y"s, "naïve"s, "日本語"s, "😀"s,
             bytes({0xC2, 0xA0}),        // the first behind the C1 controls
             bytes({0xDF, 0xBF}),        // the last of two bytes
             bytes({0xE0, 0xA0, 0x80}),  // the first of three
             bytes({0xED, 0x9F, 0xBF}),  // the last before the surrogates
             bytes({0xEE, 0x80, 0x80}),  // the first behind them
             bytes({0xEF, 0xBF, 0xBF}), bytes({0xF0, 0x90, 0x80, 0x80}),  // the first of four
             bytes({0xF4, 0x8F, 0xBF, 0xBF}),                             // the last of all
         }) {
        INFO(good);
        CHECK(valid_identifier(good));
    }
}

TEST_CASE("Controls, NUL, and what is no UTF-8 make no identifier") {
    for (int control = 0; control != 0x20; ++control) {
        INFO(control);
        CHECK_FALSE(valid_identifier(bytes({control})));
    }
    CHECK_FALSE(valid_identifier(bytes({0x7F})));
    for (int control = 0x80; control != 0xA0; ++control) {
        INFO(control);
        CHECK_FALSE(valid_identifier(bytes({0xC2, control})));  // C1, well-formed
        CHECK_FALSE(valid_identifier(bytes({control})));        // a tail without a lead
    }
    for (auto const& bad : {
             bytes({0xC0, 0x80}),                                            // NUL, overlong
             bytes({0xC1, 0xBF}),                                            // DEL, overlong
             bytes({0xE0, 0x9F, 0xBF}),                                      // overlong
             bytes({0xF0, 0x8F, 0xBF, 0xBF}),                                // overlong
             bytes({0xED, 0xA0, 0x80}),                                      // the first surrogate
             bytes({0xED, 0xBF, 0xBF}),                                      // the last one
             bytes({0xF4, 0x90, 0x80, 0x80}),                                // above U+10FFFF
             bytes({0xF5, 0x80, 0x80, 0x80}), bytes({0xFF}), bytes({0xC3}),  // cut by ordinary text
             bytes({0xE2, 0x82}), bytes({0xF0, 0x9F, 0x98}), bytes({0xE2, 0x28, 0xA1}), "\xE2\x82"s,
             "\xC3"s, "\xF0\x9F\x98"s,  // cut by the end
         }) {
        INFO(bad.size());
        CHECK_FALSE(valid_identifier(bad));
    }
}

TEST_CASE("What is no part of an identifier is found at each place of one of any size") {
    for (std::size_t size = 1; size != 25; ++size) {
        auto text = std::string(size, '~');
        CHECK(valid_identifier(text));
        for (std::size_t place = 0; place != size; ++place) {
            INFO(size << ", " << place);
            for (auto const wrong : {'\0', '\x1F', '\x7F', '\x80', '\xC3', '\xFF'}) {
                text[place] = wrong;
                CHECK_FALSE(valid_identifier(text));
            }
            text[place] = '~';
            CHECK(valid_identifier(std::string{text}.insert(place, "é")));
        }
    }
}

TEST_CASE("An identifier has at most 512 bytes") {
    CHECK(valid_identifier(std::string(512, 'x')));
    CHECK_FALSE(valid_identifier(std::string(513, 'x')));
}

TEST_CASE("An identity needs a name and a key; its namespace may be empty") {
    CHECK(valid(operation_ref{.name = "n", .key = "k"}));
    CHECK(valid(operation_ref{.space = "s", .name = "n", .key = "k"}));
    CHECK_FALSE(valid(operation_ref{.name = "n"}));
    CHECK_FALSE(valid(operation_ref{.key = "k"}));
    CHECK_FALSE(valid(operation_ref{.space = "\n", .name = "n", .key = "k"}));
    CHECK_FALSE(valid(operation_ref{.name = "\x01", .key = "k"}));
    CHECK_FALSE(valid(operation_ref{.name = "n", .key = "\x7f"}));
}

TEST_CASE("An owning identity and a view of it are the same one") {
    auto const owned = operation_id{"space", "name", "key"};
    operation_ref const seen = owned;
    CHECK(seen == operation_ref{"space", "name", "key"});
    CHECK(operation_id{seen} == owned);
    CHECK_FALSE(operation_id{"space", "name", "other"} == owned);
    CHECK_FALSE(operation_id{"sp", "acename", "key"} == owned);
}
