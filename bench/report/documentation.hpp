// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "report/json.hpp"

#include <string>
#include <vector>

namespace bench::report_page {

/// What differs between `report` and docs/report.md, a line each: a field that is not documented, or has
/// another type; a documented one that is not there.
std::vector<std::string> differences(json const& report, std::string const& documentation);

}  // namespace bench::report_page
