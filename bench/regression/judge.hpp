// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "regression/baseline.hpp"
#include "regression/counts.hpp"

#include <optional>
#include <string>
#include <vector>

namespace bench::regression {

/// What a figure is, beside the one that is committed.
enum class verdict {
    kept,         ///< within the tolerance
    faster,       ///< by more than that: the baseline would let it slip back
    slower,       ///< by more than that: a regression
    not_known,    ///< the baseline has no such path
    not_counted,  ///< the baseline has a path that did not run
    not_judged,   ///< there is no baseline for the toolchain
};

/// One line of the table: a count, or a ratio to the twin.
struct judged {
    std::string what{};
    std::optional<double> before{};
    std::optional<double> now{};
    verdict found = verdict::kept;
};

/// All lines, and what they come to.
struct judgement {
    std::string toolchain{};
    bool known = true;  ///< there is a baseline for the toolchain
    std::vector<judged> rows{};

    [[nodiscard]] bool has(verdict which) const;
};

/// Compares `found` with the counts of `toolchain`. Without such, only ratios are judged, by the greatest of
/// other toolchains.
judgement judge(baseline const& against, std::string const& toolchain, counts const& found);

/// A table, and below it what to do.
std::string to_text(judgement const& of);

/// 0 nothing is slower, 1 something is, 2 the paths are not those of the baseline, 77 there is no baseline.
int exit_status(judgement const& of);

}  // namespace bench::regression
