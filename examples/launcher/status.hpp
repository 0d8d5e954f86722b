// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "launcher/state.hpp"

#include <string>

namespace launcher {

/// The state as a table for people.
[[nodiscard]] std::string status_table(recoup::sqlite_store& store);

/// The state as JSON, for programs.
[[nodiscard]] std::string status_json(recoup::sqlite_store& store);

}  // namespace launcher
