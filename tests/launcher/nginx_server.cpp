// SPDX-License-Identifier: BSL-1.0
#include "nginx_server.hpp"

#include "support/text_file.hpp"
#include "support/unique_fd.hpp"

#include <chrono>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace launcher_tests {

namespace {

namespace fs = std::filesystem;

constexpr int starts_max = 5;

sockaddr_in loopback(unsigned port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

/// A port that was free a moment ago: nginx cannot choose one itself.
unsigned free_port() {
    support::unique_fd const fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (!fd || ::bind(fd.get(), generic, length) != 0 ||
        ::getsockname(fd.get(), generic, &length) != 0)
        throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
}

bool answers(unsigned port) {
    support::unique_fd const fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in const address = loopback(port);
    return fd &&
           ::connect(fd.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0;
}

std::string configuration(fs::path const& root, fs::path const& folder, unsigned port,
                          std::uint64_t bytes_per_second) {
    std::string const at = folder.string();
    return "daemon off;\nmaster_process off;\nworker_processes 1;\n"
           "pid " +
           at + "/nginx.pid;\nerror_log " + at +
           "/error.log warn;\n"
           "events { worker_connections 64; }\nhttp {\n"
           "  log_format json escape=json '{\"method\":\"$request_method\",\"path\":\"$uri\","
           "\"range\":\"$http_range\",\"status\":$status,\"bytes_sent\":$body_bytes_sent}';\n"
           "  access_log " +
           at +
           "/access.log json;\n"
           "  client_body_temp_path " +
           at + "/t1; proxy_temp_path " + at +
           "/t2;\n"
           "  fastcgi_temp_path " +
           at + "/t3; uwsgi_temp_path " + at +
           "/t4;\n"
           "  scgi_temp_path " +
           at +
           "/t5;\n"
           "  default_type application/octet-stream;\n  sendfile off;\n  output_buffers 1 32k;\n"
           "  server {\n    listen 127.0.0.1:" +
           std::to_string(port) +
           " sndbuf=64k;\n"
           "    root " +
           root.string() + ";\n    limit_rate " + std::to_string(bytes_per_second) + ";\n  }\n}\n";
}

}  // namespace

std::optional<fs::path> nginx_server::program() {
    for (char const* path : {"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"})
        if (fs::exists(path)) return path;
    return std::nullopt;
}

nginx_server::nginx_server(fs::path const& root, fs::path const& folder,
                           std::uint64_t bytes_per_second)
    : folder_(folder) {
    fs::create_directories(folder);
    for (int i = 0; i < starts_max; ++i)
        if (start(root, bytes_per_second)) return;
    throw std::runtime_error("nginx does not start:\n" + support::read_text(folder_ / "out"));
}

bool nginx_server::start(fs::path const& root, std::uint64_t bytes_per_second) {
    port_ = free_port();
    auto const conf = folder_ / "nginx.conf";
    support::write_text(conf, configuration(root, folder_, port_, bytes_per_second));
    process_ = std::make_unique<support::child_process>(
        std::vector<std::string>{program().value().string(), "-p", folder_.string(), "-c",
                                 conf.string(), "-e", (folder_ / "error.log").string()},
        folder_ / "out");
    bool up = false;
    support::eventually(std::chrono::seconds{10}, [&] {
        up = answers(port_);
        return up || !process_->running();
    });
    return up;
}

}  // namespace launcher_tests
