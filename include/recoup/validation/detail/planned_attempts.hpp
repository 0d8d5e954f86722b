// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failed_attempt.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/guarded_call.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/detail/versions.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::validation::detail {

/// What policies make of a failure, were it to come again and again.
struct planned_attempts {
    failure what{};              ///< classified
    std::uint32_t attempts = 1;  ///< in all
    stop_reason why = stop_reason::none;
};

/// More attempts than that are as good as any number.
inline constexpr std::uint32_t planned_attempts_max = 1'000;

/// The failure that a fault is, also where it is thrown.
template <class Fault>
failure failure_of(Fault&& fault) {
    auto failed = recoup::detail::guarded_call<result<void>>(
        [&] { return result<void>{boost::outcome_v2::in_place_type<failure>, fault()}; });
    return std::move(failed).assume_error();
}

/// Asks the classifier and the retry policy, as an operation would. A policy reads no clock and keeps nothing, so
/// that it can be asked beforehand.
template <class Policies>
planned_attempts plan_attempts(Policies const& policies, failure what) {
    using recoup::detail::policy_kind;
    auto const& rules = policies.template get<policy_kind::classifier>();
    auto const& again = policies.template get<policy_kind::retry>();
    auto rules_seen = recoup::detail::seen_version<std::remove_cvref_t<decltype(rules)>>{};
    auto again_seen = recoup::detail::seen_version<std::remove_cvref_t<decltype(again)>>{};

    auto const found = rules_seen.of(rules).classify(what);
    recoup::detail::failure_access::set_category(what, found.category);
    if (found.recoverability != recoverability::unknown)
        recoup::detail::failure_access::set_recoverability(what, found.recoverability);

    auto planned = planned_attempts{.what = std::move(what)};
    auto previous = duration{};
    while (planned.attempts != planned_attempts_max) {
        auto const next = again_seen.of(again).decide({.failure = planned.what,
                                                       .attempt = planned.attempts,
                                                       .spent = planned.attempts,
                                                       .spent_in_category = planned.attempts,
                                                       .previous_delay = previous});
        planned.why = next.why;
        if (!next.retry) break;
        previous = next.delay;
        ++planned.attempts;
    }
    return planned;
}

}  // namespace recoup::inline v1::validation::detail
