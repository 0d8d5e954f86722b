// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace recoup::inline v1 {

/// When a `hedge` begins another attempt beside a slow one, and how many: plain data.
struct hedge_options {
    /// How long an attempt is waited for before another one begins beside it. With a `percentile`, only as long
    /// as too few successes are known.
    duration delay = std::chrono::milliseconds{100};
    /// The share of the recent successes that were faster than the delay: 0.5 up to below 1. 0: `delay` it is.
    double percentile = 0;
    duration delay_min = std::chrono::milliseconds{1};  ///< with a percentile: the least delay
    std::uint32_t samples = 256;  ///< with a percentile: the recent successes, 20 to 4096
    std::uint32_t most = 1;       ///< hedges of one attempt: 1 to 10
    double ratio = 0.05;          ///< hedges that each call pays for: 0 to 1
    std::uint32_t reserve = 1;    ///< hedges there are at the beginning
    std::uint32_t at_most = 10;   ///< hedges that are saved up: `reserve` or more

    friend bool operator==(hedge_options const&, hedge_options const&) = default;
};

namespace detail {

/// Successes that must be known before a percentile means anything: with fewer, that of 0.95 is the slowest.
inline constexpr std::uint32_t hedge_samples_min = 20;
inline constexpr std::uint32_t hedge_samples_max = 4'096;
inline constexpr std::uint32_t hedges_max = 10;
inline constexpr std::uint32_t hedges_saved_max = 1'000'000;

/// Returns: `options`.
/// Throws: std::invalid_argument that names the option, its value and what it may be.
inline hedge_options const& checked(hedge_options const& options) {
    auto const refuse = [](char const* option, std::string const& value,
                           std::string const& expected) {
        throw std::invalid_argument{std::string{"recoup: hedge: "} + option + " is " + value +
                                    ", expected " + expected};
    };
    if (options.delay < duration{})
        refuse("delay", std::to_string(options.delay.count()) + " ns", "0 or more");
    if (options.percentile != 0 &&
        !(options.percentile >= 0.5 && options.percentile < 1))  // NaN, too
        refuse("percentile", std::to_string(options.percentile), "0, or 0.5 up to below 1");
    if (options.delay_min < duration{})
        refuse("delay_min", std::to_string(options.delay_min.count()) + " ns", "0 or more");
    if (options.samples < hedge_samples_min || options.samples > hedge_samples_max)
        refuse("samples", std::to_string(options.samples),
               std::to_string(hedge_samples_min) + " to " + std::to_string(hedge_samples_max));
    if (options.most == 0 || options.most > hedges_max)
        refuse("most", std::to_string(options.most), "1 to " + std::to_string(hedges_max));
    if (!(options.ratio >= 0 && options.ratio <= 1))
        refuse("ratio", std::to_string(options.ratio), "0 to 1");
    if (options.at_most > hedges_saved_max)
        refuse("at_most", std::to_string(options.at_most),
               "0 to " + std::to_string(hedges_saved_max));
    if (options.reserve > options.at_most)
        refuse("reserve", std::to_string(options.reserve),
               "0 to at_most (" + std::to_string(options.at_most) + ")");
    return options;
}

}  // namespace detail

}  // namespace recoup::inline v1
