// SPDX-License-Identifier: BSL-1.0
// A small HTTP/1.1 file server on loopback that misbehaves on purpose, by a seed.
#include "fault_server/session.hpp"

#include <csignal>
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr int connections_max = 256;
// Kept small, so that what counts as sent has nearly reached the client, too.
constexpr int send_buffer_bytes = 64 * 1024;

asio::awaitable<void> accept_all(tcp::acceptor& acceptor, fault_server::site& site) {
    int open = 0;
    for (;;) {
        boost::system::error_code error;
        tcp::socket socket =
            co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::operation_aborted) co_return;
        if (error || open >= connections_max) continue;
        socket.set_option(asio::socket_base::send_buffer_size(send_buffer_bytes), error);
        socket.set_option(tcp::no_delay(true), error);
        ++open;
        asio::co_spawn(acceptor.get_executor(), fault_server::serve(std::move(socket), site),
                       [&open](std::exception_ptr const&) { --open; });
    }
}

int run(unsigned short port, fault_server::site_options const& options) {
    fault_server::site site{options};
    asio::io_context context{1};
    tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), port}};
    asio::signal_set signals{context, SIGINT, SIGTERM};
    signals.async_wait([&](auto, auto) { context.stop(); });
    asio::co_spawn(context, accept_all(acceptor, site), asio::detached);
    std::printf("listening on 127.0.0.1:%hu\n", acceptor.local_endpoint().port());
    std::fflush(stdout);
    context.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Serves the files of a folder on loopback, with faults by a seed."};
    app.footer(
        "KIND: reset, stall, truncate, unavailable, not-found, wrong-bytes, wrong-range,\n"
        "      wrong-size, redirect-loop. Example: --fault reset=0.2 --fault "
        "wrong-bytes=1@/a.bin");
    fault_server::site_options options;
    unsigned short port = 0;
    std::vector<std::string> faults;
    unsigned retry_after = 1;
    unsigned stall = 30;
    app.add_option("root", options.root, "folder to serve")
        ->required()
        ->check(CLI::ExistingDirectory);
    app.add_option("--port", port, "port to listen on; 0 takes a free one and prints it");
    app.add_option("--seed", options.seed, "decides which requests meet which faults");
    app.add_option("--fault", faults, "KIND=PROBABILITY[@PATH], once or more often");
    app.add_option("--rate", options.bytes_per_second, "bytes a second of each connection");
    app.add_option("--access-log", options.access_log, "file that receives a JSON line a request");
    app.add_option("--retry-after", retry_after, "seconds that a 503 asks to wait");
    app.add_option("--stall-for", stall, "seconds that a stalled connection stays silent");
    CLI11_PARSE(app, argc, argv);
    try {
        for (std::string const& fault : faults)
            options.faults.push_back(fault_server::parse_fault_rule(fault));
        options.retry_after = std::chrono::seconds{retry_after};
        options.stall = std::chrono::seconds{stall};
        return run(port, options);
    } catch (std::exception const& error) {
        std::fprintf(stderr, "fault_server: %s\n", error.what());
        return 1;
    }
}
