// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bench::regression {

/// What callgrind has counted of a hot path.
struct count_of_path {
    std::string path{};
    std::string twin{};       ///< the path that does the same without recoup, or empty
    double instructions = 0;  ///< a call

    friend bool operator==(count_of_path const&, count_of_path const&) = default;
};

using counts = std::vector<count_of_path>;

/// The count in one file of callgrind's; `source` names it where it cannot be read.
///
/// Returns: one, or none where the file was written at the end of the program and is of no path.
/// Throws: std::runtime_error that says what was expected.
counts parse_counts(std::string_view text, std::string const& source);

/// All counts of a folder, in the order in which the paths ran.
///
/// Throws: std::runtime_error where there is none, one of them cannot be read, or two are of one path.
counts read_counts(std::string const& folder);

}  // namespace bench::regression
