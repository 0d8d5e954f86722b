// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fault_server/fault.hpp"
#include "support/access_log.hpp"
#include "support/unique_fd.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fault_server {

struct site_options {
    std::filesystem::path root = ".";
    std::filesystem::path access_log{};  ///< none when empty
    std::uint64_t seed = 1;
    std::vector<fault_rule> faults{};
    std::uint64_t bytes_per_second = 0;   ///< of each connection; 0: as fast as it goes
    std::chrono::seconds retry_after{1};  ///< what a 503 asks for
    std::chrono::seconds stall{30};       ///< how long a stalled connection stays silent
};

/// A regular file that is open for reading, with its entity tag.
class served_file {
  public:
    served_file(support::unique_fd fd, std::uint64_t size, std::string etag)
        : fd_(std::move(fd)), size_(size), etag_(std::move(etag)) {}

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] std::string const& etag() const noexcept { return etag_; }
    /// Fills `to` from `offset`; the number of bytes read, 0 at the end or on an error.
    [[nodiscard]] std::size_t read(std::uint64_t offset, std::span<char> to) const noexcept;

  private:
    support::unique_fd fd_;
    std::uint64_t size_;
    std::string etag_;
};

/// What all connections share: the folder, the faults to inject and the access log. One thread.
class site {
  public:
    /// Throws: std::invalid_argument, std::system_error.
    explicit site(site_options options);

    [[nodiscard]] site_options const& options() const noexcept { return options_; }
    [[nodiscard]] injection next_fault(std::string_view path) { return plan_.next(path); }

    /// Opens what `target` ("/name", "/folder/name") names below the root; nothing where that is
    /// no regular file, or where the target tries to leave the root.
    [[nodiscard]] std::optional<served_file> open(std::string_view target) const;

    void log(support::access const& entry) const noexcept;

  private:
    site_options options_;
    fault_plan plan_;
    support::unique_fd log_;
};

}  // namespace fault_server
