// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fault_server/site.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace fault_server {

/// Answers the requests of one connection until it closes, errs or idles too long. Logs each.
boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket, site& shared);

}  // namespace fault_server
