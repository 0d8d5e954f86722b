// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <string_view>
#include <system_error>

#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

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

/// The failure of whatever exception is being handled; the cancellation of a thread goes on.
inline failure failure_now() {
    try {
        throw;
    } catch (recovery_error const& caught) {
        return caught.failure();
    } catch (boost::system::system_error const& caught) {
        return failure_of_asio(caught);
    } catch (std::system_error const& caught) {
        return failure{std::current_exception(), caught.code()};
    }
#if defined(__GLIBCXX__)
    catch (abi::__forced_unwind&) {
        throw;
    }
#endif
    catch (...) {
        return failure{std::current_exception()};
    }
}

}  // namespace recoup::inline v1::detail
