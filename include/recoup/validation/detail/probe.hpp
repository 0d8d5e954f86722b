// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/event.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/detail/guarded_call.hpp>
#include <recoup/validation/detail/faults.hpp>
#include <recoup/validation/detail/keep.hpp>
#include <recoup/validation/options.hpp>
#include <recoup/validation/remark.hpp>
#include <recoup/validation/verdict.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

namespace recoup::inline v1::validation::detail {

/// So many calls tell whether the callable works at all.
inline constexpr std::uint64_t probe_calls = 3;

/// Calls the callable without faults, bare and decorated: what fails here is wrong before anything is measured.
///
/// Returns: whether it does what it should.
template <class Trial>
bool probe(Trial& trial, verdict& into) {
    using flat = typename Trial::flat;
    std::uint64_t failed = 0;
    std::string first;
    auto numbers = trial.take_numbers(probe_calls);
    for (std::uint64_t i = 0; i != probe_calls; ++i) {
        auto with = trial.arguments(numbers + i);
        auto const outcome = recoup::detail::guarded_call<flat>([&] {
            return recoup::detail::invoke_to_result<flat>(
                [&]() -> decltype(auto) { return Trial::call_bare(trial.callable(), with); });
        });
        if (outcome.has_value()) continue;
        if (failed++ == 0) first = outcome.error().describe();
    }
    if (failed != 0)
        trial.note(into, remark_kind::fails_without_faults,
                   "the callable fails by itself, in " + std::to_string(failed) + " of " +
                       std::to_string(probe_calls) + " calls: " + first);

    auto const by = std::make_shared<faults>(trial.given, 0);
    auto time = typename Trial::trial_clock_type{trial.clock(), trial.given.seed, true};
    auto const seen = std::make_shared<typename Trial::watch_type>(time);
    auto const call = trial.failing(by, seen, time);
    numbers = trial.take_numbers(probe_calls);
    std::string refused;
    for (std::uint64_t i = 0; i != probe_calls; ++i) {
        auto with = trial.arguments(numbers + i);
        auto const outcome = Trial::call_decorated(call, with);
        if (!outcome.has_value() && refused.empty()) refused = outcome.error().describe();
    }
    if (by->calls() < probe_calls) {
        auto why = refused.empty() ? std::string{} : ": " + refused;
        if (seen->count(event_kind::operation_replayed) != 0)
            why =
                ": recorded results are returned; give every call a key of its own, with "
                "validator::with_each";
        trial.note(into, remark_kind::not_called,
                   "the callable was called " + std::to_string(by->calls()) + " times by " +
                       std::to_string(probe_calls) + " decorated calls" + why);
        return false;
    }
    if (failed == 0 && !refused.empty())
        trial.note(into, remark_kind::fails_without_faults,
                   "the callable works, and fails where it is decorated: " + refused);
    return failed == 0 && refused.empty();
}

}  // namespace recoup::inline v1::validation::detail
