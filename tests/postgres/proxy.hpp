// SPDX-License-Identifier: BSL-1.0
#pragma once

// Between a store and its server: loses an answer that the server has given.

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace recoup_test {

/// Hands on what is said, on a port of loopback. One answer can be lost on demand: the server has done what
/// was asked, and the connection breaks before the one who asked hears of it.
class losing_proxy {
  public:
    explicit losing_proxy(int server_port);
    losing_proxy(losing_proxy const&) = delete;
    losing_proxy& operator=(losing_proxy const&) = delete;
    ~losing_proxy();

    [[nodiscard]] int port() const noexcept { return port_; }

    /// Loses the answer to the next question that has `words` in it, once.
    void lose_answer_to(std::string_view words);
    [[nodiscard]] bool has_lost() const noexcept { return !armed_; }

  private:
    void serve();
    void hand_on(int client);

    int server_port_;
    int listener_ = -1;
    int port_ = 0;
    std::string words_;
    std::atomic<bool> armed_{false};
    std::atomic<bool> over_{false};
    std::vector<std::thread> talks_;
    std::thread acceptor_;
};

}  // namespace recoup_test
