// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace recoup::inline v1 {

/// The threads of an `abandon_pool`: plain data.
struct abandon_pool_options {
    /// Attempts that run at a time, those included that were let go: 1 or more. One that finds no thread is
    /// rejected.
    std::uint32_t threads = 8;
    /// How long the end of the pool waits for what still runs.
    duration join_within = std::chrono::seconds{5};
    std::string name{};  ///< what its events call it

    friend bool operator==(abandon_pool_options const&, abandon_pool_options const&) = default;
};

/// How long an `abandon_after` waits: plain data, for a document.
struct abandon_limit {
    duration each = unlimited;

    friend bool operator==(abandon_limit const&, abandon_limit const&) = default;
};

namespace detail {

inline constexpr std::uint32_t abandon_threads_max = 10'000;

/// Returns: `options`.
/// Throws: std::invalid_argument that names the option, its value and what it may be.
inline abandon_pool_options const& checked(abandon_pool_options const& options) {
    auto const refuse = [](char const* option, std::string const& value,
                           std::string const& expected) {
        throw std::invalid_argument{std::string{"recoup: abandon_pool: "} + option + " is " +
                                    value + ", expected " + expected};
    };
    if (options.threads == 0 || options.threads > abandon_threads_max)
        refuse("threads", std::to_string(options.threads),
               "1 to " + std::to_string(abandon_threads_max));
    if (options.join_within < duration{})
        refuse("join_within", std::to_string(options.join_within.count()) + " ns", "0 or more");
    return options;
}

}  // namespace detail

}  // namespace recoup::inline v1
