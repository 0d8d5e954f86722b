// SPDX-License-Identifier: BSL-1.0
#include "scrape.hpp"

#include <chrono>
#include <stdexcept>
#include <utility>

#include <prometheus/exposer.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace prometheus_test {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;

std::string scrape(std::shared_ptr<prometheus::Collectable> const& shown) {
    prometheus::Exposer exposer{"127.0.0.1:0", 1};
    exposer.RegisterCollectable(shown);
    auto const port = static_cast<boost::asio::ip::port_type>(exposer.GetListeningPorts().at(0));

    boost::asio::io_context context;
    boost::beast::tcp_stream stream{context};
    stream.expires_after(std::chrono::seconds{30});
    stream.connect(tcp::endpoint{boost::asio::ip::address_v4::loopback(), port});
    http::request<http::empty_body> request{http::verb::get, "/metrics", 11};
    request.set(http::field::host, "127.0.0.1");
    request.set(http::field::connection, "close");
    http::write(stream, request);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(64 << 20);
    http::read(stream, buffer, parser);
    auto answer = parser.release();
    if (answer.result() != http::status::ok ||
        !std::string{answer[http::field::content_type]}.starts_with("text/plain"))
        throw std::runtime_error{"the exposer answered with " +
                                 std::to_string(answer.result_int())};
    return std::move(answer.body());
}

}  // namespace prometheus_test
