// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace recoup::inline v1 {

/// How many calls a rate limiter admits, and how it counts them: plain data.
struct rate_limit {
    enum class method : std::uint8_t {
        token_bucket,    ///< evenly, with a burst after a rest
        sliding_window,  ///< so many in any span of time, and not one more
    };
    method counted_by = method::token_bucket;
    std::uint32_t calls = 1;
    duration per{};
    std::uint32_t burst = 1;  ///< token bucket: the most calls at once, after a rest
    /// How long a call that comes too early waits for its turn; it is rejected at once where that is
    /// longer, or does not fit into its deadline.
    duration wait_at_most{};

    /// The same limit, with calls that wait for their turn.
    [[nodiscard]] constexpr rate_limit waiting(duration at_most) const noexcept {
        auto changed = *this;
        changed.wait_at_most = at_most;
        return changed;
    }

    friend bool operator==(rate_limit const&, rate_limit const&) noexcept = default;
};

/// The most calls of a sliding window: 8 bytes are kept of each.
inline constexpr std::uint32_t sliding_window_calls_max = 65'536;

/// The longest span of a rate limit: ten years.
inline constexpr duration rate_limit_span_max = std::chrono::hours{24 * 3'652};

/// `calls` in `per` on average: a token drops into the bucket every `per / calls`, a call takes one,
/// and the bucket holds `burst`. In a span of that length up to `calls + burst` may pass.
constexpr rate_limit token_bucket(std::uint32_t calls, duration per, std::uint32_t burst) noexcept {
    return {rate_limit::method::token_bucket, calls, per, burst, duration{}};
}

/// A bucket that holds as many as drop into it in `per`.
constexpr rate_limit token_bucket(std::uint32_t calls, duration per) noexcept {
    return token_bucket(calls, per, calls);
}

/// At most `calls` in any span of `per`, wherever it begins: what services promise to refuse beyond.
constexpr rate_limit sliding_window(std::uint32_t calls, duration per) noexcept {
    return {rate_limit::method::sliding_window, calls, per, calls, duration{}};
}

namespace detail {

/// Returns: `limit`.
/// Throws: std::invalid_argument that names what is wrong, its value and what it may be.
inline rate_limit const& checked(rate_limit const& limit) {
    auto const refuse = [](char const* what, std::string const& value,
                           std::string const& expected) {
        throw std::invalid_argument{std::string{"recoup: rate_limiter: "} + what + " is " + value +
                                    ", expected " + expected};
    };
    auto const sliding = limit.counted_by == rate_limit::method::sliding_window;
    if (limit.calls == 0) refuse("calls", "0", "1 or more");
    if (sliding && limit.calls > sliding_window_calls_max)
        refuse("calls", std::to_string(limit.calls),
               "1 to " + std::to_string(sliding_window_calls_max) + " in a sliding window");
    if (!sliding && limit.burst == 0) refuse("burst", "0", "1 or more");
    if (limit.per <= duration{} || limit.per > rate_limit_span_max)
        refuse("per", std::to_string(limit.per.count()) + " ns", "above 0, up to ten years");
    if (!sliding && limit.per.count() < limit.calls)
        refuse("per", std::to_string(limit.per.count()) + " ns",
               "a nanosecond or more for each of its " + std::to_string(limit.calls) + " calls");
    if (limit.wait_at_most < duration{})
        refuse("wait_at_most", std::to_string(limit.wait_at_most.count()) + " ns", "0 or more");
    return limit;
}

}  // namespace detail

}  // namespace recoup::inline v1
