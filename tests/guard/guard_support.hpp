// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/guard/rate_limiter.hpp>
#include <recoup/testing/manual_clock.hpp>

namespace guard_test {

/// How many are admitted before the first rejection.
inline int burst_of(recoup::rate_limiter& limiter, recoup::testing::manual_clock& clock) {
    auto admitted = 0;
    while (admitted < 10'000 && limiter.try_acquire(clock)) ++admitted;
    return admitted;
}

}  // namespace guard_test
