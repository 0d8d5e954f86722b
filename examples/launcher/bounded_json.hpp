// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "launcher/errc.hpp"

#include <cstddef>
#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

namespace launcher {

/// How a JSON file is read: foreign input, so its size and depth are bounded before it is built.
struct json_source {
    std::string what;  ///< "workflow": how sentences call the file
    errc unreadable;   ///< the file cannot be opened
    errc malformed;    ///< it can, and is not what it should be
    std::size_t bytes_max = std::size_t{16} * 1024 * 1024;
    int depth_max = 64;
};

/// Reads a JSON file. Throws: problem.
[[nodiscard]] nlohmann::json read_json(std::filesystem::path const& path,
                                       json_source const& source);

/// The same from text. Throws: problem.
[[nodiscard]] nlohmann::json parse_json(std::string const& text, std::string const& name,
                                        json_source const& source);

}  // namespace launcher
