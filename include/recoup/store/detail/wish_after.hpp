// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/durable_store.hpp>

namespace recoup::inline v1::detail {

/// Whether a wish to cancel is noted after a write of a head, where one was `noted` before. Pre: it has a
/// head.
inline bool wish_after(bool noted, operation_write const& what) noexcept {
    return what.head->cancel_requested || (noted && !what.drop_wish);
}

}  // namespace recoup::inline v1::detail
