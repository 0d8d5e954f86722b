// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "launcher_demo/scenario.hpp"

#include <string>

namespace demo {

/// The table, the faults and the times, for people.
[[nodiscard]] std::string report(scenario_result const& result);

/// What is wrong with the result, in sentences; empty when everything is as promised: the launcher
/// succeeded, every checksum is right, and what was unfinished went on where it was.
[[nodiscard]] std::vector<std::string> flaws(scenario_result const& result);

}  // namespace demo
