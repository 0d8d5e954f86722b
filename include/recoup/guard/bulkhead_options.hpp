// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace recoup::inline v1 {

/// How many attempts a `bulkhead` lets run and wait: plain data.
struct bulkhead_options {
    std::uint32_t at_once = 10;  ///< attempts that run at a time: 1 or more
    std::uint32_t waiting = 0;  ///< attempts that wait for one of them to end; the rest is rejected
    /// How long one waits, at the most; a deadline and a stop request end that, too.
    duration wait_at_most = unlimited;

    friend bool operator==(bulkhead_options const&, bulkhead_options const&) = default;
};

namespace detail {

/// Returns: `options`.
/// Throws: std::invalid_argument that names the option, its value and what it may be.
inline bulkhead_options const& checked(bulkhead_options const& options) {
    constexpr auto most = std::uint32_t{1'000'000};
    auto const refuse = [](char const* option, std::string const& value,
                           std::string const& expected) {
        throw std::invalid_argument{std::string{"recoup: bulkhead: "} + option + " is " + value +
                                    ", expected " + expected};
    };
    if (options.at_once == 0 || options.at_once > most)
        refuse("at_once", std::to_string(options.at_once), "1 to " + std::to_string(most));
    if (options.waiting > most)
        refuse("waiting", std::to_string(options.waiting), "0 to " + std::to_string(most));
    if (options.wait_at_most < duration{})
        refuse("wait_at_most", std::to_string(options.wait_at_most.count()) + " ns", "0 or more");
    return options;
}

}  // namespace detail

}  // namespace recoup::inline v1
