// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace recoup::inline v1::detail {

/// Stands where something is not needed.
struct nothing {};

}  // namespace recoup::inline v1::detail
