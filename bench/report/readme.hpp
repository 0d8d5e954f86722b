// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "report/json.hpp"

#include <string>

namespace bench::report_page {

/// The table of figures for README.md, in Markdown.
///
/// Throws std::runtime_error, naming the figure, where `report` lacks one of them.
std::string figures_table(json const& report);

/// `readme` with `table` between its markers `<!-- figures: begin … -->` and `<!-- figures: end -->`.
///
/// Throws std::runtime_error where it has no such pair, or several.
std::string with_figures(std::string const& readme, std::string const& table);

}  // namespace bench::report_page
