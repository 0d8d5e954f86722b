// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "report/json.hpp"

#include <string>

namespace bench::report_page {

/// The report as one HTML page that needs nothing else: no script, no font, no network.
std::string page(json const& report);

}  // namespace bench::report_page
