// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/time.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace recoup::inline v1 {

/// The failures that tell of a dependency that has too much to do.
inline constexpr category_set says_overloaded{category::network_timeout,
                                              category::service_unavailable, category::rate_limited,
                                              category::cpu_exhausted};

/// How a `concurrency_limit` finds its limit: plain data.
struct concurrency_limit_options {
    enum class algorithm : std::uint8_t {
        /// Adds one while attempts succeed, and multiplies by `decrease` where one is overloaded or
        /// slower than `slow_after`: needs failures, or a bound of what is slow.
        aimd,
        /// Compares how long attempts take with how long they take where few are under way, and follows
        /// that ratio: finds where the dependency begins to queue, before it fails.
        gradient,
    };
    algorithm found_by = algorithm::gradient;
    std::uint32_t initial = 20;  ///< where it begins
    std::uint32_t least = 1;
    std::uint32_t most = 1'000;
    category_set overloaded =
        says_overloaded;    ///< failures that lower the limit; others say nothing
    double decrease = 0.9;  ///< what an overload multiplies the limit by: 0.5 up to below 1
    duration slow_after = unlimited;  ///< aimd: a success that took longer counts as an overload
    /// gradient: how much longer than with few under way attempts may take on average: 1 to 100.
    double tolerance = 1.25;
    /// gradient: how often it finds out anew how long attempts take with few under way. For 20 attempts it
    /// admits no more than 3 at a time (or `least`) then; the first time it does so at `initial`.
    duration remeasure_every = std::chrono::minutes{1};

    friend bool operator==(concurrency_limit_options const&,
                           concurrency_limit_options const&) = default;
};

namespace detail {

/// Returns: `options`.
/// Throws: std::invalid_argument that names the option, its value and what it may be.
inline concurrency_limit_options const& checked(concurrency_limit_options const& options) {
    constexpr auto most = std::uint32_t{1'000'000};
    auto const refuse = [](char const* option, std::string const& value,
                           std::string const& expected) {
        throw std::invalid_argument{std::string{"recoup: concurrency_limit: "} + option + " is " +
                                    value + ", expected " + expected};
    };
    if (options.least == 0) refuse("least", "0", "1 or more");
    if (options.most < options.least || options.most > most)
        refuse("most", std::to_string(options.most),
               "least (" + std::to_string(options.least) + ") to " + std::to_string(most));
    if (options.initial < options.least || options.initial > options.most)
        refuse("initial", std::to_string(options.initial),
               "least (" + std::to_string(options.least) + ") to most (" +
                   std::to_string(options.most) + ")");
    // Written so that NaN is refused.
    if (!(options.decrease >= 0.5 && options.decrease < 1))
        refuse("decrease", std::to_string(options.decrease), "0.5 up to below 1");
    if (!(options.tolerance >= 1 && options.tolerance <= 100))
        refuse("tolerance", std::to_string(options.tolerance), "1 to 100");
    if (options.slow_after <= duration{})
        refuse("slow_after", std::to_string(options.slow_after.count()) + " ns", "above 0");
    if (options.remeasure_every <= duration{})
        refuse("remeasure_every", std::to_string(options.remeasure_every.count()) + " ns",
               "above 0");
    return options;
}

}  // namespace detail

}  // namespace recoup::inline v1
