// SPDX-License-Identifier: BSL-1.0
#include "fault_server/session.hpp"

#include "fault_server/byte_range.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace fault_server {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using namespace std::chrono_literals;

using request = http::request<http::empty_body>;
using response = http::response<http::empty_body>;

constexpr int requests_max = 10'000;  // of one connection
constexpr std::uint32_t header_bytes_max = 16 * 1024;
constexpr std::size_t piece_bytes = 64 * 1024;
constexpr auto idle_max = 30s;

std::string text(beast::string_view view) { return {view.data(), view.size()}; }

/// What a response sends: a range of a file, spoilt as `spoilt` says.
struct answer {
    response header{};
    byte_range body{};
    injection spoilt{};
};

bool strikes_in_body(fault kind) noexcept {
    return kind == fault::reset || kind == fault::stall || kind == fault::truncate;
}

response plain_header(request const& asked, http::status status) {
    response header{status, asked.version()};
    header.set(http::field::server, "fault_server");
    header.keep_alive(asked.keep_alive());
    header.content_length(0);
    return header;
}

std::string content_range(byte_range range, std::uint64_t size, fault lie) {
    // A lie about the range moves it by one byte and keeps it inside the file.
    std::uint64_t const first =
        lie != fault::wrong_range ? range.first : (range.first > 0 ? range.first - 1 : 1);
    std::uint64_t const last = lie != fault::wrong_range ? range.first + range.length - 1
                                                         : std::min(first + range.length, size) - 1;
    return "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" +
           std::to_string(size + (lie == fault::wrong_size ? 1 : 0));
}

answer file_answer(request const& asked, served_file const& file, injection fate) {
    auto range = parse_range(text(asked[http::field::range]), file.size());
    auto const condition = asked[http::field::if_range];
    if (!condition.empty() && text(condition) != file.etag())  // the file has changed since
        range = {.kind = range_kind::whole, .range = {.first = 0, .length = file.size()}};

    if (range.kind == range_kind::unsatisfiable) {
        response header = plain_header(asked, http::status::range_not_satisfiable);
        header.set(http::field::content_range, "bytes */" + std::to_string(file.size()));
        return {.header = std::move(header)};
    }
    bool const whole = range.kind == range_kind::whole;
    response header = plain_header(asked, whole ? http::status::ok : http::status::partial_content);
    header.set(http::field::accept_ranges, "bytes");
    header.set(http::field::etag, file.etag());
    header.set(http::field::content_type, "application/octet-stream");
    header.content_length(range.range.length + (fate.kind == fault::wrong_size && whole ? 1 : 0));
    if (!whole)
        header.set(http::field::content_range, content_range(range.range, file.size(), fate.kind));
    bool const head = asked.method() == http::verb::head;
    return {.header = std::move(header), .body = head ? byte_range{} : range.range, .spoilt = fate};
}

answer decide(request const& asked, std::optional<served_file> const& file, injection fate,
              site_options const& options) {
    if (asked.method() != http::verb::get && asked.method() != http::verb::head)
        return {.header = plain_header(asked, http::status::method_not_allowed)};
    if (fate.kind == fault::unavailable) {
        response header = plain_header(asked, http::status::service_unavailable);
        header.set(http::field::retry_after, std::to_string(options.retry_after.count()));
        return {.header = std::move(header), .spoilt = fate};
    }
    if (fate.kind == fault::redirect_loop) {
        response header = plain_header(asked, http::status::found);
        header.set(http::field::location, asked.target());
        return {.header = std::move(header), .spoilt = fate};
    }
    if (fate.kind == fault::not_found || !file)
        return {.header = plain_header(asked, http::status::not_found), .spoilt = fate};
    return file_answer(asked, *file, fate);
}

/// Sends a body piece by piece, at the rate that was asked for. Counts into `sent`.
asio::awaitable<void> send_body(beast::tcp_stream& stream, served_file const& file,
                                answer const& what, std::uint64_t rate, std::uint64_t& sent,
                                beast::error_code& error) {
    bool const cut = strikes_in_body(what.spoilt.kind);
    auto const struck =
        static_cast<std::uint64_t>(what.spoilt.where * static_cast<double>(what.body.length));
    std::uint64_t const end = cut ? struck : what.body.length;
    std::size_t const piece_max =
        rate == 0 ? piece_bytes : std::clamp<std::size_t>(rate / 200, 1024, piece_bytes);
    std::vector<char> piece(piece_max);
    asio::steady_timer pace{co_await asio::this_coro::executor};
    auto const began = std::chrono::steady_clock::now();
    while (sent < end && !error) {
        std::span<char> const room{piece.data(), std::min<std::uint64_t>(piece.size(), end - sent)};
        std::size_t const got = file.read(what.body.first + sent, room);
        if (got == 0) error = http::error::partial_message;  // the file shrank meanwhile
        if (error) break;
        if (what.spoilt.kind == fault::wrong_bytes && struck >= sent && struck < sent + got)
            piece[static_cast<std::size_t>(struck - sent)] ^= 0x20;
        stream.expires_after(idle_max);
        sent += co_await asio::async_write(stream, asio::buffer(piece.data(), got),
                                           asio::redirect_error(asio::use_awaitable, error));
        if (rate == 0 || error) continue;
        pace.expires_at(began + std::chrono::microseconds{sent * 1'000'000 / rate});
        beast::error_code ignored;
        co_await pace.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

asio::awaitable<void> stay_silent(std::chrono::seconds how_long) {
    asio::steady_timer silence{co_await asio::this_coro::executor, how_long};
    beast::error_code ignored;
    co_await silence.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

/// Sends one answer; false when the connection is of no further use.
asio::awaitable<bool> send(beast::tcp_stream& stream, answer& what, served_file const* file,
                           site_options const& options, std::uint64_t& sent) {
    beast::error_code error;
    http::response_serializer<http::empty_body> serializer{what.header};
    stream.expires_after(idle_max);
    co_await http::async_write_header(stream, serializer,
                                      asio::redirect_error(asio::use_awaitable, error));
    if (!error && file != nullptr && what.body.length > 0)
        co_await send_body(stream, *file, what, options.bytes_per_second, sent, error);
    if (error) co_return false;
    switch (what.spoilt.kind) {
        case fault::stall: co_await stay_silent(options.stall); co_return false;
        case fault::reset:
            // Closing with a zero linger time makes the kernel send RST instead of FIN.
            stream.socket().set_option(asio::socket_base::linger(true, 0), error);
            stream.socket().close(error);
            co_return false;
        case fault::truncate:
        case fault::wrong_size: co_return false;
        default: co_return what.header.keep_alive();
    }
}

}  // namespace

asio::awaitable<void> serve(asio::ip::tcp::socket socket, site& shared) {
    beast::tcp_stream stream{std::move(socket)};
    beast::flat_buffer buffer{header_bytes_max};
    beast::error_code error;
    for (int answered = 0; answered < requests_max; ++answered) {
        http::request_parser<http::empty_body> parser;
        parser.header_limit(header_bytes_max);
        stream.expires_after(idle_max);
        co_await http::async_read(stream, buffer, parser,
                                  asio::redirect_error(asio::use_awaitable, error));
        if (error) break;
        request const& asked = parser.get();
        std::string const path = text(asked.target());
        auto const file = shared.open(path);
        answer what = decide(asked, file, shared.next_fault(path), shared.options());
        std::uint64_t sent = 0;
        bool const goes_on =
            co_await send(stream, what, file ? &*file : nullptr, shared.options(), sent);
        shared.log({.method = text(asked.method_string()),
                    .path = path,
                    .range = text(asked[http::field::range]),
                    .status = static_cast<int>(what.header.result_int()),
                    .bytes_sent = sent,
                    .fault = std::string(to_string(what.spoilt.kind))});
        if (!goes_on) break;
    }
    stream.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
}

}  // namespace fault_server
