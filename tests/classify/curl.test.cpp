// SPDX-License-Identifier: BSL-1.0
#include <recoup/classify/curl.hpp>

#include <recoup/classify/category_of.hpp>

#include <string>
#include <system_error>
#include <vector>

#include "support/catch.hpp"

#if __has_include(<curl/curl.h>)
#include <curl/curl.h>
#endif

using recoup::category;
using recoup::category_of;
using recoup::curl_error;

TEST_CASE("Every CURLcode has its category") {
    struct sample {
        category expected;
        std::vector<int> codes;
    };
    std::vector<sample> const samples{
        {category::network_dns, {5, 6, 15}},
        {category::network_timeout, {12, 28}},
        {category::network_connection,
         {7, 8, 10, 16, 18, 30, 52, 55, 56, 65, 72, 79, 92, 95, 96, 97}},
        {category::network_tls, {35, 80}},
        {category::disk_full, {23, 70}},
        {category::out_of_memory, {27}},
        {category::quota_exceeded, {63}},
        {category::api_permission, {9, 25, 69}},
        {category::authentication, {38, 67, 74, 94, 98}},
        {category::invalid_input, {3, 21, 26, 36, 71, 73, 100}},
        {category::invalid_format, {61, 87}},
        {category::service_unavailable, {11, 13, 14, 39, 81, 84, 89}},
        {category::missing_dependency, {4, 41, 53}},
        // A certificate that is not trusted stays so: 51, 60, 77, 82, 83, 90, 91.
        {category::configuration,
         {1, 17, 31, 33, 45, 47, 48, 49, 51, 54, 58, 59, 60, 64, 66, 77, 82, 83, 90, 91, 101}},
        {category::not_found, {19, 37, 68, 78}},
        {category::cancelled, {42, 88}},
        {category::defect, {34, 43, 85, 86, 93}},
        // 22 hides the status that would tell; the rest are numbers that libcurl gave up.
        {category::unknown,
         {0, 2, 20, 22, 24, 29, 32, 40, 44, 46, 50, 57, 62, 75, 76, 99, 102, 1000, -1}},
    };
    std::vector<bool> seen(102);
    for (auto const& each : samples) {
        for (auto const code : each.codes) {
            INFO(code << ' ' << curl_error(code).message());
            CHECK(category_of(curl_error(code)) == each.expected);
            if (code >= 0 && code < 102) seen[static_cast<std::size_t>(code)] = true;
        }
    }
    CHECK(seen == std::vector<bool>(102, true));
}

TEST_CASE("A curl error says what happened") {
    CHECK(curl_error(28).message() == "timeout was reached");
    CHECK(curl_error(20).message() == "curl error 20");
    CHECK(curl_error(28).category().name() == std::string{"curl"});
}

#ifdef CURLINC_CURL_H
TEST_CASE("The numbers are libcurl's") {
    CHECK(category_of(curl_error(CURLE_COULDNT_RESOLVE_HOST)) == category::network_dns);
    CHECK(category_of(curl_error(CURLE_OPERATION_TIMEDOUT)) == category::network_timeout);
    CHECK(category_of(curl_error(CURLE_PARTIAL_FILE)) == category::network_connection);
    CHECK(category_of(curl_error(CURLE_GOT_NOTHING)) == category::network_connection);
    CHECK(category_of(curl_error(CURLE_SSL_CONNECT_ERROR)) == category::network_tls);
    CHECK(category_of(curl_error(CURLE_PEER_FAILED_VERIFICATION)) == category::configuration);
    CHECK(category_of(curl_error(CURLE_WRITE_ERROR)) == category::disk_full);
    CHECK(category_of(curl_error(CURLE_ABORTED_BY_CALLBACK)) == category::cancelled);
    CHECK(category_of(curl_error(CURLE_TOO_MANY_REDIRECTS)) == category::configuration);
    CHECK(category_of(curl_error(CURLE_LOGIN_DENIED)) == category::authentication);
    CHECK(category_of(curl_error(CURLE_HTTP2_STREAM)) == category::network_connection);
    CHECK(category_of(curl_error(CURLE_RECURSIVE_API_CALL)) == category::defect);
}
#endif
