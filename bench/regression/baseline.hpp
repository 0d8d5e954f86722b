// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "regression/counts.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench::regression {

/// How far a figure may be from the baseline's.
///
/// Counts have no noise. What the tolerance is for is not the library's: a release of the compiler or of the
/// standard library that generates a little other code. It is a third of the slowdown that must be caught.
struct tolerance {
    double percent = 3;
    /// Of a count: so much is no difference, where a call takes but a few instructions.
    double instructions = 1;
    /// Of a ratio to the twin, which two counts move.
    double ratio_percent = 5;
    /// Of a ratio, above the greatest that is known, where this toolchain has no baseline: compilers differ.
    double other_ratio_percent = 50;
};

/// Instructions a call of each path, by one compiler with its libraries.
struct toolchain_counts {
    std::string toolchain{};
    std::vector<std::pair<std::string, double>> instructions{};

    [[nodiscard]] std::optional<double> find(std::string_view path) const;
};

/// What is committed as bench/regression/baseline.json.
struct baseline {
    tolerance allowed{};
    std::vector<toolchain_counts> toolchains{};

    [[nodiscard]] toolchain_counts const* find(std::string_view toolchain) const;
};

/// Reads one; `source` names it where it is wrong.
///
/// Throws: std::runtime_error with the path of the field that is wrong, what it is, and what was expected.
baseline parse_baseline(std::string_view text, std::string const& source);

/// The text of one, as `parse_baseline` reads it.
std::string to_text(baseline const& what);

/// Makes `found` the counts of `toolchain`, rounded as they are written.
///
/// Returns: what has changed, a line each.
std::vector<std::string> accept(baseline& into, std::string const& toolchain, counts const& found);

}  // namespace bench::regression
