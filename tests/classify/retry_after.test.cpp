// SPDX-License-Identifier: BSL-1.0
#include <recoup/classify/retry_after.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using recoup::parse_retry_after;
using recoup::system_time;
using std::chrono::milliseconds;

namespace {

constexpr system_time at(std::chrono::sys_days day, std::chrono::nanoseconds time) {
    return system_time{day.time_since_epoch() + time};
}

// Sunday, 6 November 1994, 08:49:37: the example of RFC 9110.
constexpr auto example = at(std::chrono::sys_days{1994y / 11 / 6}, 8h + 49min + 37s);
constexpr auto today = at(std::chrono::sys_days{2024y / 6 / 1}, 12h);

static_assert(parse_retry_after("120", today) == 120s);
static_assert(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", example - 30s) == 30s);

}  // namespace

TEST_CASE("Seconds are read as they stand, and too many of them as the longest wait") {
    CHECK(parse_retry_after("0", today) == 0ms);
    CHECK(parse_retry_after("1", today) == 1s);
    CHECK(parse_retry_after(" \t120 ", today) == 2min);
    CHECK(parse_retry_after("007", today) == 7s);
    CHECK(parse_retry_after("410400", today) == 114h);
    CHECK(parse_retry_after("9223372036854775", today) == milliseconds{9223372036854775000});
    CHECK(parse_retry_after("9223372036854776", today) == milliseconds::max());
    CHECK(parse_retry_after("9223372036854775807", today) == milliseconds::max());
    CHECK(parse_retry_after(std::string(1000, '9'), today) == milliseconds::max());
    CHECK(parse_retry_after(std::string(1000, '0') + "5", today) == 5s);
}

TEST_CASE("A date in each of HTTP's three formats is the time until then") {
    auto const text = GENERATE(as<std::string_view>{}, "Sun, 06 Nov 1994 08:49:37 GMT",
                               "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994");
    CHECK(parse_retry_after(text, example) == 0ms);
    CHECK(parse_retry_after(text, example - 90s) == 90s);
    // Not a millisecond too early.
    CHECK(parse_retry_after(text, example - 1ns) == 1ms);
    CHECK(parse_retry_after(text, example - 1ms) == 1ms);
    CHECK(parse_retry_after(text, example + 1h) == 0ms);
}

TEST_CASE("Dates reach over months, leap days and leap seconds") {
    auto const until = [](std::string_view text) { return parse_retry_after(text, today); };
    CHECK(until("Sat, 01 Jun 2024 12:00:01 GMT") == 1s);
    CHECK(until("Mon, 01 Jul 2024 12:00:00 GMT") == 30 * 24h);
    CHECK(until("Sun Jun 30 23:59:60 2024") == 29 * 24h + 12h);
    CHECK(until("Tue, 29 Feb 2028 12:00:00 GMT").has_value());
    CHECK(until("Thu, 29 Feb 2024 12:00:00 GMT") == 0ms);
    CHECK(until("Fri, 31 Dec 9999 23:59:59 GMT") > 24h * 365 * 7000);
    CHECK(until("Sat, 01 Jan 0000 00:00:00 GMT") == 0ms);
    CHECK(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", system_time::min()) > 0ms);
    CHECK(parse_retry_after("Fri, 31 Dec 1999 23:59:59 GMT", system_time::max()) == 0ms);
}

TEST_CASE("A year of two digits is at most fifty years ahead") {
    CHECK(parse_retry_after("Saturday, 01-Jun-24 12:00:05 GMT", today) == 5s);
    CHECK(parse_retry_after("Friday, 01-Jun-74 12:00:00 GMT", today) > 24h * 365 * 49);
    CHECK(parse_retry_after("Saturday, 01-Jun-75 12:00:00 GMT", today) == 0ms);
}

TEST_CASE("What is neither seconds nor a date is nothing") {
    auto const text =
        GENERATE(as<std::string_view>{}, "", "   ", "-1", "+5", "1.5", "5s", "1 2", "soon", "0x10",
                 "１", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
                 "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
                 "Sun, 06 nov 1994 08:49:37 GMT", "Son, 06 Nov 1994 08:49:37 GMT",
                 "Sun, 06 Okt 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
                 "Sun, 00 Nov 1994 08:49:37 GMT", "Thu, 29 Feb 2023 00:00:00 GMT",
                 "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
                 "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 08:49:37 GMT+1",
                 "Sun 06 Nov 1994 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT",
                 "Sun, 06-Nov-94 08:49:37 GMT", "Sunday Nov  6 08:49:37 1994",
                 "Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 199", "Sun, ", "Sun", "Sunday, ",
                 "Sun Nov", "1994-11-06T08:49:37Z", "Sun, -6 Nov 1994 08:49:37 GMT");
    INFO(text);
    CHECK(parse_retry_after(text, today) == std::nullopt);
}

TEST_CASE("A text cut anywhere is read as less or not at all, never wrongly") {
    for (auto const whole : {std::string_view{"Sun, 06 Nov 2044 08:49:37 GMT"},
                             std::string_view{"Sunday, 06-Nov-44 08:49:37 GMT"},
                             std::string_view{"Sun Nov  6 08:49:37 2044"}}) {
        REQUIRE(parse_retry_after(whole, today).has_value());
        for (std::size_t length = 0; length != whole.size(); ++length)
            CHECK(parse_retry_after(whole.substr(0, length), today) == std::nullopt);
    }
}
