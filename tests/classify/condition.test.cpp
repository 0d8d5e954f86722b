// SPDX-License-Identifier: BSL-1.0
#include <recoup/classify/condition.hpp>
#include <recoup/classify/http.hpp>

#include <string>
#include <system_error>
#include <type_traits>

#include "support/catch.hpp"

using recoup::category;
using recoup::make_error_condition;

TEST_CASE("A category is a condition that codes can be compared with") {
    CHECK(recoup::http_error(429) == make_error_condition(category::rate_limited));
    CHECK(recoup::http_error(404) != make_error_condition(category::rate_limited));
    CHECK(recoup::http_error(404) == make_error_condition(category::not_found));
    // The system's codes have std::errc as conditions, and no other.
    CHECK(std::error_code{2, std::generic_category()} != make_error_condition(category::not_found));
}

TEST_CASE("A condition's text is the name of its category") {
    CHECK(make_error_condition(category::network_dns).message() == "network_dns");
    CHECK(recoup::condition_category().message(99) == "unknown");
    CHECK(recoup::condition_category().message(-1) == "unknown");
    CHECK(recoup::condition_category().name() == std::string{"recoup.category"});
}

TEST_CASE("A category does not turn into a condition by itself") {
    STATIC_REQUIRE_FALSE(std::is_convertible_v<category, std::error_condition>);
}
