// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/window.hpp>

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <string_view>

namespace recoup::inline v1 {

/// What a circuit breaker does with calls.
enum class breaker_state : std::uint8_t {
    closed,     ///< admits all, and watches how they end
    open,       ///< rejects all, until `open_for` is over
    half_open,  ///< admits a few as probes, and decides by how they end
    isolated,   ///< rejects all, until `reset`: somebody said so
};

/// The name of `state`, as in the enumeration.
constexpr std::string_view to_string(breaker_state state) noexcept {
    switch (state) {
        case breaker_state::closed: return "closed";
        case breaker_state::open: return "open";
        case breaker_state::half_open: return "half_open";
        case breaker_state::isolated: return "isolated";
    }
    return "unknown";
}

template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             breaker_state state) {
    return out << to_string(state);
}

/// The failures that say nothing about the health of what is called: it was not reached, or it
/// answered properly that this caller, or this request, is wrong.
///
/// Everything else counts, the unknown too, and also what is exhausted (memory, disk, an allowance):
/// calling on makes that worse.
inline constexpr category_set says_nothing_of_health{
    category::cancelled,      category::permission,
    category::api_permission, category::authentication,
    category::invalid_input,  category::invalid_schema,
    category::invalid_format, category::missing_dependency,
    category::configuration,  category::not_found,
    category::defect,
};

/// The most probes that a circuit breaker may need to decide.
inline constexpr std::uint32_t half_open_permits_max = 1'000;

/// How a `circuit_breaker` decides.
struct circuit_breaker_options {
    /// It opens where this share of the operations in the window has failed: above 0, up to 1.
    double failure_rate = 0.5;
    call_window window = last_calls(100);
    /// It does not open before so many operations were recorded; a window of the last calls is its limit, to
    /// which it is cut.
    std::uint32_t minimum_calls = 100;
    duration open_for = std::chrono::seconds{30};  ///< how long it rejects before it probes
    std::uint32_t half_open_permits = 5;           ///< probes that decide, and the most at a time
    /// It opens again where this share of the probes has failed: above 0, up to 1.
    double half_open_failure_rate = 0.5;
    category_set neutral = says_nothing_of_health;  ///< neither a success nor a failure
    std::string name{};                             ///< for people
    /// It opens, too, where so many operations in a row have failed, however few there were; 0: it does not.
    std::uint32_t consecutive_failures = 0;
    /// An attempt that takes longer is slow, be it a success: two clock reads an attempt. A slow probe counts
    /// as a failed one.
    duration slow_after = unlimited;
    /// It opens where this share of the operations in the window was slow: above 0, up to 1.
    double slow_rate = 1;
    /// Each time that its probes fail it stays open so much longer, up to `open_for_max`: 1 or more.
    double open_growth = 1;
    duration open_for_max = std::chrono::minutes{10};

    friend bool operator==(circuit_breaker_options const&,
                           circuit_breaker_options const&) = default;
};

namespace detail {

/// Returns: `options`.
/// Throws: std::invalid_argument that names the option, its value and what it may be.
inline circuit_breaker_options const& checked(circuit_breaker_options const& options) {
    auto const refuse = [](char const* option, std::string const& value,
                           std::string const& expected) {
        throw std::invalid_argument{std::string{"recoup: circuit_breaker: "} + option + " is " +
                                    value + ", expected " + expected};
    };
    // Written so that NaN is refused.
    auto const is_rate = [](double rate) { return rate > 0 && rate <= 1; };
    auto const rates = "a share above 0 and up to 1";
    if (!is_rate(options.failure_rate))
        refuse("failure_rate", std::to_string(options.failure_rate), rates);
    if (!is_rate(options.half_open_failure_rate))
        refuse("half_open_failure_rate", std::to_string(options.half_open_failure_rate), rates);
    if (options.window.span < duration{})
        refuse("window", std::to_string(options.window.span.count()) + " ns", "above 0");
    if (options.window.span == duration{} &&
        (options.window.calls == 0 || options.window.calls > window_calls_max))
        refuse("window", std::to_string(options.window.calls) + " calls",
               "1 to " + std::to_string(window_calls_max));
    if (options.half_open_permits == 0 || options.half_open_permits > half_open_permits_max)
        refuse("half_open_permits", std::to_string(options.half_open_permits),
               "1 to " + std::to_string(half_open_permits_max));
    if (options.open_for < duration{})
        refuse("open_for", std::to_string(options.open_for.count()) + " ns", "0 or more");
    if (options.slow_after <= duration{})
        refuse("slow_after", std::to_string(options.slow_after.count()) + " ns", "above 0");
    if (!is_rate(options.slow_rate)) refuse("slow_rate", std::to_string(options.slow_rate), rates);
    if (!(options.open_growth >= 1 && options.open_growth <= 1'000))
        refuse("open_growth", std::to_string(options.open_growth), "1 to 1000");
    if (options.open_for_max < duration{})
        refuse("open_for_max", std::to_string(options.open_for_max.count()) + " ns", "0 or more");
    return options;
}

}  // namespace detail

}  // namespace recoup::inline v1
