// SPDX-License-Identifier: BSL-1.0
#pragma once

// What most tests here wrap, and what they wrap it with.

#include <recoup/retry/backoff.hpp>
#include <recoup/retry/retry.hpp>

#include <chrono>
#include <system_error>

namespace with_recovery_test {

inline auto const five = [] { return 5; };

/// Worth another attempt.
inline auto const reset = std::make_error_code(std::errc::connection_reset);

inline auto const at_once =
    recoup::retry{.max_attempts = 3, .backoff = recoup::constant(std::chrono::milliseconds{0})};

/// Waits 10 ms, then 20.
inline auto const by_ten = recoup::retry{
    .max_attempts = 3,
    .backoff = recoup::linear(std::chrono::milliseconds{10}, std::chrono::seconds{1})};

}  // namespace with_recovery_test
