// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace launcher {

/// Turns a model's name, or the sub-folder that an index gives, into a relative path that stays
/// below the folder it is joined to.
///
/// Workflows made on Windows separate folders by '\': it counts as '/'. Rejected are absolute paths,
/// drive letters, "." and ".." and empty components, control characters, components above 200 bytes,
/// more than 16 components, and the ending ".part", which is the launcher's own.
/// Throws: problem (unsafe_path) with a sentence that starts with `whose`.
[[nodiscard]] std::filesystem::path safe_relative_path(std::string_view name,
                                                       std::string const& whose);

/// `text` with control characters escaped, cut to a length that a terminal can bear.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace launcher
