// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/asio_failure.hpp>
#include <recoup/async/detail/awaited_fallbacks.hpp>
#include <recoup/async/detail/awaited_wait.hpp>
#include <recoup/async/detail/bound_argument.hpp>
#include <recoup/async/detail/coroutine_call.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/operation.hpp>
#include <recoup/detail/policy_set.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

// As in awaitable_driver.hpp: g++ 12 takes a frame's allocation and its end for mismatched.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace recoup::inline v1::detail {

/// What `cached_call::call` does, where the call is a coroutine: who waits suspends. `Driver` knows how to call.
template <class Driver, class Executor>
struct awaited_cache {
    template <class T>
    using awaitable = boost::asio::awaitable<T, Executor>;

    /// One call through a cache. `FallsBack`: whether it asks the fallbacks, which stand outside.
    template <bool FallsBack, class F, class Policies, class... Args>
    static awaitable<wrapped_return_t<F, Args...>> run(F callable, Policies policies,
                                                       Args... arguments) {
        using bound = bound_arguments<F, takes_attempt(call_form_of<F, Args...>),
                                      std::index_sequence_for<Args...>, Args...>;
        using operation_type = typename bound::template apply<operation, F, Policies>;
        using result_type = typename operation_type::result_type;
        using policy = std::remove_cvref_t<
            decltype(std::declval<Policies const&>().template get<policy_kind::cache>())>;
        using call = typename policy::template call<operation_type>;
        constexpr bool falls_back = FallsBack && Policies::template has<policy_kind::fallback>;
        static_assert(
            !falls_back || !consumes_arguments(operation_type::form),
            "recoup: the callable takes its arguments with it, and leaves none for a fallback");
        call::check();

        [[maybe_unused]] typename bound::holder shown{static_cast<Args&&>(arguments)...};
        // It is never run: fallbacks see the call by it.
        auto op = std::apply(
            [&](auto&... one) { return operation_type{callable, policies, std::move(one)...}; },
            shown);
        auto outcome = std::optional<result_type>{};
        auto const throws = co_await boost::asio::this_coro::throw_if_cancelled();
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        {
            auto own =
                typename call::visit{op.policies_.template get<policy_kind::cache>().table()};
            auto waited = duration{};
            try {
                std::apply(
                    [&](auto const&... one) { call::look(op.policies_, own, outcome, one...); },
                    op.arguments_);
            } catch (...) {  // the function that makes keys, say
                outcome.emplace(in_place<failure>{}, failure_now());
                call::note_end(*outcome);
            }
            if (own.waits()) {
                call::tell(op.policies_, event_kind::operation_joined);
                auto const began = op.clock().now();
                co_await wait_until<Executor>(op, call::wait_until(op.policies_, own, began),
                                              own.wake());
                own.woken();
                waited = saturating_between(began, op.clock().now());
                auto const why = call::why_over(
                    op.policies_, own, waited,
                    op.stopping() || coroutine_call::is_cancelled(
                                         co_await boost::asio::this_coro::cancellation_state));
                if (why != stop_reason::none) outcome.emplace(call::give_up(op.policies_, why));
            }
            if (auto const* const found = own.served())
                outcome.emplace(call::serve(op.policies_, *found));
            if (!outcome) {
                // A cancellation ends the call in good order: only attempts see it as they are used to.
                co_await boost::asio::this_coro::throw_if_cancelled(throws);
                try {
                    outcome.emplace(co_await call::operate_after(
                        own, waited, op.policies_,
                        [&](auto const& with) { return operate<falls_back>(op, with); }));
                } catch (...) {  // cancelled before it began, or no memory for its frame
                    outcome.emplace(in_place<failure>{}, failure_now());
                    call::note_end(*outcome);
                }
                co_await boost::asio::this_coro::throw_if_cancelled(false);
                call::publish(op.policies_, own, *outcome);
            }
        }
        if constexpr (falls_back)
            if (!outcome->has_value())
                co_await awaited_fallbacks<Driver, Executor>::ask(op, *outcome, throws);
        co_await boost::asio::this_coro::throw_if_cancelled(throws);
        co_return *std::move(outcome);
    }

  private:
    /// The operation, which has the arguments for itself where nobody needs them any more.
    template <bool Copied, class Operation, class Policies>
    static auto operate(Operation& op, Policies const& policies) {
        return std::apply(
            [&]<class... Args>(Args&... one) {
                auto lent = detail::lend(op.callable_);
                return Driver::template run_operation<Executor, false, decltype(lent), Policies,
                                                      std::remove_cv_t<Args>...>(
                    lent, policies, static_cast<std::conditional_t<Copied, Args&, Args&&>>(one)...);
            },
            op.arguments_);
    }
};

}  // namespace recoup::inline v1::detail

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
