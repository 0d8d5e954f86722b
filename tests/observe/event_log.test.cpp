// SPDX-License-Identifier: BSL-1.0
#include <recoup/observe/event_log.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/catch.hpp"

#include <recoup/recoup.hpp>
#include <recoup/testing.hpp>

namespace {

using namespace std::chrono_literals;
using recoup::event;
using recoup::event_kind;
using recoup::log_level;

using lines = std::vector<std::string>;

}  // namespace

TEST_CASE("what happens to an operation is written line by line, from the level that is wanted") {
    recoup::testing::manual_clock clock;
    recoup::testing::fault_plan faults{"fail,ok"};
    auto const written_from = [&](log_level least) {
        auto written = lines{};
        auto const call = with_recovery(
            faults.wrap([] { return 1; }),
            recoup::retry{.max_attempts = 2, .backoff = recoup::constant(200ms)}, recoup::on(clock),
            recoup::log_events(
                [&](log_level level, std::string const& line) {
                    written.push_back(std::string{to_string(level)} + ' ' + line);
                },
                least));
        static_cast<void>(call());
        return written;
    };
    auto const reset = std::make_error_code(std::errc::connection_reset).message();
    CHECK(written_from(log_level::warning) ==
          lines{"warning event=attempt_failed attempt=1 category=network_connection message=\"" +
                    reset + "\"",
                "warning event=retry_scheduled attempt=1 category=network_connection delay=200ms "
                "message=\"" +
                    reset + "\""});
    CHECK(written_from(log_level::error).empty());
    auto const all = written_from(log_level::debug);
    REQUIRE(all.size() == 3);  // the plan is at its end: a success at once
    CHECK(all.front() == "debug event=operation_started");
    CHECK(all.back() == "info event=operation_succeeded attempt=1");
}

TEST_CASE("no text can end its line or its quotes, and secrets are not written") {
    auto const what = recoup::failure{recoup::category::permission, std::error_code{},
                                      "GET http://me:secret@host/ \"x\"\nevent=forged \x1b[2J"};
    auto const line = log_line(event{.kind = event_kind::operation_failed,
                                     .attempt = 3,
                                     .failure = &what,
                                     .operation = "a\" attempt=9 \"b",
                                     .key = "back\\slash\r\n",
                                     .step = "\xff"});
    CHECK(
        line ==
        R"(event=operation_failed operation="a\" attempt=9 \"b" key="back\\slash\r\n" step="\xFF")"
        R"( attempt=3 category=permission message="GET http://***@host/ \"x\"\nevent=forged \x1B[2J")");
    auto const control = [](char letter) { return static_cast<unsigned char>(letter) < 32; };
    CHECK(std::none_of(line.begin(), line.end(), control));
}

TEST_CASE("a text of any length makes a line of a bounded one") {
    auto const text = std::string(1'000'000, 'x');
    CHECK(log_line(event{.kind = event_kind::recorded, .operation = text, .key = text}).size() <
          2'200);
}

TEST_CASE("an operation that has failed is an error, and one that goes on is none") {
    CHECK(recoup::level_of(event_kind::operation_failed) == log_level::error);
    CHECK(recoup::level_of(event_kind::retry_scheduled) == log_level::warning);
    CHECK(recoup::level_of(event_kind::operation_succeeded) == log_level::info);
    CHECK(recoup::level_of(event_kind::attempt_started) == log_level::debug);
}

TEST_CASE("a log that throws harms nobody") {
    auto const call = with_recovery(
        [] { return 7; },
        recoup::log_events(
            [](log_level, std::string const&) { throw std::runtime_error{"the disk is full"}; },
            log_level::debug));
    CHECK(call().value() == 7);
}
