// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace support {

/// One answered request, as a line of a server's access log: a JSON object with these members.
struct access {
    std::string method;
    std::string path;
    std::string range;  ///< the `Range` that was asked for; empty without one
    int status = 0;
    std::uint64_t bytes_sent = 0;  ///< bytes of the body handed to the kernel
    std::string fault = "none";    ///< what was injected

    friend bool operator==(access const&, access const&) = default;
};

[[nodiscard]] std::string to_json_line(access const& entry);

/// Reads a log that may still be growing: a last line without its end is left out.
/// Throws: std::system_error when the file cannot be read, nlohmann::json::exception for a line
/// that is no access.
[[nodiscard]] std::vector<access> read_access_log(std::filesystem::path const& path);

/// The first byte that `range` ("bytes=100-" or "bytes=100-199") asks for; 0 without one.
[[nodiscard]] std::uint64_t first_byte_asked(access const& entry);

}  // namespace support
