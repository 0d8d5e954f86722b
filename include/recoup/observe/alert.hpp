// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/redact.hpp>
#include <recoup/core/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string_view>

namespace recoup::inline v1 {

/// What an alert is about.
enum class alert_kind : std::uint8_t {
    overhead,       ///< the library's own time, as a share of the time of the callable
    success,        ///< the share of operations that succeed
    recovery,       ///< seconds from the first failure of an operation to its success, on average
    memory,         ///< bytes
    open_breakers,  ///< how many circuit breakers admit nothing
};

/// The name of `what`, as in the enumeration.
constexpr std::string_view to_string(alert_kind what) noexcept {
    switch (what) {
        case alert_kind::overhead: return "overhead";
        case alert_kind::success: return "success";
        case alert_kind::recovery: return "recovery";
        case alert_kind::memory: return "memory";
        case alert_kind::open_breakers: return "open_breakers";
    }
    return "unknown";
}

/// When to raise an alert: only bounds that are set are looked at.
///
/// `overhead_above`, `success_below` and `recovery_above` are about the operations of one watched name in the
/// last `window`, for each name by itself; the others are about the metrics object.
struct alert_rule {
    std::optional<double> overhead_above{};
    std::optional<double> success_below{};  ///< operations that were cancelled are none here
    std::optional<duration> recovery_above{};
    std::optional<std::size_t> memory_above{};  ///< of metrics itself and of gauges in bytes
    std::optional<std::size_t> open_breakers_above{};

    duration window = std::chrono::seconds{10};
    /// Fewer operations in the window say nothing: what is raised stays raised, and nothing is raised.
    std::uint64_t minimum_calls = 20;
    /// How far on the good side of its bound a value has to be for the alert to be cleared, as a share of the
    /// bound (of what is missing to 1, for `success_below`).
    double clear_margin = 0.1;
    /// At most so many alerts of this rule are raised in `per`; another waits until it may be, and is
    /// forgotten if it is over by then.
    std::uint32_t at_most = 10;
    duration per = std::chrono::minutes{1};
};

/// A bound of a rule is crossed, or no longer. Valid only during the call that it is given to.
struct alert {
    alert_kind what{};
    bool raised = true;       ///< false: it is cleared, once for each that was raised
    std::string_view name{};  ///< the watched name, printable; empty where it is about all
    double value = 0;
    double bound = 0;
    std::uint64_t calls = 0;  ///< operations in the window; zero where it is about all
    steady_time when{};
};

/// Example: `raised: success of fetch-page is 0.75, below 0.9 (40 calls)`.
template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             alert const& shown) {
    out << (shown.raised ? "raised: " : "cleared: ") << to_string(shown.what);
    if (!shown.name.empty()) out << " of " << escape(shown.name).c_str();
    out << " is " << shown.value;
    if (shown.raised)
        out << (shown.what == alert_kind::success ? ", below " : ", above ") << shown.bound;
    else
        out << ", the bound is " << shown.bound;
    if (shown.calls != 0) out << " (" << shown.calls << " calls)";
    return out;
}

}  // namespace recoup::inline v1
