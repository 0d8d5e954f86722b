// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "durable/scenario.hpp"

#include <string>
#include <vector>

namespace orders {

/// The table: one line for each place where an order was killed.
[[nodiscard]] std::string report(std::vector<outcome> const& all);

/// What is not as promised, in sentences; empty when no recorded step ran again, only the step in
/// flight ran twice, and every result is right.
[[nodiscard]] std::vector<std::string> flaws(std::vector<outcome> const& all);

}  // namespace orders
