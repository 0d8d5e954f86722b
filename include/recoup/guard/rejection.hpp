// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/stop_reason.hpp>

namespace recoup::inline v1 {

/// What an attempt that a guard does not admit fails with. A guard names its own as
/// `static constexpr guard_rejection rejection`; without one it is this default.
struct guard_rejection {
    recoup::category category = recoup::category::service_unavailable;
    errc code = errc::rejected;
    stop_reason why = stop_reason::rejected;
};

namespace detail {

template <class G>
constexpr guard_rejection rejection_of() noexcept {
    if constexpr (requires { guard_rejection{G::rejection}; })
        return G::rejection;
    else
        return {};
}

}  // namespace detail

}  // namespace recoup::inline v1
