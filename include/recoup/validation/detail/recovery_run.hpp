// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/detail/short_text.hpp>
#include <recoup/validation/detail/faults.hpp>
#include <recoup/validation/finding.hpp>
#include <recoup/validation/options.hpp>
#include <recoup/validation/remark.hpp>
#include <recoup/validation/statistics.hpp>
#include <recoup/validation/verdict.hpp>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace recoup::inline v1::validation::detail {

/// So many operations are made at the most for one recovery: where they are fewer, they are as good as none.
inline constexpr std::uint64_t operations_a_recovery = 50;

inline duration span_of(double nanoseconds) noexcept { return duration{std::llround(nanoseconds)}; }

/// How long it takes from the first failure of a call to its success, on the clock of the measurement.
template <class Trial>
void run_recovery(Trial& trial, verdict& into, double share_of_time) {
    auto& made = into.recovery;
    auto time = typename Trial::trial_clock_type{trial.clock(), trial.given.seed, false};
    auto const by = std::make_shared<faults>(trial.given, trial.given.failure_rate);
    auto const seen = std::make_shared<typename Trial::watch_type>(time);
    auto const call = trial.failing(by, seen, time);

    std::vector<double> took;
    std::vector<double> waits;
    std::vector<double> rest;
    auto left = trial.given.recoveries * operations_a_recovery;
    for (; left != 0 && took.size() != trial.given.recoveries && !trial.spent(share_of_time);
         --left) {
        seen->begin_operation();
        auto with = trial.arguments(trial.take_numbers(1));
        auto const outcome = Trial::call_decorated(call, with);
        auto const failed_at = seen->failed_at();
        if (!outcome.has_value() || !failed_at) continue;
        auto const span = saturating_between(*failed_at, time.now());
        took.push_back(static_cast<double>(span.count()));
        waits.push_back(static_cast<double>(seen->waits().count()));
        rest.push_back(took.back() - waits.back());
    }
    made.recovered = static_cast<std::uint32_t>(took.size());
    auto const all = spread_of(took);
    made.median = span_of(all.median);
    made.p99 = span_of(quantile(took, 0.99));
    made.longest = span_of(all.greatest);
    made.waits = span_of(spread_of(waits).median);
    made.rest = span_of(spread_of(rest).median);
    made.median_ns = median_interval(took);
    auto const bound = into.wanted.recovery_below;
    made.found = judge_below(made.median_ns, static_cast<double>(bound.count()));
    if (made.found != finding::met && made.waits >= bound)
        trial.note(into, remark_kind::waits_dominate,
                   "the policy chooses to wait " + recoup::detail::short_span(made.waits) +
                       " in a recovery, and all else takes " +
                       recoup::detail::short_span(made.rest) + ": shorten its backoff");
    if (made.recovered < trial.given.recoveries && trial.spent(share_of_time))
        trial.note(into, remark_kind::time_limit_reached,
                   "recovery: " + std::to_string(made.recovered) + " of " +
                       std::to_string(trial.given.recoveries) +
                       " recoveries fit into the time limit");
}

}  // namespace recoup::inline v1::validation::detail
