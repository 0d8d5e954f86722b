// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/short_text.hpp>
#include <recoup/detail/text_table.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/observe/histogram.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace recoup::inline v1 {

/// What a gauge counts.
enum class gauge_unit : std::uint8_t { number, bytes };

/// What was seen of one watched name.
struct watched_metrics {
    std::string name;  ///< printable: escaped, and without credentials

    // Exact.
    std::uint64_t operations = 0;  ///< that have begun
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;
    std::uint64_t abandoned =
        0;  ///< coroutines that were destroyed, calls whose thread was cancelled
    std::uint64_t attempts = 0;
    std::uint64_t retries = 0;
    std::uint64_t rejections = 0;  ///< attempts that a guard did not admit
    std::uint64_t recovered = 0;   ///< operations that succeeded after a failed attempt
    std::array<std::uint64_t, event_kind_count> events{};         ///< all, by `event_kind`
    std::array<std::uint64_t, category_count> failed_attempts{};  ///< by `category`
    std::array<std::uint64_t, stop_reason_count> stops{};         ///< of `failed`, by `stop_reason`

    // Of the operations that were measured: those that made an attempt.
    latency_histogram latency;   ///< from the call to its end, waits included
    latency_histogram smooth;    ///< the same, of those without a failed attempt
    latency_histogram recovery;  ///< from the first failure to the success; of all `recovered`
    std::uint64_t measured = 0;  ///< whose overhead was
    duration own{};              ///< of these, the time of the library: neither callable nor waits
    duration callable{};         ///< and that of the callable

    [[nodiscard]] std::uint64_t count(event_kind kind) const noexcept {
        return events[static_cast<std::size_t>(kind)];
    }
    [[nodiscard]] std::uint64_t count(category what) const noexcept {
        return failed_attempts[static_cast<std::size_t>(what)];
    }
    [[nodiscard]] std::uint64_t count(stop_reason why) const noexcept {
        return stops[static_cast<std::size_t>(why)];
    }

    /// The share of operations that succeeded, of those that ended and were not cancelled; nothing where
    /// there are none.
    [[nodiscard]] std::optional<double> success() const noexcept {
        auto const cancelled = std::min(count(stop_reason::cancelled), failed);
        auto const ended = succeeded + failed - cancelled;
        if (ended == 0) return std::nullopt;
        return static_cast<double>(succeeded) / static_cast<double>(ended);
    }

    /// What the library added, as a share of the callable's time; nothing where nothing was measured.
    [[nodiscard]] std::optional<double> overhead() const noexcept {
        if (callable <= duration{}) return std::nullopt;
        return static_cast<double>(own.count()) / static_cast<double>(callable.count());
    }
};

/// What a gauge said.
struct gauge_reading {
    std::string name;
    std::optional<double> value;  ///< nothing where it threw
    gauge_unit unit = gauge_unit::number;
};

/// The state of a circuit breaker.
struct breaker_reading {
    std::string name;
    breaker_state state{};
};

/// What metrics had counted at a moment. Operations that run meanwhile may be counted in part: as begun and not
/// yet as ended, never the other way round.
struct metrics_snapshot {
    std::vector<watched_metrics> watched;   ///< in the order of their first `watch`
    std::vector<gauge_reading> gauges;      ///< in the order in which they were added
    std::vector<breaker_reading> breakers;  ///< the same
    std::size_t memory = 0;                 ///< bytes that metrics itself takes
    std::uint64_t alerts_raised = 0;
    std::uint64_t alerts_cleared = 0;
    std::uint64_t alerts_put_off =
        0;  ///< evaluations in which one was due and would have been too many

    /// What was seen of a name, or null.
    [[nodiscard]] watched_metrics const* find(std::string_view name) const noexcept {
        for (auto const& one : watched)
            if (one.name == name) return &one;
        return nullptr;
    }
};

namespace detail {

/// `title: this 3, that 1`, of the counts that are not zero; nothing where all are.
template <class Kind, std::size_t Count>
std::string count_line(std::string_view title, std::array<std::uint64_t, Count> const& counts) {
    std::string line;
    for (std::size_t i = 0; i != Count; ++i) {
        if (counts[i] == 0) continue;
        line += line.empty() ? "  " + std::string{title} + ": " : ", ";
        line += std::string{to_string(static_cast<Kind>(i))} + ' ' + std::to_string(counts[i]);
    }
    return line.empty() ? line : line + '\n';
}

inline std::string snapshot_text(metrics_snapshot const& shown) {
    auto const number = [](std::uint64_t value) { return std::to_string(value); };
    auto const span = [](latency_histogram const& of, duration value) {
        return of.count() == 0 ? std::string{"-"} : short_span(value);
    };
    auto table = text_table{};
    table.add({"name", "operations", "success", "failed", "attempts", "retries", "rejected", "p50",
               "p99", "max", "recovery p99", "overhead"});
    for (auto const& one : shown.watched)
        table.add({one.name, number(one.operations), short_share(one.success()), number(one.failed),
                   number(one.attempts), number(one.retries), number(one.rejections),
                   span(one.latency, one.latency.quantile(0.5)),
                   span(one.latency, one.latency.quantile(0.99)),
                   span(one.latency, one.latency.longest()),
                   span(one.recovery, one.recovery.quantile(0.99)), short_share(one.overhead())});
    auto text = shown.watched.empty() ? std::string{} : table.text();
    for (auto const& one : shown.watched) {
        auto const why = count_line<category>("failed attempts", one.failed_attempts) +
                         count_line<stop_reason>("stopped", one.stops);
        if (!why.empty()) text += one.name + '\n' + why;
    }
    auto gauges = text_table{};
    for (auto const& one : shown.breakers)
        gauges.add({one.name, std::string{to_string(one.state)}});
    for (auto const& one : shown.gauges)
        gauges.add({one.name, (one.value ? short_number(*one.value) : std::string{"failed"}) +
                                  (one.unit == gauge_unit::bytes ? " B" : "")});
    text += gauges.text();
    text += "metrics: " + std::to_string(shown.memory) + " B";
    if (shown.alerts_raised != 0)
        text += "; alerts: " + number(shown.alerts_raised) + " raised, " +
                number(shown.alerts_cleared) + " cleared";
    return text + '\n';
}

}  // namespace detail

/// As a table, a line for each name, and what else there is below it.
template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             metrics_snapshot const& shown) {
    return out << detail::snapshot_text(shown).c_str();
}

}  // namespace recoup::inline v1
