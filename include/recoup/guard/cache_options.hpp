// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace recoup::inline v1 {

/// What a `cache` keeps, and for how long: plain data.
struct cache_options {
    std::size_t capacity = 1'024;  ///< results at a time: 1 to 10 million
    /// How long a success is returned again. 0: to nobody but those who wait for it; `unlimited`: until it makes
    /// room for another one.
    duration time_to_live = std::chrono::minutes{1};
    duration failures_for{};  ///< how long a failure is; 0: to nobody but those who wait for it
    /// How much longer than `time_to_live` a success stands in for a failure.
    duration stale_if_error{};
    /// How long a call waits for an equal one that runs, before it is made beside that; 0: it does not wait.
    duration wait_at_most = std::chrono::seconds{30};

    friend bool operator==(cache_options const&, cache_options const&) = default;
};

namespace detail {

inline constexpr std::size_t cache_capacity_max = 10'000'000;

/// Returns: `options`.
/// Throws: std::invalid_argument that names the option, its value and what it may be.
inline cache_options const& checked(cache_options const& options) {
    auto const refuse = [](char const* option, std::string const& value,
                           std::string const& expected) {
        throw std::invalid_argument{std::string{"recoup: cache: "} + option + " is " + value +
                                    ", expected " + expected};
    };
    auto const not_negative = [&](char const* option, duration span) {
        if (span < duration{}) refuse(option, std::to_string(span.count()) + " ns", "0 or more");
    };
    if (options.capacity == 0 || options.capacity > cache_capacity_max)
        refuse("capacity", std::to_string(options.capacity),
               "1 to " + std::to_string(cache_capacity_max));
    not_negative("time_to_live", options.time_to_live);
    not_negative("failures_for", options.failures_for);
    not_negative("stale_if_error", options.stale_if_error);
    not_negative("wait_at_most", options.wait_at_most);
    return options;
}

}  // namespace detail

}  // namespace recoup::inline v1
