// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/ambient_trace.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/detail/call_trace.hpp>
#include <recoup/detail/guarded_call.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/guard/fallback.hpp>

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// Whether a fallback is called, with the failure, the arguments, both or neither, and is no value.
template <class What, class... Args>
concept fallback_callable =
    std::is_invocable_v<What const&, failure const&, Args&...> ||
    std::is_invocable_v<What const&, Args&...> ||
    std::is_invocable_v<What const&, failure const&> || std::is_invocable_v<What const&>;

template <class What, class... Args>
    requires fallback_callable<What, Args...>
decltype(auto) call_fallback(What const& what, [[maybe_unused]] failure const& failed,
                             [[maybe_unused]] Args&... args) {
    if constexpr (std::is_invocable_v<What const&, failure const&, Args&...>)
        return what(failed, args...);
    else if constexpr (std::is_invocable_v<What const&, Args&...>)
        return what(args...);
    else if constexpr (std::is_invocable_v<What const&, failure const&>)
        return what(failed);
    else
        return what();
}

/// The value that stands in for a failure.
template <class Result, class What>
Result fallback_value(What const& what) {
    using value = typename Result::value_type;
    static_assert(std::is_constructible_v<value, What const&>,
                  "recoup: a fallback is a value of the type that the callable returns, or "
                  "a callable that takes the failure, the call's arguments, both or neither");
    return Result{in_place<value>{}, what};
}

/// Tells observers that a fallback stands in for `what`.
template <class Policies>
void tell_fallback(Policies const& policies, failure const& what) noexcept {
    policies.template each<policy_kind::observer>([&](auto& observer) {
        try {
            observer(event{.kind = event_kind::fell_back, .failure = &what});
        } catch (...) {}  // an observer that throws harms nobody
    });
}

/// Asks the fallbacks of one call, one after the other, what to give in place of its failure.
///
/// `call(arguments...)` makes an operation of its own.
template <class Result, class Policies, class Call>
class fallbacks {
  public:
    fallbacks(Policies const& policies, Call const& call) noexcept
        : policies_{policies}, call_{call} {
        trace_.ask(policies);
    }

    /// Pre: `outcome` holds a failure.
    template <class... Args>
    void ask(Result& outcome, Args&... args) const {
        auto const within = ambient_trace_scope{trace_.own_or_ambient()};
        policies_.template each<policy_kind::fallback>([&](auto const& one) {
            if (outcome.has_value() || !one.scope.covers(outcome.assume_error())) return;
            give(one, outcome, args...);
        });
    }

  private:
    template <class What, class... Args>
    void give(fallback_choice<What> const& one, Result& outcome, Args&... args) const {
        auto const& failed = std::as_const(outcome).assume_error();
        auto instead = [&] {
            if constexpr (fallback_callable<What, Args...>)
                return guarded_call<Result>([&] {
                    return invoke_to_result<Result>([&]() -> decltype(auto) {
                        return call_fallback(one.what, failed, args...);
                    });
                });
            else
                return fallback_value<Result>(one.what);
        }();
        tell_fallback(policies_, failed);
        if (instead.has_value()) outcome = std::move(instead);
    }

    template <class Candidate, class First, class... Rest>
    void give(fallback_candidates<Candidate> const& one, Result& outcome, First& /*tried*/,
              Rest&... rest) const {
        static_assert(std::is_invocable_v<Call const&, Candidate&, Rest&...>,
                      "recoup: fallback_to has candidates that are no first argument of this call");
        for (auto const& candidate : one.candidates) {
            tell_fallback(policies_, outcome.assume_error());
            auto first = candidate;
            outcome = call_(first, rest...);
            if (outcome.has_value() || !one.scope.covers(outcome.assume_error())) return;
        }
    }

    template <class Candidate>
    void give(fallback_candidates<Candidate> const&, Result&) const {
        static_assert(
            !std::is_same_v<Candidate, Candidate>,
            "recoup: fallback_to replaces the first argument of a call; this one has none");
    }

    Policies const& policies_;
    Call const& call_;
    [[no_unique_address]] call_trace<Policies> trace_{};
};

}  // namespace recoup::inline v1::detail
