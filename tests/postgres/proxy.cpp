// SPDX-License-Identifier: BSL-1.0
#include "postgres/proxy.hpp"

#include <array>
#include <stdexcept>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace recoup_test {

namespace {

::sockaddr_in loopback(int port) {
    ::sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool send_all(int to, std::string_view bytes) {
    while (!bytes.empty()) {
        auto const sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// What there is to read; empty at the end.
std::string receive(int from) {
    std::array<char, 65536> bytes;
    auto const got = ::recv(from, bytes.data(), bytes.size(), 0);
    return got > 0 ? std::string(bytes.data(), static_cast<std::size_t>(got)) : std::string{};
}

/// Whether an answer is whole: it ends with "ready for query", five bytes and the state.
bool is_ready(std::string const& answer) {
    constexpr std::string_view ready{"Z\0\0\0\5", 5};
    return answer.size() >= 6 && std::string_view{answer}.substr(answer.size() - 6, 5) == ready;
}

}  // namespace

losing_proxy::losing_proxy(int server_port) : server_port_{server_port} {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    ::socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<::sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<::sockaddr*>(&address), &size) != 0)
        throw std::runtime_error{"no port for the proxy"};
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread{[this] { serve(); }};
}

losing_proxy::~losing_proxy() {
    over_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    for (auto& talk : talks_) talk.join();
}

void losing_proxy::lose_answer_to(std::string_view words) {
    words_ = words;
    armed_ = true;
}

void losing_proxy::serve() {
    while (!over_) {
        auto const client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) return;
        talks_.emplace_back([this, client] { hand_on(client); });
    }
}

void losing_proxy::hand_on(int client) {
    auto const server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto const address = loopback(server_port_);
    auto open =
        ::connect(server, reinterpret_cast<::sockaddr const*>(&address), sizeof address) == 0;
    bool losing = false;
    std::string lost;
    while (open && !over_) {
        std::array<::pollfd, 2> both{{{client, POLLIN, 0}, {server, POLLIN, 0}}};
        constexpr int look_up_ms = 50;
        if (::poll(both.data(), both.size(), look_up_ms) <= 0) continue;
        if (both[0].revents != 0) {
            auto const said = receive(client);
            if (armed_ && said.find(words_) != std::string::npos) losing = true;
            open = !said.empty() && send_all(server, said);
        }
        if (open && both[1].revents != 0) {
            auto const said = receive(server);
            if (losing) {
                lost += said;
                open = !said.empty() && !is_ready(lost);
                if (!open) armed_ = false;
            } else {
                open = !said.empty() && send_all(client, said);
            }
        }
    }
    ::close(server);
    ::close(client);
}

}  // namespace recoup_test
