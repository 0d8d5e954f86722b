// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/asio_failure.hpp>
#include <recoup/async/detail/coroutine_call.hpp>
#include <recoup/core/ambient_trace.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/detail/fall_back.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/guard/fallback.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// What `fallbacks` does, where the call and its fallbacks may be coroutines. `Driver` knows how to call.
template <class Driver, class Executor>
struct awaited_fallbacks {
    template <class T>
    using awaitable = boost::asio::awaitable<T, Executor>;
    template <class Operation>
    using outcome_of = typename Operation::result_type;

    /// Asks the fallbacks, one after the other, from that at `Index` on. What these call throws once it is
    /// cancelled where attempts do.
    template <std::size_t Index = 0, class Operation>
    static awaitable<void> ask(Operation& op, outcome_of<Operation>& outcome, bool throws) {
        using held = std::remove_cvref_t<decltype(op.policies_.held)>;
        if constexpr (Index != std::tuple_size_v<held>) {
            if constexpr (held_kind<std::tuple_element_t<Index, held>> == policy_kind::fallback) {
                auto const& one = std::get<Index>(op.policies_.held).get();
                if (one.scope.covers(outcome.assume_error()) &&
                    !coroutine_call::is_cancelled(
                        co_await boost::asio::this_coro::cancellation_state))
                    co_await give(op, one, outcome, throws);
            }
            if (!outcome.has_value()) co_await ask<Index + 1>(op, outcome, throws);
        }
    }

  private:
    /// A value, or what a callable gives, which may be a coroutine as well.
    template <class Operation, class What>
    static awaitable<void> give(Operation& op, fallback_choice<What> const& one,
                                outcome_of<Operation>& outcome, bool throws) {
        co_await std::apply(
            [&](auto&... argument) {
                return give_choice(op, one.what, outcome, throws, argument...);
            },
            op.arguments_);
    }

    template <class Operation, class What, class... Args>
    static awaitable<void> give_choice(Operation& op, What const& what,
                                       outcome_of<Operation>& outcome, bool throws, Args&... args) {
        using result_type = outcome_of<Operation>;
        auto instead = std::optional<result_type>{};
        auto const& failed = std::as_const(outcome).assume_error();
        co_await boost::asio::this_coro::throw_if_cancelled(throws);
        try {
            if constexpr (!fallback_callable<What, Args...>) {
                instead.emplace(fallback_value<result_type>(what));
            } else {
                using returned = decltype(call_fallback(what, failed, args...));
                if constexpr (!adapted_coroutine<returned>) {
                    instead.emplace(invoke_to_result<result_type>(
                        [&]() -> decltype(auto) { return call_fallback(what, failed, args...); }));
                } else if constexpr (std::is_void_v<
                                         typename coroutine_adapter<returned>::awaited>) {
                    co_await call_fallback(what, failed, args...);
                    instead.emplace(in_place<void>{});
                } else {
                    auto&& got = co_await call_fallback(what, failed, args...);
                    instead.emplace(
                        coroutine_call::result_of<result_type,
                                                  typename coroutine_adapter<returned>::awaited>(
                            got));
                }
            }
        } catch (...) {
            instead.emplace(in_place<failure>{}, failure_now());
        }
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        {
            auto const within = ambient_trace_scope{op.trace()};
            tell_fallback(op.policies_, failed);
        }
        if (instead->has_value()) outcome = *std::move(instead);
    }

    /// The same call with one candidate after the other, each an operation of its own.
    template <class Operation, class Candidate>
    static awaitable<void> give(Operation& op, fallback_candidates<Candidate> const& one,
                                outcome_of<Operation>& outcome, bool throws) {
        static_assert(
            std::tuple_size_v<typename Operation::arguments_type> != 0,
            "recoup: fallback_to replaces the first argument of a call; this one has none");
        for (auto const& candidate : one.candidates) {
            if (coroutine_call::is_cancelled(co_await boost::asio::this_coro::cancellation_state))
                co_return;
            {
                auto const within = ambient_trace_scope{op.trace()};
                tell_fallback(op.policies_, outcome.assume_error());
            }
            co_await boost::asio::this_coro::throw_if_cancelled(throws);
            outcome = co_await std::apply(
                [&]<class First, class... Rest>(First& /*tried*/, Rest&... rest) {
                    return call_with<Operation>(op, candidate, rest...);
                },
                op.arguments_);
            co_await boost::asio::this_coro::throw_if_cancelled(false);
            if (outcome.has_value() || !one.scope.covers(outcome.assume_error())) co_return;
        }
    }

    template <class Operation, class Candidate, class... Rest>
    static awaitable<outcome_of<Operation>> call_with(Operation& op, Candidate const& candidate,
                                                      Rest&... rest) {
        using callable = std::remove_cvref_t<decltype(op.callable_)>;
        using policies_type = std::remove_cvref_t<decltype(op.policies_)>;
        static_assert(callable_with<callable, Candidate&, Rest&...>,
                      "recoup: fallback_to has candidates that are no first argument of this call");
        return Driver::template run_call<Executor, false, callable, policies_type, Candidate,
                                         Rest...>(op.callable_, op.policies_, candidate, rest...);
    }
};

}  // namespace recoup::inline v1::detail
