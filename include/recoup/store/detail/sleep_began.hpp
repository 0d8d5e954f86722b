// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

namespace recoup::inline v1::detail {

/// When an operation that is due at `due` was put to sleep for `delay`: `due - delay`, which stops at the
/// end of the range instead of wrapping.
inline system_time sleep_began(system_time due, duration delay) noexcept {
    // The least duration has no negative of its own.
    return saturating_add(due, delay == duration::min() ? duration::max() : -delay);
}

}  // namespace recoup::inline v1::detail
