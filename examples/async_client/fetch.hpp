// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>

#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace async_client {

/// Asks a server for a file over HTTP, on a connection of its own, and gives the body. It knows nothing of retries:
/// what goes wrong is thrown by Asio or Beast, or is the answer's status.
boost::asio::awaitable<recoup::result<std::string>> fetch(boost::asio::ip::tcp::endpoint server,
                                                          std::string path);

}  // namespace async_client
