// SPDX-License-Identifier: BSL-1.0
#include <recoup/config.hpp>

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "support/catch.hpp"

namespace {

namespace config = recoup::config;
using namespace std::chrono_literals;
using messages = std::vector<std::string>;

template <class Policy>
messages mistakes_of(std::string_view text, std::string_view path) {
    auto problems = std::vector<config::problem>{};
    auto const made = config::read_text<Policy>(text, path, problems);
    CHECK(made.has_value() == problems.empty());
    auto told = messages{};
    for (auto const& one : problems) told.push_back(one.message());
    return told;
}

messages in_retry(std::string_view text) { return mistakes_of<recoup::retry>(text, "retry"); }

}  // namespace

TEST_CASE("what a document leaves out has its default") {
    CHECK(config::read_text<recoup::retry>("{}") == recoup::retry{});
    CHECK(config::read_text<recoup::circuit_breaker_options>("{}") ==
          recoup::circuit_breaker_options{});
    CHECK(config::read_text<config::policy_document>("{}") == config::policy_document{});
    CHECK(config::read_text<recoup::rate_limit>(R"({"calls": 100, "per": "1s"})") ==
          recoup::token_bucket(100, 1s));
    CHECK(
        config::read_text<recoup::backoff>(R"({"model": "linear", "first": "1s", "cap": "9s"})") ==
        recoup::backoff{recoup::linear(1s, 9s)});
    CHECK(config::read_text<recoup::deadline>(R"("1.5h")").total == 90min);
}

TEST_CASE("a mistake is told with its path, what is there and what was expected") {
    CHECK(in_retry(R"({"per_category": {"rate_limited": {"max_attempts": -3}}})") ==
          messages{"retry.per_category.rate_limited.max_attempts is -3, expected 0 to 4294967295"});
    CHECK(in_retry(R"({"max_attempts": 2.5})") ==
          messages{"retry.max_attempts is 2.5, expected a whole number from 0 to 4294967295"});
    CHECK(in_retry(R"({"backoff": {"model": "constant", "every": 200}})") ==
          messages{"retry.backoff.every is 200, expected a duration as text with its unit, such as "
                   "\"200ms\""});
    CHECK(in_retry(R"({"backoff": {"model": "exponential", "factor": 0.5}})") ==
          messages{"retry.backoff.factor is 0.5, expected a number, 1 or more"});
    CHECK(in_retry(R"({"backoff": {"model": "fibonacci", "jitter": "fulll"}})") ==
          messages{"retry.backoff.jitter is \"fulll\", expected one of: none, full, equal"});
    CHECK(mistakes_of<recoup::hedge_options>(R"({"percentile": 0.2})", "hedge") ==
          messages{"hedge.percentile is 0.200000, expected 0, or 0.5 up to below 1"});
    CHECK(mistakes_of<recoup::chaos_options>(
              R"({"failure_rate": 1.5, "may_crash": true, "failure_as": "rain"})", "chaos")
              .size() == 3);
    CHECK(mistakes_of<recoup::chaos_options>(R"({"schedule": "ok,boom"})", "chaos") ==
          messages{"chaos.schedule \"ok,boom\" at position 3: expected ok, fail, throw, slow, "
                   "wrong, crash or the name of a category"});
    CHECK(
        mistakes_of<config::policy_document>(
            R"({"cache": {"capacity": 0, "time_to_live": 60, "keep": "1s"}})", "fetch") ==
        messages{"fetch.cache.capacity is 0, expected 1 to 10000000",
                 "fetch.cache.time_to_live is 60, expected a duration as text with its unit, such "
                 "as \"200ms\"",
                 "fetch.cache.keep is not known, expected one of: capacity, time_to_live, "
                 "failures_for, stale_if_error, wait_at_most"});
    CHECK(in_retry("[1]") == messages{"retry is a list, expected an object"});
    CHECK(mistakes_of<recoup::call_window>(R"({"calls": 5, "span": "1s"})", "window") ==
          messages{"window is an object, expected an object with either \"calls\" or \"span\""});
    CHECK(mistakes_of<recoup::rate_limit>(R"({"calls": 10, "per": "5ns"})", "rate") ==
          messages{"rate.per is 5 ns, expected a nanosecond or more for each of its 10 calls"});
    CHECK(mistakes_of<recoup::rate_limit>("{}", "rate") ==
          messages{"rate.calls is missing", "rate.per is missing"});
}

TEST_CASE("a field that nobody knows is a mistake, not a default") {
    CHECK(in_retry(R"({"max_attemps": 5})") ==
          messages{"retry.max_attemps is not known, expected one of: max_attempts, backoff, "
                   "per_category, retry_after_max, wait_when_rejected, refill_on_progress, "
                   "retry_nested"});
    CHECK(in_retry(R"({"backoff": {"model": "constant", "first": "1s"}})") ==
          messages{"retry.backoff.first is not known, expected one of: model, every, jitter"});
    CHECK(
        mistakes_of<recoup::rate_limit>(
            R"({"counted_by": "sliding_window", "calls": 1, "per": "1s", "burst": 5})", "rate") ==
        messages{"rate.burst is not known, expected one of: counted_by, calls, per, wait_at_most"});
}

TEST_CASE("a field that is given twice is a mistake, not the last of them") {
    CHECK(in_retry(R"({"backoff": {"model": "constant", "every": "1s", "every": "2s"}})") ==
          messages{"retry.backoff.every is given twice"});
}

TEST_CASE("all mistakes of a document are told at once") {
    auto const told = mistakes_of<std::map<std::string, config::policy_document>>(
        R"({"fetch":  {"retry": {"max_attempts": "5", "per_category": {"permision": "never"}},
                       "deadline": "2m"},
            "import": {"circuit_breaker": {"failure_rate": 0, "window": {"calls": 0}, "neutral": ["x"]},
                       "classifier": {"http": {"42": "rate_limited"}, "errc": {"timed_ou": "defect"},
                                      "messages": [{"part": ""}]}}})",
        "");
    REQUIRE(told.size() == 10);
    CHECK(told[0] == "fetch.retry.max_attempts is \"5\", expected 0 to 4294967295");
    CHECK_THAT(told[1],
               Catch::Matchers::StartsWith("fetch.retry.per_category.permision is no category, "));
    CHECK_THAT(told[2],
               Catch::Matchers::StartsWith("fetch.deadline is \"2m\", expected a duration"));
    CHECK(told[3] ==
          "import.circuit_breaker.failure_rate is 0, expected a share above 0 and up to 1");
    CHECK(told[4] == "import.circuit_breaker.window.calls is 0, expected 1 to 32768");
    CHECK_THAT(told[5], Catch::Matchers::StartsWith(
                            "import.circuit_breaker.neutral[0] is \"x\", expected one of: "));
    CHECK(told[6] == "import.classifier.http.42 is no status code, expected 100 to 599");
    CHECK(told[7] ==
          "import.classifier.errc.timed_ou is not known, expected the name of a std::errc, such as "
          "timed_out");
    CHECK(told[8] == "import.classifier.messages[0].category is missing");
    CHECK_THAT(told[9], Catch::Matchers::StartsWith("import.classifier.messages[0].part is \"\""));
}

TEST_CASE("a hostile document is bounded, and what it says is shown harmlessly") {
    CHECK(in_retry(std::string(100, '[') + std::string(100, ']')) ==
          messages{"retry is nested deeper than 16 levels"});
    CHECK(in_retry(std::string(config::document_bytes_max + 1, ' ')) ==
          messages{"retry has 1048577 bytes, expected at most 1048576"});
    auto many = std::string{"{"};
    for (auto i = 0; i != 1'000; ++i)
        many += (i == 0 ? "\"x" : ",\"x") + std::to_string(i) + "\":1";
    auto const told = in_retry(many + "}");
    REQUIRE(told.size() == config::problems_max + 1);
    CHECK(told.back() == "the document has more mistakes than these 100");
    auto const named = in_retry("{\"a\\u001b[2J\\nb\": 1}");
    REQUIRE(named.size() == 1);
    CHECK_THAT(named[0], Catch::Matchers::StartsWith("retry.\"a\\u001b[2J\\nb\" is not known, "));
    CHECK_THAT(in_retry("{\"max_attempts\": }")[0],
               Catch::Matchers::StartsWith("retry is no JSON: ") &&
                   Catch::Matchers::ContainsSubstring("line 1, column 18"));
}

TEST_CASE("a duration is read exactly, and written in the largest unit that is whole") {
    CHECK(config::parse_duration("200ms") == 200ms);
    CHECK(config::parse_duration("1.5h") == 90min);
    CHECK(config::parse_duration("0.000001s") == 1us);
    CHECK(config::parse_duration("2d") == 48h);
    CHECK(config::parse_duration("unlimited") == recoup::unlimited);
    CHECK(config::parse_duration("9223372036854775806ns") == recoup::duration{INT64_MAX - 1});
    for (auto const* const wrong :
         {"", "5", "s", "5 s", "5m", "5S", ".5s", "5.s", "1h30min", "0.5ns", "+5s", "5e3s", "--5s",
          "9223372036854775807ns", "9999999999999999999ns", "300000d", "1.0000000000000000000s",
          "5s "})
        CHECK_FALSE(config::parse_duration(wrong).has_value());
    CHECK(config::duration_text(90min) == "90min");
    CHECK(config::duration_text(48h) == "48h");
    CHECK(config::duration_text(1500us) == "1500us");
    CHECK(config::duration_text(recoup::duration{}) == "0s");
    CHECK(config::duration_text(-5s) == "-5s");
}

TEST_CASE("classifier rules from a document decide as those that are written in code") {
    auto const rules = config::read_text<config::classifier_rules>(
                           R"({"http": {"403": "rate_limited"}, "errc": {"io_error": "corruption"},
                               "categories": {"quota_exceeded": "rate_limited"},
                               "messages": [{"part": "try later", "category": "maintenance"}],
                               "retry_unknown": false})")
                           .classifier();
    using recoup::category;
    auto const category_of = [&](recoup::failure const& what) {
        return rules.classify(what).category;
    };
    CHECK(category_of(recoup::http_error(403)) == category::rate_limited);
    CHECK(category_of(recoup::http_error(404)) == category::not_found);
    CHECK(category_of(std::make_error_code(std::errc::io_error)) == category::corruption);
    CHECK(category_of(recoup::http_error(402)) == category::rate_limited);
    auto const told = [](char const* text) {
        return recoup::failure{std::make_exception_ptr(std::runtime_error{text})};
    };
    CHECK(category_of(told("Please TRY LATER")) == category::maintenance);
    CHECK(rules.classify(told("?")).recoverability == recoup::recoverability::permanent);
}
