// SPDX-License-Identifier: BSL-1.0
#include <recoup/classify/http.hpp>

#include <recoup/classify/category_of.hpp>

#include <string>
#include <system_error>
#include <vector>

#include "support/catch.hpp"

using recoup::category;
using recoup::category_of;
using recoup::http_error;

TEST_CASE("An HTTP status has its category") {
    struct sample {
        category expected;
        std::vector<int> statuses;
    };
    std::vector<sample> const samples{
        {category::unknown, {1, 100, 200, 206, 299, 600, 777, -1, 2147483647}},
        {category::configuration,
         {300, 301, 302, 304, 307, 308, 399, 426, 501, 505, 506, 508, 510, 526}},
        {category::invalid_input,
         {400, 405, 406, 409, 411, 412, 413, 414, 416, 417, 418, 428, 431, 430, 449}},
        {category::authentication, {401, 407, 419, 440, 495, 496, 498, 511}},
        {category::quota_exceeded, {402, 509}},
        {category::api_permission, {403, 451}},
        {category::not_found, {404, 410}},
        {category::network_timeout, {408, 504, 522, 524, 598, 599}},
        {category::invalid_format, {415}},
        {category::network_connection, {421, 444, 460, 523}},
        {category::invalid_schema, {422}},
        {category::service_unavailable, {423, 425, 500, 502, 503, 520, 521, 529, 512, 530, 597}},
        {category::missing_dependency, {424}},
        {category::rate_limited, {420, 429}},
        {category::cancelled, {499}},
        {category::disk_full, {507}},
        {category::network_tls, {525}},
    };
    for (auto const& each : samples) {
        for (auto const status : each.statuses) {
            INFO(status);
            CHECK(category_of(http_error(status)) == each.expected);
        }
    }
}

TEST_CASE("What trying again cures is retried, and what it does not is not") {
    for (auto const status : {408, 425, 429, 500, 502, 503, 504, 522, 524, 529})
        CHECK(recoup::worth_retrying(category_of(http_error(status))));
    for (auto const status : {301, 400, 401, 403, 404, 410, 413, 416, 422, 451, 501, 507, 526})
        CHECK_FALSE(recoup::worth_retrying(category_of(http_error(status))));
}

TEST_CASE("An HTTP error reads as the status line does") {
    CHECK(http_error(404).message() == "404 Not Found");
    CHECK(http_error(418).message() == "HTTP status 418");
    CHECK(http_error(503).category().name() == std::string{"http"});
    CHECK(http_error(503).value() == 503);
    CHECK(http_error(503) == http_error(503));
    CHECK(http_error(503) != std::error_code{503, std::generic_category()});
}
