// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/detail/short_text.hpp>
#include <recoup/validation/detail/faults.hpp>
#include <recoup/validation/detail/planned_attempts.hpp>
#include <recoup/validation/finding.hpp>
#include <recoup/validation/options.hpp>
#include <recoup/validation/remark.hpp>
#include <recoup/validation/statistics.hpp>
#include <recoup/validation/verdict.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace recoup::inline v1::validation::detail {

/// Says what stands between the attempts and what they could cure.
template <class Trial>
void explain_success(Trial& trial, verdict& into, planned_attempts const& planned) {
    using recoup::detail::short_share;
    auto const& made = into.success;
    auto const rate = trial.given.failure_rate;
    auto const wanted = into.wanted.success_at_least;
    auto const attempts =
        std::to_string(planned.attempts) + (planned.attempts == 1 ? " attempt" : " attempts");
    if (planned.attempts == 1 && planned.why == stop_reason::not_retryable && rate > 0)
        trial.note(
            into, remark_kind::never_retried,
            "a fault that another attempt could cure is never tried again, for it is classified "
            "as " +
                std::string{to_string(planned.what.category())} + " (" + planned.what.describe() +
                "): teach the classifier, as default_rules().on(…), or list the category in retry");
    else if (made.arithmetic < wanted)
        trial.note(into, remark_kind::too_few_attempts,
                   attempts + " cure at most " + short_share(made.arithmetic) + " where " +
                       short_share(rate) + " fail: " +
                       (rate < 1 ? std::to_string(static_cast<std::uint64_t>(
                                       std::ceil(std::log(1 - wanted) / std::log(rate) - 1e-9))) +
                                       " are needed for " + short_share(wanted)
                                 : std::string{"no number of them is enough"}));
    auto const of_all =
        " of " + std::to_string(made.operations) + " operations that could be cured";
    for (std::size_t i = 0; i != stop_reason_count; ++i) {
        auto const why = static_cast<stop_reason>(i);
        auto const count = made.stopped[i];
        if (count == 0 || why == stop_reason::attempts_exhausted ||
            why == stop_reason::not_retryable)
            continue;
        if (why == stop_reason::breaker_open)
            trial.note(into, remark_kind::breaker_opened,
                       "a circuit breaker opened and rejected " + std::to_string(count) + of_all);
        else
            trial.note(into, remark_kind::stopped_early,
                       std::string{to_string(why)} + " ended " + std::to_string(count) + of_all);
    }
    if (made.permanent_calls > made.permanent)
        trial.note(into, remark_kind::permanent_retried,
                   "faults that no attempt cures were tried again: " +
                       std::to_string(made.permanent_calls) + " calls in " +
                       std::to_string(made.permanent) + " operations");
    if (made.fell_back != 0)
        trial.note(into, remark_kind::fell_back,
                   "a fallback stood in " + std::to_string(made.fell_back) +
                       " times, which counts as no success here");
}

/// How many operations succeed where attempts fail by chance, beside what the attempts make possible. No wait is
/// waited for: it changes nothing of that.
template <class Trial>
void run_success(Trial& trial, verdict& into, double share_of_time) {
    auto& made = into.success;
    auto const rate = trial.given.failure_rate;
    auto time = typename Trial::trial_clock_type{trial.clock(), trial.given.seed, true};
    auto const by = std::make_shared<faults>(trial.given, rate);
    auto const seen = std::make_shared<typename Trial::watch_type>(time);
    auto const call = trial.failing(by, seen, time);

    auto const planned =
        plan_attempts(trial.policies(), failure_of([&] { return by->transient(); }));
    made.attempts = planned.attempts;
    made.fault = planned.what.category();
    made.arithmetic = 1 - std::pow(rate, planned.attempts);
    made.arithmetic_calls = rate < 1 ? made.arithmetic / (1 - rate) : planned.attempts;

    std::uint64_t done = 0;
    for (; done != trial.given.operations && !trial.spent(share_of_time); ++done) {
        auto const permanent = by->begin_operation();
        auto const calls_before = by->calls();
        auto const fell_back_before = seen->count(event_kind::fell_back);
        auto with = trial.arguments(trial.take_numbers(1));
        auto const outcome = Trial::call_decorated(call, with);
        auto const fell_back = seen->count(event_kind::fell_back) != fell_back_before;
        auto const calls = by->calls() - calls_before;
        made.fell_back += fell_back ? 1U : 0U;
        if (permanent) {
            ++made.permanent;
            made.permanent_calls += calls;
            made.permanent_succeeded += outcome.has_value() ? 1U : 0U;
            continue;
        }
        ++made.operations;
        made.calls += calls;
        if (outcome.has_value())
            made.succeeded += fell_back ? 0U : 1U;
        else
            ++made.stopped[static_cast<std::size_t>(outcome.error().stopped())];
    }
    made.share = share_interval(made.succeeded, made.operations);
    made.found = judge_at_least(made.share, into.wanted.success_at_least);
    explain_success(trial, into, planned);
    if (done < trial.given.operations)
        trial.note(into, remark_kind::time_limit_reached,
                   "success: " + std::to_string(done) + " of " +
                       std::to_string(trial.given.operations) +
                       " operations fit into the time limit");
}

}  // namespace recoup::inline v1::validation::detail
