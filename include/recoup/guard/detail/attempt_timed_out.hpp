// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/failure.hpp>

namespace recoup::inline v1::detail {

/// What an attempt fails with that has taken longer than it may.
inline failure attempt_timed_out() noexcept {
    return failure{category::network_timeout, errc::attempt_timed_out};
}

/// The same, where it had a failure of its own in the end.
inline failure attempt_timed_out(failure const& late) {
    return failure{category::network_timeout, errc::attempt_timed_out,
                   "the attempt took longer than it may, and ended with: " + late.message()};
}

}  // namespace recoup::inline v1::detail
