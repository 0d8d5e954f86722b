// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "report/json.hpp"

#include <string>
#include <vector>

namespace bench::report_page {

/// A plot, and what one should see in it.
struct figure {
    std::string title;
    std::string says;
    std::string picture;  ///< SVG
};

/// What can be drawn of `report`: a plot whose series is not there is left out.
std::vector<figure> plots(json const& report);

}  // namespace bench::report_page
