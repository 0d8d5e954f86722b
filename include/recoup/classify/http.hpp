// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/condition.hpp>
#include <recoup/core/category.hpp>

#include <string>
#include <string_view>
#include <system_error>

namespace recoup::inline v1 {

namespace detail {

struct http_row {
    int status;
    recoup::category category;
    std::string_view reason;
};

// The registry of IANA, then what proxies and services in wide use send besides.
inline constexpr http_row http_rows[] = {
    {400, category::invalid_input, "Bad Request"},
    {401, category::authentication, "Unauthorized"},
    {402, category::quota_exceeded, "Payment Required"},
    {403, category::api_permission, "Forbidden"},
    {404, category::not_found, "Not Found"},
    {405, category::invalid_input, "Method Not Allowed"},
    {406, category::invalid_input, "Not Acceptable"},
    {407, category::authentication, "Proxy Authentication Required"},
    {408, category::network_timeout, "Request Timeout"},
    {409, category::invalid_input, "Conflict"},
    {410, category::not_found, "Gone"},
    {411, category::invalid_input, "Length Required"},
    {412, category::invalid_input, "Precondition Failed"},
    {413, category::invalid_input, "Content Too Large"},
    {414, category::invalid_input, "URI Too Long"},
    {415, category::invalid_format, "Unsupported Media Type"},
    {416, category::invalid_input, "Range Not Satisfiable"},
    {417, category::invalid_input, "Expectation Failed"},
    // RFC 9110: a client may ask again over another connection.
    {421, category::network_connection, "Misdirected Request"},
    {422, category::invalid_schema, "Unprocessable Content"},
    {423, category::service_unavailable, "Locked"},
    {424, category::missing_dependency, "Failed Dependency"},
    {425, category::service_unavailable, "Too Early"},
    {426, category::configuration, "Upgrade Required"},
    {428, category::invalid_input, "Precondition Required"},
    {429, category::rate_limited, "Too Many Requests"},
    {431, category::invalid_input, "Request Header Fields Too Large"},
    {451, category::api_permission, "Unavailable For Legal Reasons"},
    {500, category::service_unavailable, "Internal Server Error"},
    {501, category::configuration, "Not Implemented"},
    {502, category::service_unavailable, "Bad Gateway"},
    {503, category::service_unavailable, "Service Unavailable"},
    {504, category::network_timeout, "Gateway Timeout"},
    {505, category::configuration, "HTTP Version Not Supported"},
    {506, category::configuration, "Variant Also Negotiates"},
    {507, category::disk_full, "Insufficient Storage"},
    {508, category::configuration, "Loop Detected"},
    {510, category::configuration, "Not Extended"},
    {511, category::authentication, "Network Authentication Required"},
    {419, category::authentication, "Page Expired"},
    {420, category::rate_limited, "Enhance Your Calm"},
    {440, category::authentication, "Login Time-out"},
    {444, category::network_connection, "No Response"},
    {460, category::network_connection, "Client Closed Connection"},
    {495, category::authentication, "SSL Certificate Error"},
    {496, category::authentication, "SSL Certificate Required"},
    {498, category::authentication, "Invalid Token"},
    {499, category::cancelled, "Client Closed Request"},
    {509, category::quota_exceeded, "Bandwidth Limit Exceeded"},
    {520, category::service_unavailable, "Web Server Returned an Unknown Error"},
    {521, category::service_unavailable, "Web Server Is Down"},
    {522, category::network_timeout, "Connection Timed Out"},
    {523, category::network_connection, "Origin Is Unreachable"},
    {524, category::network_timeout, "A Timeout Occurred"},
    {525, category::network_tls, "SSL Handshake Failed"},
    {526, category::configuration, "Invalid SSL Certificate"},
    {529, category::service_unavailable, "Site Is Overloaded"},
    {598, category::network_timeout, "Network Read Timeout"},
    {599, category::network_timeout, "Network Connect Timeout"},
};

struct http_table {
    static constexpr int first = 300;
    static constexpr int last = 599;
    recoup::category by_status[last - first + 1]{};
};

consteval http_table make_http_table() {
    http_table table;
    for (auto status = http_table::first; status <= http_table::last; ++status) {
        auto& entry = table.by_status[status - http_table::first];
        // A redirection that ends a request was not followed, or leads in a circle.
        if (status < 400)
            entry = category::configuration;
        else if (status < 500)
            entry = category::invalid_input;
        else
            entry = category::service_unavailable;
    }
    for (auto const& row : http_rows)
        table.by_status[row.status - http_table::first] = row.category;
    return table;
}

inline constexpr http_table http_categories = make_http_table();

constexpr category category_of_http(int status) noexcept {
    auto const known = status >= http_table::first && status <= http_table::last;
    return known ? http_categories.by_status[status - http_table::first] : category::unknown;
}

struct http_error_category final : std::error_category {
    char const* name() const noexcept override { return "http"; }
    std::string message(int status) const override {
        for (auto const& row : http_rows)
            if (row.status == status) return std::to_string(status) + ' ' + std::string{row.reason};
        return "HTTP status " + std::to_string(status);
    }
    std::error_condition default_error_condition(int status) const noexcept override {
        return make_error_condition(category_of_http(status));
    }
};

}  // namespace detail

/// The category of `http_error`: its values are status codes.
inline std::error_category const& http_category() noexcept {
    static detail::http_error_category const instance;
    return instance;
}

/// The answer of an HTTP server that was not a success, as an error code: `http_error(503)`.
///
/// A status without a meaning of its own counts as the first of its class does; one below 300 as
/// `unknown`.
/// Pre: `status` is not 0, which as an error code means success.
inline std::error_code http_error(int status) noexcept { return {status, http_category()}; }

}  // namespace recoup::inline v1
