// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/asio_failure.hpp>
#include <recoup/async/detail/awaited_attempt.hpp>
#include <recoup/async/detail/awaited_cache.hpp>
#include <recoup/async/detail/awaited_fallbacks.hpp>
#include <recoup/async/detail/awaited_record.hpp>
#include <recoup/async/detail/awaited_turn.hpp>
#include <recoup/async/detail/awaited_wait.hpp>
#include <recoup/async/detail/bound_argument.hpp>
#include <recoup/async/detail/coroutine_call.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/engine.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/detail/attempt_call.hpp>
#include <recoup/detail/operation.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

// g++ 12 sees the frame's `operator new` through to the allocation, but not its `operator delete`, and takes
// them for mismatched.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace recoup::inline v1::detail {

/// Drives one operation whose attempts are coroutines: what `operation::run` and `recover` do, with `co_await`
/// where those block. What is decided is decided by the same functions of `operation` and `engine`.
struct awaitable_driver {
    template <class T, class Executor>
    using awaitable = boost::asio::awaitable<T, Executor>;
    template <class Operation>
    using outcome_of = typename Operation::result_type;

    /// The operation. Everything that it needs is in its frame. `FallsBack`: whether it asks the fallbacks.
    template <class Executor, bool FallsBack, class F, class Policies, class... Args>
    static awaitable<wrapped_return_t<F, Args...>, Executor> run_operation(F callable,
                                                                           Policies policies,
                                                                           Args... arguments) {
        using bound = bound_arguments<F, takes_attempt(call_form_of<F, Args...>),
                                      std::index_sequence_for<Args...>, Args...>;
        using operation_type = typename bound::template apply<operation, F, Policies>;
        using result_type = outcome_of<operation_type>;
        using permits_type = typename operation_type::attempt_permits;
        using attempts = awaited_attempt<Executor>;
        check<operation_type>();

        [[maybe_unused]] typename bound::holder shown{static_cast<Args&&>(arguments)...};
        auto op = std::apply(
            [&](auto&... one) { return operation_type{callable, policies, std::move(one)...}; },
            shown);
        constexpr bool falls_back = FallsBack && Policies::template has<policy_kind::fallback>;
        static_assert(
            !falls_back || !consumes_arguments(operation_type::form),
            "recoup: the callable takes its arguments with it, and leaves none for a fallback");
        constexpr bool persists = Policies::template has<policy_kind::persist>;
        using record = awaited_record<Executor>;
        // A cancellation ends the operation in good order, and its record: only attempts see it as they are used
        // to.
        [[maybe_unused]] auto throws = true;
        if constexpr (persists) {
            throws = co_await boost::asio::this_coro::throw_if_cancelled();
            co_await boost::asio::this_coro::throw_if_cancelled(false);
        }
        op.begin_retries();
        if constexpr (operation_type::has_preamble) {
            auto end = op.begin_unrecorded();
            if constexpr (persists)
                if (!end) end = co_await record::open(op);
            if (end) {
                if constexpr (falls_back) {
                    if constexpr (!persists) {
                        throws = co_await boost::asio::this_coro::throw_if_cancelled();
                        co_await boost::asio::this_coro::throw_if_cancelled(false);
                    }
                    if (!end->has_value())
                        co_await awaited_fallbacks<awaitable_driver, Executor>::ask(op, *end,
                                                                                    throws);
                }
                if constexpr (falls_back || persists)
                    co_await boost::asio::this_coro::throw_if_cancelled(throws);
                co_return *std::move(end);
            }
        }

        permits_type permits;
        guard_rejection const* refused = nullptr;
        if constexpr (permits_type::any) {
            if constexpr (permits_type::may_wait) op.stands_in_line();
            auto&& time = op.first_clock();
            auto const asked = permits.ask(op.policies_, time, op);
            refused = asked.refused;
            if constexpr (permits_type::may_stop)
                if (asked.waits())
                    refused =
                        co_await awaited_turn<Executor>::wait(op, op.policies_, permits, asked);
        }

        // Made where it is known what it holds: a failure that is made first would cost a third of a success.
        std::optional<result_type> ended;
        if (refused) ended.emplace(in_place<failure>{}, op.rejection(*refused));
        if constexpr (operation_type::template has<policy_kind::hedge>) {
            if constexpr (!persists) throws = co_await boost::asio::this_coro::throw_if_cancelled();
            if (!ended) ended.emplace(co_await attempts::hedged(op, permits, throws));
        } else if constexpr (coroutine_call::may_need_scope<operation_type>()) {
            if (!ended && coroutine_call::needs_scope(
                              op, co_await boost::asio::this_coro::cancellation_state)) {
                if constexpr (!persists)
                    throws = co_await boost::asio::this_coro::throw_if_cancelled();
                ended.emplace(co_await attempts::scoped(op, throws));
            }
        }
        if (!ended) {
            // Here, and not in a coroutine of its own: the way of a success has one frame.
            if constexpr (persists) co_await boost::asio::this_coro::throw_if_cancelled(throws);
            op.begin_attempt();
            try {
                auto const told = telling_return<operation_type>{op};
                [[maybe_unused]] auto current = coroutine_call::current_attempt(op);
                using awaited = coroutine_call::awaited_of<operation_type>;
                if constexpr (std::is_void_v<awaited>) {
                    co_await coroutine_call::invoke(op, coroutine_call::pointer_to(current));
                    ended.emplace(in_place<void>{});
                } else if constexpr (gives_directly<operation_type>()) {
                    auto&& got =
                        co_await coroutine_call::invoke(op, coroutine_call::pointer_to(current));
                    co_return coroutine_call::result_of<result_type, awaited>(got);
                } else {
                    auto&& got =
                        co_await coroutine_call::invoke(op, coroutine_call::pointer_to(current));
                    ended.emplace(coroutine_call::result_of<result_type, awaited>(got));
                }
                op.check_value(*ended);
            } catch (...) {
                ended.emplace(in_place<failure>{}, failure_now());
            }
            if constexpr (persists) co_await boost::asio::this_coro::throw_if_cancelled(false);
        }
        auto& outcome = *ended;
        if (outcome.has_value()) [[likely]] {
            if constexpr (permits_type::any) permits.succeeded(op.clock());
            if constexpr (persists) {
                co_await record::succeed(op, outcome);
                if constexpr (falls_back)
                    if (!outcome.has_value())
                        co_await awaited_fallbacks<awaitable_driver, Executor>::ask(op, outcome,
                                                                                    throws);
                co_await boost::asio::this_coro::throw_if_cancelled(throws);
            } else if constexpr (operation_type::has_epilogue) {
                op.succeed(outcome);
            }
            co_return std::move(outcome);
        }
        auto const is_end = refused && !op.waits_when_rejected();
        if (is_end) {
            auto why = op.why_refused(*refused);
            if constexpr (permits_type::may_wait)
                if (coroutine_call::is_cancelled(
                        co_await boost::asio::this_coro::cancellation_state))
                    why = stop_reason::cancelled;
            op.emit(event_kind::rejected, &outcome.assume_error());
            if constexpr (persists) {
                co_await record::end(op, outcome.assume_error(), why);
            } else {
                op.end(outcome.assume_error(), why);
                if constexpr (!falls_back) co_return std::move(outcome);
            }
        }
        if constexpr (!persists) {
            throws = co_await boost::asio::this_coro::throw_if_cancelled();
            co_await boost::asio::this_coro::throw_if_cancelled(false);
        }
        if (!is_end)
            outcome = co_await recover<Executor>(op, permits, std::move(outcome), refused, throws);
        if constexpr (falls_back)
            if (!outcome.has_value())
                co_await awaited_fallbacks<awaitable_driver, Executor>::ask(op, outcome, throws);
        co_await boost::asio::this_coro::throw_if_cancelled(throws);
        co_return std::move(outcome);
    }

    /// The call as a user makes it: through the cache, where there is one.
    template <class Executor, bool FallsBack, class F, class Policies, class... Args>
    static awaitable<wrapped_return_t<F, Args...>, Executor> run_call(F const& callable,
                                                                      Policies const& policies,
                                                                      auto&&... arguments) {
        if constexpr (Policies::template has<policy_kind::cache>)
            return awaited_cache<awaitable_driver, Executor>::template run<FallsBack, F, Policies,
                                                                           Args...>(
                callable, policies, static_cast<decltype(arguments)>(arguments)...);
        else
            return run_operation<Executor, FallsBack, F, Policies, Args...>(
                callable, policies, static_cast<decltype(arguments)>(arguments)...);
    }

  private:
    template <class Operation>
    static constexpr void check() {
        if constexpr (Operation::template has<policy_kind::hedge>) Operation::check_hedge();
        static_assert(
            !Operation::template has<policy_kind::abandon>,
            "recoup: abandon_after lets go of plain calls; a coroutine can be cancelled: use "
            "attempt_timeout");
        static_assert(!Operation::operation_permits::may_wait,
                      "recoup: a guard that lets calls wait stands inside retry in a coroutine");
    }

    /// Whether what an attempt gives is a value, of which nothing has to be told before the caller has it: a result
    /// that stayed here first would be moved once more.
    template <class Operation>
    static constexpr bool gives_directly() {
        return std::is_same_v<coroutine_call::awaited_of<Operation>,
                              typename Operation::value_type> &&
               !Operation::attempt_permits::any && !Operation::has_epilogue &&
               !Operation::template has<policy_kind::value_check>;
    }

    /// What `operation::recover` does.
    template <class Executor, class Operation>
    static awaitable<outcome_of<Operation>, Executor> recover(
        Operation& op, typename Operation::attempt_permits& permits, outcome_of<Operation> outcome,
        guard_rejection const* refused, bool throws) {
        using permits_type = typename Operation::attempt_permits;
        using attempts = awaited_attempt<Executor>;
        constexpr bool persists = Operation::template has<policy_kind::persist>;
        using record = awaited_record<Executor>;
        auto driven = op.make_machine();
        auto called = refused == nullptr;
        auto next = called ? after_failure(op, driven, outcome.assume_error(), permits)
                           : op.after_rejection(driven, *refused, op);
        [[maybe_unused]] auto open = called && next.next == step::action::attempt;
        while (true) {
            auto& last = outcome.assume_error();
            auto why = next.why;
            if (next.next == step::action::attempt) {
                if constexpr (persists)
                    why = co_await record::before_wait(op, driven, next, last);
                else
                    why = op.before_wait(driven, next, last);
                if (why == stop_reason::none) {
                    // A cancellation that came before the wait does not end it.
                    auto over =
                        !op.stopping() && !coroutine_call::is_cancelled(
                                              co_await boost::asio::this_coro::cancellation_state);
                    if (over && next.delay > duration{})
                        over = co_await wait_until<Executor>(
                            op, saturating_add(op.clock().now(), next.delay), op.stop_token());
                    why = op.after_wait(over);
                }
                if (why == stop_reason::none &&
                    coroutine_call::is_cancelled(
                        co_await boost::asio::this_coro::cancellation_state))
                    why = stop_reason::cancelled;
            } else if (coroutine_call::is_cancelled(
                           co_await boost::asio::this_coro::cancellation_state)) {
                why = stop_reason::cancelled;
            }
            if (next.next == step::action::finish || why != stop_reason::none) {
                if constexpr (permits_type::any) {
                    if (open)
                        permits_type::operation_failed(op.policies_, last.category(), op.clock(),
                                                       op);
                }
                if constexpr (persists)
                    co_await record::end(op, last, why);
                else
                    op.end(last, why);
                co_return outcome;
            }
            if constexpr (Operation::has_state) op.state_.attempt = driven.attempt();
            if constexpr (permits_type::any) {
                auto const asked = permits.ask(op.policies_, op.clock(), op);
                auto const* again = asked.refused;
                if constexpr (permits_type::may_stop)
                    if (asked.waits())
                        again =
                            co_await awaited_turn<Executor>::wait(op, op.policies_, permits, asked);
                if (again) {
                    next = op.after_rejection(driven, *again, op);
                    continue;
                }
            }
            if constexpr (Operation::has_state) {
                op.previous_ = std::move(last);
                op.state_.previous = called ? &op.previous_ : nullptr;
            }
            called = true;
            constexpr auto hedges = Operation::template has<policy_kind::hedge>;
            auto scoped = hedges;
            if constexpr (!hedges && coroutine_call::may_need_scope<Operation>())
                scoped = coroutine_call::needs_scope(
                    op, co_await boost::asio::this_coro::cancellation_state);
            if (scoped) {
                if constexpr (hedges)
                    outcome = co_await attempts::hedged(op, permits, throws);
                else if constexpr (coroutine_call::may_need_scope<Operation>())
                    outcome = co_await attempts::scoped(op, throws);
            } else {
                co_await boost::asio::this_coro::throw_if_cancelled(throws);
                // As in `call`, without a frame more.
                op.begin_attempt();
                try {
                    auto const told = telling_return<Operation>{op};
                    [[maybe_unused]] auto current = coroutine_call::current_attempt(op);
                    if constexpr (std::is_void_v<coroutine_call::awaited_of<Operation>>) {
                        co_await coroutine_call::invoke(op, coroutine_call::pointer_to(current));
                        outcome = outcome_of<Operation>{in_place<void>{}};
                    } else {
                        auto&& got = co_await coroutine_call::invoke(
                            op, coroutine_call::pointer_to(current));
                        outcome =
                            coroutine_call::result_of<outcome_of<Operation>,
                                                      coroutine_call::awaited_of<Operation>>(got);
                    }
                    op.check_value(outcome);
                } catch (...) {
                    outcome = outcome_of<Operation>{in_place<failure>{}, failure_now()};
                }
                co_await boost::asio::this_coro::throw_if_cancelled(false);
            }
            if (outcome.has_value()) {
                if constexpr (permits_type::any) permits.succeeded(op.clock());
                if constexpr (persists)
                    co_await record::succeed(op, outcome);
                else if constexpr (Operation::has_epilogue)
                    op.succeed(outcome);
                co_return outcome;
            }
            next = after_failure(op, driven, outcome.assume_error(), permits);
            open = next.next == step::action::attempt;
        }
    }

    template <class Operation, class Machine, class Permits>
    static step after_failure(Operation& op, Machine& driven, failure& last, Permits& permits) {
        // Other coroutines have run on this thread meanwhile: only the failure itself tells what was tried.
        op.given_up_before_ = nested_retries::last.count;
        return op.after_failure(driven, last, permits);
    }
};

}  // namespace recoup::inline v1::detail

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
