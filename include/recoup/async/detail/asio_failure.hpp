// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/failure.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <string_view>
#include <system_error>

namespace recoup::inline v1::detail {

/// What Asio's own errors are; those of the system have their categories everywhere.
inline category category_of_asio(boost::system::error_code const& code) noexcept {
    if (code == boost::asio::error::eof) return category::network_connection;
    if (code.category() == boost::asio::error::get_netdb_category() ||
        code.category() == boost::asio::error::get_addrinfo_category())
        return code == boost::asio::error::service_not_found ? category::configuration
                                                             : category::network_dns;
    if (std::string_view{code.category().name()} == "asio.ssl.stream") return category::network_tls;
    return category::unknown;
}

/// The failure of a `boost::system::system_error`, as it is being handled.
inline failure failure_of_asio(boost::system::system_error const& caught) {
    auto what = failure{std::current_exception(), std::error_code{caught.code()}};
    if (auto const found = category_of_asio(caught.code()); found != category::unknown)
        failure_access::set_category(what, found);
    return what;
}

}  // namespace recoup::inline v1::detail
