// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/fallback.hpp>

#include <recoup/core/attempt.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;
using recoup::category;
using recoup::failure;
using recoup::fallback;
using recoup::fallback_to;
using recoup::result;
using recoup::stop_reason;
using recoup::with_recovery;

auto const two_attempts = recoup::retry{.max_attempts = 2, .backoff = recoup::constant(0ms)};

/// Serves one mirror, and notes whom it was asked for.
struct mirrors_but {
    std::string good;
    std::vector<std::string>& asked;
    result<std::string> operator()(std::string const& mirror, int part) const {
        asked.push_back(mirror + std::to_string(part));
        if (mirror == good) return "from " + mirror;
        return failure{category::network_connection};
    }
};

result<int> down() { return failure{category::service_unavailable}; }

}  // namespace

TEST_CASE("a fallback stands in for what retry has given up, and only for that", "[fallback]") {
    auto calls = 0;
    auto const call = with_recovery(
        [&](bool works) -> result<int> {
            ++calls;
            if (works) return 1;
            return failure{category::network_timeout};
        },
        two_attempts, fallback(7));
    CHECK(call(true).value() == 1);
    CHECK(calls == 1);
    CHECK(call(false).value() == 7);
    CHECK(calls == 3);
}

TEST_CASE("a fallback may be a text, a thing that is not copied, or nothing", "[fallback]") {
    auto const text = with_recovery(
        []() -> result<std::string> { return failure{category::not_found}; }, fallback("none"));
    CHECK(text().value() == "none");
    auto const owned =
        with_recovery([]() -> result<std::unique_ptr<int>> { return failure{category::not_found}; },
                      fallback([] { return std::make_unique<int>(3); }));
    CHECK(*owned().value() == 3);
    auto cleaned = false;
    auto const none = with_recovery([]() -> result<void> { return failure{category::not_found}; },
                                    fallback([&] { cleaned = true; }));
    CHECK(none());
    CHECK(cleaned);
}

TEST_CASE("a callable gets the failure and the arguments, as it takes them", "[fallback]") {
    auto const fetch = [](std::string const&, int) -> result<std::string> {
        return failure{category::network_dns};
    };
    auto const both = with_recovery(
        fetch, two_attempts, fallback([](failure const& what, std::string const& url, int part) {
            return url + std::to_string(part) + std::string{to_string(what.category())} +
                   std::to_string(what.attempts());
        }));
    CHECK(both("u", 1).value() == "u1network_dns2");
    auto const arguments = with_recovery(
        fetch, two_attempts, fallback([](std::string const& url, int) { return "cached " + url; }));
    CHECK(arguments("u", 1).value() == "cached u");
    auto const reason = with_recovery(fetch, two_attempts, fallback([](failure const& what) {
                                          return std::string{to_string(what.stopped())};
                                      }));
    CHECK(reason("u", 1).value() == "attempts_exhausted");
}

TEST_CASE("where a fallback fails the next is asked, and at the end the failure is what it was",
          "[fallback]") {
    auto const throws = fallback([]() -> int { throw std::runtime_error{"cache is cold"}; });
    CHECK(with_recovery(down, two_attempts, throws, fallback(5))().value() == 5);
    auto const ended = with_recovery(down, two_attempts, throws)();
    REQUIRE_FALSE(ended);
    CHECK(ended.error().category() == category::service_unavailable);
    CHECK(ended.error().attempts() == 2);
}

TEST_CASE("fallback_to tries one candidate after the other, each with all policies", "[fallback]") {
    std::vector<std::string> asked;
    SECTION("until one gives a value") {
        auto const fetch =
            with_recovery(mirrors_but{"c", asked}, two_attempts, fallback_to({"b", "c", "d"}));
        CHECK(fetch("a", 1).value() == "from c");
        CHECK(asked == std::vector<std::string>{"a1", "a1", "b1", "b1", "c1"});
    }
    SECTION("and gives the last failure where none does") {
        auto const list = std::vector<std::string>{"b"};
        auto const fetch = with_recovery(mirrors_but{"z", asked}, two_attempts, fallback_to(list));
        auto const ended = fetch("a", 2);
        REQUIRE_FALSE(ended);
        CHECK(ended.error().stopped() == stop_reason::attempts_exhausted);
        CHECK(asked.size() == 4);
    }
    SECTION("and what comes behind it stands in for them all") {
        auto const fetch = with_recovery(mirrors_but{"z", asked}, two_attempts, fallback_to({"b"}),
                                         fallback("nothing"));
        CHECK(fetch("a", 3).value() == "nothing");
    }
}

TEST_CASE("a call that is cancelled asks no further candidate", "[fallback]") {
    std::vector<std::string> asked;
    std::stop_source source;
    auto last = std::string{};
    SECTION("before the first of them") { last = "a"; }
    SECTION("within one") { last = "b"; }
    auto const fetch = with_recovery(
        [&](std::string const& mirror) {
            if (mirror == last) source.request_stop();
            return mirrors_but{"z", asked}(mirror, 1);
        },
        two_attempts, fallback_to({"b", "c"}), source.get_token());
    CHECK(fetch("a").error().stopped() == stop_reason::cancelled);
    CHECK(asked.back() == last + "1");
    CHECK(std::count(asked.begin(), asked.end(), last + "1") == 1);
}

TEST_CASE("no fallback stands in for a call that was cancelled, or for what it is not for",
          "[fallback]") {
    std::stop_source stop;
    stop.request_stop();
    auto const cancelled = with_recovery(down, fallback(1), stop.get_token())();
    REQUIRE_FALSE(cancelled);
    CHECK(cancelled.error().stopped() == stop_reason::cancelled);

    auto const only_dns =
        with_recovery(down, two_attempts, fallback(1).on({category::network_dns}))();
    CHECK_FALSE(only_dns);
    CHECK(with_recovery(down, two_attempts, fallback(1).on({category::service_unavailable}))());
}

TEST_CASE("observers see that a fallback stands in", "[fallback]") {
    recoup::testing::event_recorder events;
    CHECK(with_recovery(down, recoup::retry{.max_attempts = 1}, fallback(1), events)());
    REQUIRE_FALSE(events.trace().empty());
    CHECK(events.trace().back() == "fell_back service_unavailable attempts_exhausted");
}

TEST_CASE("in_order takes fallbacks first, and with adds them", "[fallback]") {
    CHECK(with_recovery(down, recoup::in_order(fallback(4), recoup::deadline{1min}, two_attempts))()
              .value() == 4);
    auto const call = with_recovery(down, recoup::in_order(recoup::deadline{1min}, two_attempts));
    CHECK(call.with(fallback(6))().value() == 6);
    CHECK(with_recovery(down, fallback(1), two_attempts).with(fallback(2))().value() == 2);
}
