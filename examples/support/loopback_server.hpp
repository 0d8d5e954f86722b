// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/access_log.hpp"
#include "support/child_process.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace support {

/// A running fault_server.
class loopback_server {
  public:
    /// Starts `program` for the files in `root` and waits until it listens. Its log and its output
    /// lie in `folder` under `name`. `options` are passed on. Throws: std::runtime_error.
    loopback_server(std::filesystem::path const& program, std::filesystem::path const& root,
                    std::filesystem::path const& folder, std::string const& name,
                    std::vector<std::string> const& options);

    /// "http://127.0.0.1:PORT".
    [[nodiscard]] std::string const& url() const noexcept { return url_; }
    /// The server itself, for those who do it harm.
    [[nodiscard]] child_process& process() const noexcept { return *process_; }
    [[nodiscard]] std::vector<access> log() const { return read_access_log(log_); }

  private:
    std::filesystem::path log_;
    std::unique_ptr<child_process> process_;
    std::string url_;
};

}  // namespace support
