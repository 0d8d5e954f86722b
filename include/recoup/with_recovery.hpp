// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/callable.hpp>
#include <recoup/detail/direct_call.hpp>
#include <recoup/detail/fall_back.hpp>
#include <recoup/detail/make_policies.hpp>
#include <recoup/detail/operation.hpp>

#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// A callable that retries what is worth it, stops what is not, and remembers where it was.
/// Made by `with_recovery`.
///
/// Copies share what they own by `std::shared_ptr`, and copy plain data and the callable.
/// Thread safety: calling is const, concurrent and reentrant if calling the callable is.
template <class F, class Policies>
class recovered {
  public:
    recovered(F callable, Policies policies)
        : callable_{std::move(callable)}, policies_{std::move(policies)} {}

    /// Calls the callable until it gives a value or a policy says stop.
    ///
    /// Every attempt receives the arguments as lvalues. Where the callable accepts only rvalues they
    /// are moved into the first attempt, which is then the only one.
    /// Throws: nothing of the callable's; std::bad_alloc where a record cannot be built.
    template <class... Args>
        requires detail::callable_with<F, Args...>
    detail::wrapped_call_t<F, Args...> operator()(Args&&... args) const {
        using returned = detail::raw_return_t<F, Args...>;
        static_assert(
            !detail::coroutine_return<returned, Args...> || detail::adapted_coroutine<returned>,
            "recoup: the callable is a coroutine: include the header that adapts its return "
            "type (<recoup/async/asio.hpp> for boost::asio::awaitable)");
        if constexpr (detail::adapted_coroutine<returned>) {
            return detail::coroutine_adapter<returned>::run(callable_, policies_,
                                                            std::forward<Args>(args)...);
        } else if constexpr (Policies::template has<detail::policy_kind::fallback>) {
            auto outcome = call(std::forward<Args>(args)...);
            if (!outcome.has_value()) [[unlikely]]
                fall_back(outcome, args...);
            return outcome;
        } else {
            return call(std::forward<Args>(args)...);
        }
    }

    /// The same callable with other policies for one call: each replaces the one of its kind;
    /// observers are added. A bare `std::stop_token` is one, too.
    ///
    /// The result refers to this wrapper, and must not outlive it.
    /// Example: `fetch.with(recoup::deadline{5s}, stop_token)(url)`.
    template <class... Override>
    [[nodiscard]] auto with(Override&&... overrides) const {
        auto merged = detail::merge_policies(policies_, std::forward<Override>(overrides)...);
        using lent = decltype(detail::lend(callable_));
        return recovered<lent, decltype(merged)>{detail::lend(callable_), std::move(merged)};
    }

    /// What this wrapper consists of.
    [[nodiscard]] Policies const& policies() const noexcept { return policies_; }
    [[nodiscard]] F const& wrapped_callable() const noexcept { return callable_; }

  private:
    template <class... Args>
    [[gnu::always_inline]] detail::wrapped_return_t<F, Args...> call(Args&&... args) const {
        if constexpr (Policies::template has<detail::policy_kind::cache>) {
            using cache =
                std::remove_cvref_t<decltype(policies_.template get<detail::policy_kind::cache>())>;
            return cache::template call<detail::operation<F, Policies, Args...>>::call(
                policies_,
                [&](auto const& with) { return operate(with, std::forward<Args>(args)...); },
                args...);
        } else {
            return operate(policies_, std::forward<Args>(args)...);
        }
    }

    template <class With, class... Args>
    [[gnu::always_inline]] detail::wrapped_return_t<F, Args...> operate(With const& policies,
                                                                        Args&&... args) const {
        using direct = detail::direct_call<F, With, Args...>;
        if constexpr (direct::is_enough)
            return direct::run(callable_, policies, std::forward<Args>(args)...);
        else
            return detail::operation<F, With, Args...>{callable_, policies,
                                                       std::forward<Args>(args)...}
                .run();
    }

    template <class Result, class... Args>
    [[gnu::noinline]] void fall_back(Result& outcome, Args&... args) const {
        static_assert(
            !detail::consumes_arguments(detail::call_form_of<F, Args...>),
            "recoup: the callable takes its arguments with it, and leaves none for a fallback");
        auto const again = [&](auto&... with) -> Result
            requires detail::callable_with<F, decltype(with)...>
        { return call(with...); };
        detail::fallbacks<Result, Policies, decltype(again)>{policies_, again}.ask(outcome,
                                                                                   args...);
    }

    // A callable with state is called from a const wrapper: its thread safety is its own.
    mutable F callable_;
    Policies policies_;
};

/// Wraps any callable: functions, lambdas, function objects, member pointers, move-only ones.
///
/// Returns: a callable that takes the same arguments and returns `recoup::result` of what the
/// callable returns: of `T` for `T`, `result<T>`, any Outcome result, `std::optional<T>` and
/// `std::expected<T, E>`; of `std::reference_wrapper<T>` for `T&`.
///
/// The order of the policies does not matter: every policy knows its stage. From outside in: fallback, cache,
/// persist, deadline, retry, hedge, guards (circuit breakers, rate limiters, bulkheads and concurrency limits),
/// attempt_timeout or abandon_after, callable. Without a retry policy there is `retry{}`: 3 attempts, exponential
/// backoff with full jitter.
/// Example: `auto fetch = recoup::with_recovery(fetch_page, recoup::retry{.max_attempts = 5});`
template <class F, class... Policies>
[[nodiscard]] auto with_recovery(F&& callable, Policies&&... policies) {
    auto held = detail::make_policies(std::forward<Policies>(policies)...);
    return recovered<std::decay_t<F>, decltype(held)>{std::forward<F>(callable), std::move(held)};
}

}  // namespace recoup::inline v1
