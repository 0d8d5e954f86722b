// SPDX-License-Identifier: BSL-1.0
#pragma once

// What tests of metrics wrap, and what they look at.

#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/retry/backoff.hpp>
#include <recoup/retry/retry.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <string_view>

namespace observe_test {

inline auto const at_once =
    recoup::retry{.max_attempts = 3, .backoff = recoup::constant(std::chrono::milliseconds{0})};

/// Every operation is timed, and its overhead measured.
inline auto const time_all = recoup::metrics_options{.time_one_in = 1, .overhead_one_in = 1};

inline recoup::failure transient() { return recoup::failure{recoup::category::network_connection}; }
inline recoup::failure permanent() { return recoup::failure{recoup::category::permission}; }

/// Succeeds where it is told to, with the number that it is given.
inline auto const succeed_if = [](bool well) -> recoup::result<int> {
    if (well) return 1;
    return permanent();
};

/// What a snapshot has of one name.
inline recoup::watched_metrics look_at(recoup::metrics& counted, std::string_view name) {
    auto const all = counted.snapshot();
    auto const* const found = all.find(name);
    REQUIRE(found != nullptr);
    return *found;
}

}  // namespace observe_test
