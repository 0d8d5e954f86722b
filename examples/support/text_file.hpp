// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace support {

/// The whole text of a file, at most `bytes_max`. Throws: std::system_error.
[[nodiscard]] std::string read_text(std::filesystem::path const& path,
                                    std::size_t bytes_max = 64 * 1024 * 1024);

/// Replaces a file by `text`. Throws: std::system_error.
void write_text(std::filesystem::path const& path, std::string const& text);

}  // namespace support
