// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "async_client/scenario.hpp"

#include <string>
#include <vector>

namespace async_client {

/// A table of what happened, for people.
[[nodiscard]] std::string report(scenario_result const& result);

/// What is not as promised, in sentences; empty where every request was answered rightly, although the server
/// was seen dead and silent.
[[nodiscard]] std::vector<std::string> flaws(scenario_result const& result);

}  // namespace async_client
