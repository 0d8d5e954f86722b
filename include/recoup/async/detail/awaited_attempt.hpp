// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/alarm_limit.hpp>
#include <recoup/async/detail/asio_failure.hpp>
#include <recoup/async/detail/attempt_scope.hpp>
#include <recoup/async/detail/coroutine_call.hpp>
#include <recoup/async/detail/hedge_race.hpp>
#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/operation.hpp>
#include <recoup/guard/detail/attempt_timed_out.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>

#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

// As in awaitable_driver.hpp: g++ 12 takes a frame's allocation and its end for mismatched.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace recoup::inline v1::detail {

/// One attempt of an operation, where it needs more than a `co_await`: others may end it, or begin beside it.
template <class Executor>
struct awaited_attempt {
    template <class T>
    using awaitable = boost::asio::awaitable<T, Executor>;
    template <class Operation>
    using outcome_of = typename Operation::result_type;

    /// An attempt that others may end, and that is waited for whatever it makes of that.
    template <class Operation>
    static awaitable<outcome_of<Operation>> scoped(Operation& op, bool throws) {
        using result_type = outcome_of<Operation>;
        auto const limit = coroutine_call::time_limit(op);
        auto const scope = std::make_shared<attempt_scope<Executor>>(
            Executor{co_await boost::asio::this_coro::executor});
        if constexpr (takes_attempt(Operation::form)) op.show_scope(scope->stop_token(), limit);
        auto found = std::optional<result_type>{};
        auto const body = [&op, &found, &scope, throws]() -> awaitable<void> {
            // Whatever reaches it has passed its caller's filter.
            co_await boost::asio::this_coro::reset_cancellation_state(
                boost::asio::enable_total_cancellation());
            co_await boost::asio::this_coro::throw_if_cancelled(throws);
            try {
                if (!scope->cancelled()) {
                    found.emplace(co_await call(op));
                } else {
                    // It was told to end before it could be heard of.
                    op.begin_attempt();
                    found.emplace(in_place<failure>{},
                                  failure{category::cancelled, errc::cancelled});
                }
            } catch (...) {  // no memory for its frame
                found.emplace(in_place<failure>{}, failure_now());
            }
            scope->ended();
        };
        {
            auto const cancel = [&]() noexcept {
                scope->cancel(boost::asio::cancellation_type::terminal);
            };
            auto const stopped = std::stop_callback{op.stop_token(), cancel};
            if constexpr (Operation::template has<policy_kind::clock> &&
                          Operation::template has<policy_kind::attempt_timeout>) {
                using clock_type = std::remove_cvref_t<decltype(op.clock())>;
                auto end = std::optional<alarm_limit<clock_type, attempt_scope<Executor>>>{};
                if (limit != unlimited) end.emplace(op.clock(), limit, scope);
                co_await scope->run(body(), unlimited);
            } else {
                co_await scope->run(body(), limit);
            }
        }
        // An attempt that gives a value in spite of all has it.
        if (found && found->has_value()) co_return *std::move(found);
        if (scope->timed_out()) co_return result_type{in_place<failure>{}, attempt_timed_out()};
        co_return *std::move(found);
    }

    /// An attempt beside which others begin while it lasts.
    template <class Operation>
    static awaitable<outcome_of<Operation>> hedged(Operation& op,
                                                   typename Operation::attempt_permits& permits,
                                                   bool throws) {
        auto const race = std::make_shared<hedge_race<Executor, Operation>>(
            Executor{co_await boost::asio::this_coro::executor}, op, permits, throws);
        {
            auto const cancel = [&]() noexcept {
                race->cancel(boost::asio::cancellation_type::terminal);
            };
            auto const stopped = std::stop_callback{op.stop_token(), cancel};
            co_await race->run();
        }
        co_return race->take();
    }

  private:
    /// One attempt, whatever it ends with.
    template <class Operation>
    static awaitable<outcome_of<Operation>> call(Operation& op) {
        using result_type = outcome_of<Operation>;
        using awaited = coroutine_call::awaited_of<Operation>;
        auto outcome = result_type{in_place<failure>{}};
        op.begin_attempt();
        try {
            auto const told = telling_return<Operation>{op};
            [[maybe_unused]] auto current = coroutine_call::current_attempt(op);
            if constexpr (std::is_void_v<awaited>) {
                co_await coroutine_call::invoke(op, coroutine_call::pointer_to(current));
                outcome = result_type{in_place<void>{}};
            } else {
                auto&& got =
                    co_await coroutine_call::invoke(op, coroutine_call::pointer_to(current));
                outcome = coroutine_call::result_of<result_type, awaited>(got);
            }
            op.check_value(outcome);
        } catch (...) {
            outcome = result_type{in_place<failure>{}, failure_now()};
        }
        co_return outcome;
    }
};

}  // namespace recoup::inline v1::detail

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
