// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/condition.hpp>
#include <recoup/core/category.hpp>

#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

namespace recoup::inline v1 {

namespace detail {

struct curl_row {
    int code;
    recoup::category category;
    std::string_view text;
};

// CURLcode of libcurl 8. What is permanent matters most: a certificate that is not trusted stays
// so, and trying again would only hide it.
inline constexpr curl_row curl_rows[] = {
    {1, category::configuration, "unsupported protocol"},
    {2, category::unknown, "failed initialization"},
    {3, category::invalid_input, "malformed URL"},
    {4, category::missing_dependency, "a feature is not built in"},
    {5, category::network_dns, "could not resolve the proxy"},
    {6, category::network_dns, "could not resolve the host"},
    {7, category::network_connection, "could not connect to the server"},
    {8, category::network_connection, "weird server reply"},
    {9, category::api_permission, "access to the resource denied"},
    {10, category::network_connection, "the FTP server did not connect back"},
    {11, category::service_unavailable, "weird FTP reply to the password"},
    {12, category::network_timeout, "timeout of an FTP accept"},
    {13, category::service_unavailable, "weird FTP reply to PASV"},
    {14, category::service_unavailable, "weird FTP 227 reply"},
    {15, category::network_dns, "could not resolve the FTP data host"},
    {16, category::network_connection, "error in the HTTP/2 framing"},
    {17, category::configuration, "could not set the FTP transfer type"},
    {18, category::network_connection, "transferred a partial file"},
    {19, category::not_found, "could not retrieve the FTP file"},
    {21, category::invalid_input, "an FTP or SFTP command was refused"},
    {22, category::unknown, "the HTTP server returned an error status"},
    // Also what a write callback returns; either way the data have nowhere to go.
    {23, category::disk_full, "failed writing the received data"},
    {25, category::api_permission, "the upload was refused"},
    {26, category::invalid_input, "failed reading the data to send"},
    {27, category::out_of_memory, "out of memory"},
    {28, category::network_timeout, "timeout was reached"},
    {30, category::network_connection, "the FTP PORT command failed"},
    {31, category::configuration, "the FTP server does not support REST"},
    {33, category::configuration, "the server does not support ranges"},
    {34, category::defect, "internal problem with an HTTP post"},
    {35, category::network_tls, "error in the TLS handshake"},
    {36, category::invalid_input, "could not resume the download at that offset"},
    {37, category::not_found, "could not read the local file"},
    {38, category::authentication, "LDAP cannot bind"},
    {39, category::service_unavailable, "the LDAP search failed"},
    {41, category::missing_dependency, "a required function was not found"},
    {42, category::cancelled, "aborted by a callback"},
    {43, category::defect, "a function was given a bad argument"},
    {45, category::configuration, "the outgoing interface could not be used"},
    {47, category::configuration, "too many redirects"},
    {48, category::configuration, "unknown option"},
    {49, category::configuration, "malformed option"},
    {51, category::configuration, "the certificate of the peer is not trusted"},  // before 7.62
    {52, category::network_connection, "the server returned nothing"},
    {53, category::missing_dependency, "the crypto engine was not found"},
    {54, category::configuration, "the crypto engine cannot be the default"},
    {55, category::network_connection, "failed sending data to the peer"},
    {56, category::network_connection, "failed receiving data from the peer"},
    {58, category::configuration, "problem with the local certificate"},
    {59, category::configuration, "the TLS cipher cannot be used"},
    {60, category::configuration, "the certificate of the peer is not trusted"},
    {61, category::invalid_format, "unrecognized content encoding"},
    {63, category::quota_exceeded, "the maximum file size was exceeded"},
    {64, category::configuration, "the requested level of TLS failed"},
    {65, category::network_connection, "sending failed since the data cannot be rewound"},
    {66, category::configuration, "the crypto engine failed to initialize"},
    {67, category::authentication, "login denied"},
    {68, category::not_found, "TFTP: file not found"},
    {69, category::api_permission, "TFTP: access violation"},
    {70, category::disk_full, "the disk of the server is full"},
    {71, category::invalid_input, "TFTP: illegal operation"},
    {72, category::network_connection, "TFTP: unknown transfer id"},
    {73, category::invalid_input, "the remote file already exists"},
    {74, category::authentication, "TFTP: no such user"},
    {77, category::configuration, "problem with the CA certificates"},
    {78, category::not_found, "the remote file was not found"},
    {79, category::network_connection, "error in the SSH layer"},
    {80, category::network_tls, "failed to shut down the TLS connection"},
    {81, category::service_unavailable, "the socket is not ready"},
    {82, category::configuration, "failed to load the CRL file"},
    {83, category::configuration, "the issuer check failed"},
    {84, category::service_unavailable, "the FTP server did not accept PRET"},
    {85, category::defect, "RTSP CSeq mismatch"},
    {86, category::defect, "RTSP session mismatch"},
    {87, category::invalid_format, "the FTP file list could not be parsed"},
    {88, category::cancelled, "a chunk callback reported an error"},
    {89, category::service_unavailable, "no connection is available"},
    {90, category::configuration, "the public key is not the pinned one"},
    {91, category::configuration, "the status of the certificate is not valid"},
    {92, category::network_connection, "error in an HTTP/2 stream"},
    {93, category::defect, "called from within a callback"},
    {94, category::authentication, "an authentication function failed"},
    {95, category::network_connection, "error in the HTTP/3 layer"},
    {96, category::network_connection, "could not connect by QUIC"},
    {97, category::network_connection, "error in the proxy handshake"},
    {98, category::authentication, "a client certificate is required"},
    {99, category::unknown, "poll or select failed"},
    {100, category::invalid_input, "a value or a field is too large"},
    {101, category::configuration, "encrypted client hello failed"},
};

struct curl_table {
    recoup::category by_code[102]{};
};

consteval curl_table make_curl_table() {
    curl_table table;
    for (auto const& row : curl_rows) table.by_code[row.code] = row.category;
    return table;
}

inline constexpr curl_table curl_categories = make_curl_table();

struct curl_error_category final : std::error_category {
    char const* name() const noexcept override { return "curl"; }
    std::string message(int code) const override {
        for (auto const& row : curl_rows)
            if (row.code == code) return std::string{row.text};
        return "curl error " + std::to_string(code);
    }
    std::error_condition default_error_condition(int code) const noexcept override {
        auto const known = code >= 0 && code < static_cast<int>(std::size(curl_categories.by_code));
        return make_error_condition(known ? curl_categories.by_code[code] : category::unknown);
    }
};

}  // namespace detail

/// The category of `curl_error`: its values are those of libcurl's `CURLcode`.
inline std::error_category const& curl_category() noexcept {
    static detail::curl_error_category const instance;
    return instance;
}

/// A `CURLcode` of libcurl as an error code, without libcurl's headers: `curl_error(28)`.
///
/// Code 22 (`CURLE_HTTP_RETURNED_ERROR`) is `unknown`, since only the status tells: use
/// `http_error` there.
inline std::error_code curl_error(int code) noexcept { return {code, curl_category()}; }

}  // namespace recoup::inline v1
