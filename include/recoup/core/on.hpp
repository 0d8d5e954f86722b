// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>

#include <stop_token>
#include <utility>

namespace recoup::inline v1 {

/// A clock to use instead of the machine's. Made by `on`.
template <clock Clock>
struct clock_choice {
    Clock* port;
};

/// Takes time from `port`, which must outlive the wrapper. Example: `on(manual_clock)`.
template <clock Clock>
[[nodiscard]] clock_choice<Clock> on(Clock& port) noexcept {
    return {&port};
}

/// A token that ends operations. Made by `stop_on`.
struct stop_choice {
    std::stop_token token;
};

/// Ends operations when a stop is requested: no further attempt is begun, and waits end at once.
[[nodiscard]] inline stop_choice stop_on(std::stop_token token) noexcept {
    return {std::move(token)};
}

}  // namespace recoup::inline v1
