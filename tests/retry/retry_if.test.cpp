// SPDX-License-Identifier: BSL-1.0
#include <recoup/retry/retry_if.hpp>

#include "support/catch.hpp"

#include <memory>
#include <optional>
#include <string>

namespace {

using recoup::category;
using recoup::failure;
using recoup::retry_if;

bool negative(int x) { return x < 0; }

}  // namespace

TEST_CASE("A predicate that says yes makes a value an unknown failure, that says no leaves it") {
    auto const check = retry_if([](int x) { return x < 0; });
    CHECK_FALSE(check.inspect(1));
    auto const rejected = check.inspect(-1);
    REQUIRE(rejected);
    CHECK(rejected->code() == recoup::errc::value_rejected);
    CHECK(rejected->category() == category::unknown);
    CHECK(retry_if(negative).inspect(-1));
}

TEST_CASE("A predicate may say which category, or give the whole failure") {
    auto const by_category = retry_if([](int x) -> std::optional<category> {
        if (x < 0) return category::maintenance;
        return std::nullopt;
    });
    CHECK_FALSE(by_category.inspect(1));
    CHECK(by_category.inspect(-1)->category() == category::maintenance);
    CHECK(by_category.inspect(-1)->code() == recoup::errc::value_rejected);
    auto const by_failure = retry_if([](std::string const& text) -> std::optional<failure> {
        if (text.empty()) return failure{category::corruption, "empty"};
        return std::nullopt;
    });
    CHECK_FALSE(by_failure.inspect(std::string{"x"}));
    CHECK(by_failure.inspect(std::string{})->message() == "empty");
}

TEST_CASE("A value is looked at where it is, never copied") {
    auto const value = std::make_unique<int>(3);
    auto const* seen = static_cast<std::unique_ptr<int> const*>(nullptr);
    auto const check = retry_if([&](std::unique_ptr<int> const& given) {
        seen = &given;
        return true;
    });
    CHECK(check.inspect(value));
    CHECK(seen == &value);
}

TEST_CASE("A predicate may give a reference to its answer") {
    static bool const answers[] = {false, true};
    auto const check = retry_if([](int x) -> bool const& { return answers[x]; });
    CHECK(check.inspect(1));
    CHECK_FALSE(check.inspect(0));
}
