// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "report/json.hpp"
#include "report/svg.hpp"

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace bench::report_page {

/// A figure with its spread, beside its name.
struct row {
    std::string label{};
    double value = 0;
    double low = 0;
    double high = 0;
    std::string shown{};
    std::string tip{};
    std::string kind = "first";  ///< its colour
    shape form = shape::circle;
};

struct row_group {
    std::string title{};
    std::vector<row> rows{};
};

/// One sample of a legend.
struct legend_entry {
    std::string label{};
    std::string kind{};
    shape form = shape::circle;
};

struct row_plan {
    std::string id{};
    std::string title{};
    std::string description{};
    std::string unit{};             ///< of the axis
    double least = 0;               ///< of the axis; what is less lies there
    std::optional<double> most{};   ///< of the axis, at least
    std::optional<double> bound{};  ///< a line to stay on the left of
    std::string bound_label{};
    std::vector<legend_entry> legend{};
    double labels_width = 150;
};

/// Rows of marks on one logarithmic axis.
std::string draw_rows(row_plan const& how, std::vector<row_group> const& groups);

/// Samples in a line from `x` on.
void draw_legend(svg& into, double x, double y, std::vector<legend_entry> const& entries);

/// `{median, min, max}`, or a mere number.
std::optional<row> row_of(json const& spread);

}  // namespace bench::report_page
