// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>

#include <tuple>

namespace recoup::inline v1::detail {

/// By space, then name, then key, byte by byte. Transparent: maps are searched without making strings.
struct identity_order {
    using is_transparent = void;
    bool operator()(operation_ref left, operation_ref right) const noexcept {
        return std::tie(left.space, left.name, left.key) <
               std::tie(right.space, right.name, right.key);
    }
};

}  // namespace recoup::inline v1::detail
