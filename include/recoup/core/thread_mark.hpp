// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace recoup::inline v1::detail {

/// Tells threads apart, and no more.
inline void const* this_thread_mark() noexcept {
    thread_local char const mark = 0;
    return &mark;
}

}  // namespace recoup::inline v1::detail
