// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

struct evp_md_ctx_st;

namespace support {

/// SHA-256 by OpenSSL's EVP interface, fed piece by piece.
class sha256 {
  public:
    sha256();
    void update(std::span<std::byte const> bytes);

    /// The digest as 64 lower-case hexadecimal digits. Call it once, after the last `update`.
    [[nodiscard]] std::string hex_digest();

  private:
    struct context_deleter {
        void operator()(evp_md_ctx_st* context) const noexcept;
    };
    std::unique_ptr<evp_md_ctx_st, context_deleter> context_;
};

/// The SHA-256 of all that an open file holds, read from its beginning; nothing when stopped.
/// Throws: std::system_error when reading fails.
[[nodiscard]] std::optional<std::string> sha256_of_file(int fd, std::stop_token const& stop = {});

/// The same by path. Throws: std::system_error when the file cannot be opened or read.
[[nodiscard]] std::optional<std::string> sha256_of_file(std::filesystem::path const& path,
                                                        std::stop_token const& stop = {});

}  // namespace support
