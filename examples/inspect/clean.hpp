// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "inspect/store.hpp"

#include <recoup/core/time.hpp>

#include <cstddef>
#include <optional>

namespace inspect {

/// Removes what has ended and expired; with `older_than` also what has ended, and was not changed for so
/// long, although it has not expired. What runs, waits, or is blocked or dead stays.
///
/// Returns: how many entries. Throws: problem.
std::size_t clean(store& in, std::optional<recoup::duration> older_than, recoup::system_time now);

}  // namespace inspect
