// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/event.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/guard/fallback.hpp>

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// Asks the fallbacks of one call, one after the other, what to give in place of its failure.
///
/// `call(arguments...)` makes an operation of its own; `guarded(invoke)` gives a failure for what is thrown.
template <class Result, class Policies, class Call, class Guarded>
class fallbacks {
  public:
    fallbacks(Policies const& policies, Call const& call, Guarded const& guarded) noexcept
        : policies_{policies}, call_{call}, guarded_{guarded} {}

    /// Pre: `outcome` holds a failure.
    template <class... Args>
    void ask(Result& outcome, Args&... args) const {
        policies_.template each<policy_kind::fallback>([&](auto const& one) {
            if (outcome.has_value() || !one.scope.covers(outcome.assume_error())) return;
            give(one, outcome, args...);
        });
    }

  private:
    template <class What, class... Args>
    void give(fallback_choice<What> const& one, Result& outcome, Args&... args) const {
        using value = typename Result::value_type;
        auto const& failed = std::as_const(outcome).assume_error();
        auto instead = [&] {
            if constexpr (std::is_invocable_v<What const&, failure const&, Args&...>)
                return by([&]() -> decltype(auto) { return one.what(failed, args...); });
            else if constexpr (std::is_invocable_v<What const&, Args&...>)
                return by([&]() -> decltype(auto) { return one.what(args...); });
            else if constexpr (std::is_invocable_v<What const&, failure const&>)
                return by([&]() -> decltype(auto) { return one.what(failed); });
            else if constexpr (std::is_invocable_v<What const&>)
                return by([&]() -> decltype(auto) { return one.what(); });
            else {
                static_assert(
                    std::is_constructible_v<value, What const&>,
                    "recoup: a fallback is a value of the type that the callable returns, or "
                    "a callable that takes the failure, the call's arguments, both or neither");
                return Result{in_place<value>{}, one.what};
            }
        }();
        tell(failed);
        if (instead.has_value()) outcome = std::move(instead);
    }

    template <class Candidate, class First, class... Rest>
    void give(fallback_candidates<Candidate> const& one, Result& outcome, First& /*tried*/,
              Rest&... rest) const {
        static_assert(std::is_invocable_v<Call const&, Candidate&, Rest&...>,
                      "recoup: fallback_to has candidates that are no first argument of this call");
        for (auto const& candidate : one.candidates) {
            tell(outcome.assume_error());
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

    template <class Invoke>
    Result by(Invoke&& invoke) const {
        return guarded_([&] { return invoke_to_result<Result>(std::forward<Invoke>(invoke)); });
    }

    void tell(failure const& what) const noexcept {
        policies_.template each<policy_kind::observer>([&](auto& observer) {
            try {
                observer(event{.kind = event_kind::fell_back, .failure = &what});
            } catch (...) {}  // an observer that throws harms nobody
        });
    }

    Policies const& policies_;
    Call const& call_;
    Guarded const& guarded_;
};

}  // namespace recoup::inline v1::detail
