// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/access_log.hpp"
#include "support/child_process.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace launcher_tests {

/// A private nginx on loopback, with its own configuration and log.
class nginx_server {
  public:
    /// The program; nothing where nginx is not installed.
    [[nodiscard]] static std::optional<std::filesystem::path> program();

    /// Serves `root` from a free port; all it writes lies in `folder`. `bytes_per_second` is of
    /// each connection, 0 for no limit. Throws: std::runtime_error when it does not start.
    nginx_server(std::filesystem::path const& root, std::filesystem::path const& folder,
                 std::uint64_t bytes_per_second);

    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] std::vector<support::access> log() const {
        return support::read_access_log(folder_ / "access.log");
    }

  private:
    bool start(std::filesystem::path const& root, std::uint64_t bytes_per_second);

    std::filesystem::path folder_;
    unsigned port_ = 0;
    std::unique_ptr<support::child_process> process_;
};

}  // namespace launcher_tests
