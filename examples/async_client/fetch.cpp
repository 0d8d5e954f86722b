// SPDX-License-Identifier: BSL-1.0
#include "async_client/fetch.hpp"

#include <cstdint>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <recoup/classify/http.hpp>

namespace async_client {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr std::uint64_t body_bytes_max = 1024 * 1024;

}  // namespace

asio::awaitable<recoup::result<std::string>> fetch(asio::ip::tcp::endpoint server,
                                                   std::string path) {
    beast::tcp_stream stream{co_await asio::this_coro::executor};
    co_await stream.async_connect(server, asio::use_awaitable);

    http::request<http::empty_body> request{http::verb::get, path, 11};
    request.set(http::field::host, server.address().to_string());
    request.keep_alive(false);
    co_await http::async_write(stream, request, asio::use_awaitable);

    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(body_bytes_max);
    co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
    if (parser.get().result() != http::status::ok)
        co_return recoup::failure{recoup::http_error(static_cast<int>(parser.get().result_int()))};
    co_return std::move(parser.get().body());
}

}  // namespace async_client
