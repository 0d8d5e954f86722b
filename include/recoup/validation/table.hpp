// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/detail/short_text.hpp>
#include <recoup/detail/text_table.hpp>
#include <recoup/validation/detail/text.hpp>
#include <recoup/validation/finding.hpp>
#include <recoup/validation/remark.hpp>
#include <recoup/validation/verdict.hpp>

#include <cmath>
#include <iosfwd>
#include <optional>
#include <string>

namespace recoup::inline v1::validation {

namespace detail {

/// `met`, `MISSED` and `too noisy to tell`: what is missed should be seen.
inline std::string said(finding found) {
    switch (found) {
        case finding::met: return "met";
        case finding::missed: return "MISSED";
        case finding::too_noisy_to_tell: break;
    }
    return "too noisy to tell";
}

inline std::string within(std::optional<interval> const& where, auto text) {
    return where ? " (" + text(where->low) + " … " + text(where->high) + ")" : std::string{};
}

/// `3.4 % to spare`, `2.1 % too much`.
inline std::string margin(double left, std::string size, char const* where_missed) {
    return size + (left >= 0 ? " to spare" : std::string{" "} + where_missed);
}

/// A line for each requirement.
inline std::string requirements_text(verdict const& shown) {
    auto const as_percent = [](double share) { return percent(share); };
    auto table = recoup::detail::text_table{};
    table.add({"", "measured", "wanted", "margin", ""});

    auto const& overhead = shown.overhead;
    if (overhead.rounds == 0) {
        table.add({"overhead", "not measured", "< " + percent(shown.wanted.overhead_below, 1), "",
                   said(overhead.found)});
    } else {
        auto const left = shown.wanted.overhead_below - overhead.added.median;
        table.add({"overhead", percent(overhead.added.median) + within(overhead.median, as_percent),
                   "< " + percent(shown.wanted.overhead_below, 1),
                   margin(left, percent(std::abs(left)), "too much"), said(overhead.found)});
    }
    auto const& memory = shown.memory;
    if (memory.growth) {
        auto const left = shown.wanted.memory_below - *memory.growth;
        table.add({"memory", megabytes(*memory.growth), "< " + megabytes(shown.wanted.memory_below),
                   margin(left > 0 ? 1 : -1, megabytes(std::abs(left)), "too much"),
                   said(memory.found)});
    } else {
        table.add({"memory", "not told by this system", "< " + megabytes(shown.wanted.memory_below),
                   "", said(memory.found)});
    }
    auto const& recovery = shown.recovery;
    auto const bound = "< " + recoup::detail::short_span(shown.wanted.recovery_below);
    if (recovery.recovered == 0) {
        table.add({"recovery", "nothing recovered", bound, "", said(recovery.found)});
    } else {
        auto const left = shown.wanted.recovery_below - recovery.median;
        table.add({"recovery",
                   recoup::detail::short_span(recovery.median) + within(recovery.median_ns, span),
                   bound,
                   margin(left > duration{} ? 1 : -1,
                          recoup::detail::short_span(left < duration{} ? -left : left), "too long"),
                   said(recovery.found)});
    }
    auto const& success = shown.success;
    auto const above = success.rate() - shown.wanted.success_at_least;
    table.add({"success", percent(success.rate()) + within(success.share, as_percent),
               ">= " + percent(shown.wanted.success_at_least, 1),
               margin(above, percent(std::abs(above)), "too little"), said(success.found)});

    return table.text();
}

/// What the lines rest on.
inline std::string figures_text(verdict const& shown) {
    auto const as_percent = [](double share) { return percent(share); };
    auto const& overhead = shown.overhead;
    auto const& memory = shown.memory;
    auto const& recovery = shown.recovery;
    auto const& success = shown.success;
    std::string text;
    if (overhead.rounds != 0)
        text += "overhead: bare " + span(overhead.bare_ns.median) + ", decorated " +
                span(overhead.decorated_ns.median) + " a call, " + std::to_string(overhead.rounds) +
                " rounds; bare beside bare " + percent(overhead.control.median) +
                within(overhead.control_median, as_percent) + '\n';
    text += "memory: " + std::to_string(memory.calls) + " calls, " + megabytes(memory.late_growth) +
            " of it in their second half; the bare callable alone " +
            megabytes(memory.callable_growth) + '\n';
    if (recovery.recovered != 0)
        text += "recovery: of " + std::to_string(recovery.recovered) + ", p99 " +
                recoup::detail::short_span(recovery.p99) + ", longest " +
                recoup::detail::short_span(recovery.longest) + "; waits that the policy chose " +
                recoup::detail::short_span(recovery.waits) + ", all else " +
                recoup::detail::short_span(recovery.rest) + '\n';
    text += "success: " + std::to_string(success.succeeded) + " of " +
            std::to_string(success.operations) + " that can be cured, where " +
            percent(shown.failure_rate, 1) + " of the attempts fail; " +
            std::to_string(success.attempts) +
            (success.attempts == 1 ? " attempt makes " : " attempts make ") +
            percent(success.arithmetic) + " possible; " + number_text(success.amplification()) +
            " calls an operation, by the arithmetic " + number_text(success.arithmetic_calls) +
            '\n';
    if (success.permanent != 0)
        text += "permanent: " + std::to_string(success.permanent) +
                " operations that nothing can cure, " + std::to_string(success.permanent_calls) +
                " calls\n";
    return text;
}

inline std::string verdict_text(verdict const& shown) {
    auto text = requirements_text(shown) + figures_text(shown);
    for (auto const& one : shown.remarks)
        ((((text += to_string(one.kind)) += ": ") += one.text) += '\n');
    text += "seed " + std::to_string(shown.seed) + ", " + recoup::detail::short_span(shown.took) +
            ": " +
            (shown.met()      ? "all requirements met"
             : shown.missed() ? "requirements NOT met"
                              : "not all requirements could be told") +
            '\n';
    return text;
}

}  // namespace detail

/// As a table, a line for each requirement, with the figures behind them and all remarks below it.
template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             verdict const& shown) {
    return out << detail::verdict_text(shown).c_str();
}

}  // namespace recoup::inline v1::validation
