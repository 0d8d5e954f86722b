// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/asio_failure.hpp>
#include <recoup/async/detail/attempt_scope.hpp>
#include <recoup/async/detail/blocking_call.hpp>
#include <recoup/async/detail/interruptible_wait.hpp>
#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/engine.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/detail/fall_back.hpp>
#include <recoup/detail/operation.hpp>
#include <recoup/guard/guard.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace recoup::inline v1::detail {

/// Drives one operation whose attempts are coroutines: what `operation::run` and `recover` do, with `co_await`
/// where those block. What is decided is decided by the same functions of `operation` and `engine`.
struct awaitable_driver {
    template <class T, class Executor>
    using awaitable = boost::asio::awaitable<T, Executor>;
    template <class Operation>
    using outcome_of = typename Operation::result_type;

    /// The operation. Everything that it needs is in its frame.
    template <class Executor, class F, class Policies, class... Args>
    static awaitable<wrapped_return_t<F, Args...>, Executor> run(F callable, Policies policies,
                                                                 Args... arguments) {
        using operation_type = operation<F, Policies, Args...>;
        using result_type = outcome_of<operation_type>;
        using permits_type = typename operation_type::attempt_permits;
        check<operation_type>();

        operation_type op{callable, policies, static_cast<Args&&>(arguments)...};
        op.begin_retries();
        if constexpr (operation_type::has_preamble)
            if (auto end = op.begin()) co_return *std::move(end);

        permits_type permits;
        guard_rejection const* refused = nullptr;
        if constexpr (permits_type::may_wait)
            refused = co_await acquire<Executor>(op, permits);
        else if constexpr (permits_type::any)
            refused = permits.acquire(op.policies_, op.clock(), op);

        // Made where it is known what it holds: a failure that is made first would cost a third of a success.
        std::optional<result_type> ended;
        if (refused) ended.emplace(in_place<failure>{}, op.rejection(*refused));
        if constexpr (may_need_scope<operation_type>()) {
            if (!ended && needs_scope(op, co_await boost::asio::this_coro::cancellation_state))
                ended.emplace(co_await scoped_attempt<Executor>(
                    op, co_await boost::asio::this_coro::throw_if_cancelled()));
        }
        if (!ended) {
            // Here, and not in a coroutine of its own: the way of a success has one frame.
            op.begin_attempt();
            try {
                [[maybe_unused]] auto current = current_attempt(op);
                if constexpr (std::is_void_v<awaited_of<operation_type>>) {
                    co_await invoke(op, pointer_to(current));
                    ended.emplace(in_place<void>{});
                } else {
                    auto&& got = co_await invoke(op, pointer_to(current));
                    ended.emplace(result_of<result_type, awaited_of<operation_type>>(got));
                }
                op.check_value(*ended);
            } catch (...) {
                ended.emplace(in_place<failure>{}, failure_now());
            }
        }
        auto& outcome = *ended;
        if (outcome.has_value()) [[likely]] {
            if constexpr (permits_type::any) permits.succeeded(op.clock());
            if constexpr (operation_type::has_epilogue) op.succeed(outcome);
            co_return std::move(outcome);
        }
        if (refused && !op.waits_when_rejected()) {
            op.end_refused(outcome, *refused);
        } else {
            // A cancellation ends the operation in good order: only attempts see it as they are used to.
            auto const throws = co_await boost::asio::this_coro::throw_if_cancelled();
            co_await boost::asio::this_coro::throw_if_cancelled(false);
            outcome = co_await recover<Executor>(op, permits, std::move(outcome), refused, throws);
            co_await boost::asio::this_coro::throw_if_cancelled(throws);
        }
        if constexpr (Policies::template has<policy_kind::fallback>) fall_back(op, outcome);
        co_return std::move(outcome);
    }

  private:
    template <class Operation>
    static constexpr void check() {
        static_assert(
            !Operation::template has<policy_kind::persist>,
            "recoup: persist is for plain calls: a store would block the thread of the "
            "coroutines; make the plain call on a thread pool, or use durable operations");
        static_assert(!Operation::operation_permits::may_wait,
                      "recoup: a guard that lets calls wait stands inside retry in a coroutine");
    }

    template <class Operation>
    static auto invoke(Operation& op, attempt* current) {
        return invoke_form<Operation::form>(
            op.callable_, current, op.arguments_,
            std::make_index_sequence<std::tuple_size_v<typename Operation::arguments_type>>{});
    }

    template <class Operation>
    using awaited_of = typename coroutine_adapter<decltype(invoke(
        std::declval<Operation&>(), static_cast<attempt*>(nullptr)))>::awaited;

    /// What a coroutine gave, as a result.
    template <class Result, class Awaited, class Got>
    static Result result_of(Got& got) {
        return invoke_to_result<Result>([&]() -> Awaited { return static_cast<Awaited&&>(got); });
    }

    /// Whether an attempt may be ended by others than the coroutine's own slot, whose word reaches whatever it
    /// waits for by itself, or is shown a stop token.
    template <class Operation>
    static constexpr bool may_need_scope() {
        return Operation::template has<policy_kind::attempt_timeout> ||
               Operation::template has<policy_kind::stop> || takes_attempt(Operation::form);
    }
    /// The same of this call: where nobody can end it, it needs none.
    template <class Operation>
    static bool needs_scope([[maybe_unused]] Operation& op,
                            boost::asio::cancellation_state const& state) noexcept {
        if constexpr (!may_need_scope<Operation>())
            return false;
        else
            return time_limit(op) != unlimited || op.stop_token().stop_possible() ||
                   (takes_attempt(Operation::form) && state.slot().is_connected());
    }
    template <class Operation>
    static duration time_limit([[maybe_unused]] Operation& op) noexcept {
        if constexpr (Operation::template has<policy_kind::attempt_timeout>)
            return op.policies_.template get<policy_kind::attempt_timeout>().each;
        else
            return unlimited;
    }

    template <class Operation>
    static auto current_attempt([[maybe_unused]] Operation& op) {
        if constexpr (takes_attempt(Operation::form))
            return attempt{op.state_};
        else
            return nothing{};
    }
    static attempt* pointer_to(attempt& current) noexcept { return &current; }
    static attempt* pointer_to(nothing&) noexcept { return nullptr; }

    /// Pre: an exception is being handled.
    static failure failure_now() {
        try {
            throw;
        } catch (recovery_error const& caught) {
            return caught.failure();
        } catch (boost::system::system_error const& caught) {
            return failure_of_asio(caught);
        } catch (std::system_error const& caught) {
            return failure{std::current_exception(), caught.code()};
        }
#if defined(__GLIBCXX__)
        catch (abi::__forced_unwind&) {
            throw;
        }
#endif
        catch (...) {
            return failure{std::current_exception()};
        }
    }

    /// One attempt, whatever it ends with. `throws`: whether its coroutine throws once it is cancelled.
    template <class Executor, class Operation>
    static awaitable<outcome_of<Operation>, Executor> attempt_once(Operation& op, bool throws) {
        if constexpr (may_need_scope<Operation>()) {
            if (needs_scope(op, co_await boost::asio::this_coro::cancellation_state))
                co_return co_await scoped_attempt<Executor>(op, throws);
        }
        auto const before = co_await boost::asio::this_coro::throw_if_cancelled();
        co_await boost::asio::this_coro::throw_if_cancelled(throws);
        auto outcome = co_await call<Executor>(op);
        co_await boost::asio::this_coro::throw_if_cancelled(before);
        co_return outcome;
    }

    template <class Executor, class Operation>
    static awaitable<outcome_of<Operation>, Executor> call(Operation& op) {
        using result_type = outcome_of<Operation>;
        using awaited = awaited_of<Operation>;
        auto outcome = result_type{in_place<failure>{}};
        op.begin_attempt();
        try {
            [[maybe_unused]] auto current = current_attempt(op);
            if constexpr (std::is_void_v<awaited>) {
                co_await invoke(op, pointer_to(current));
                outcome = result_type{in_place<void>{}};
            } else {
                auto&& got = co_await invoke(op, pointer_to(current));
                outcome = result_of<result_type, awaited>(got);
            }
            op.check_value(outcome);
        } catch (...) {
            outcome = result_type{in_place<failure>{}, failure_now()};
        }
        co_return outcome;
    }

    /// An attempt that others may end, and that is waited for whatever it makes of that.
    template <class Executor, class Operation>
    static awaitable<outcome_of<Operation>, Executor> scoped_attempt(Operation& op, bool throws) {
        using result_type = outcome_of<Operation>;
        auto const limit = time_limit(op);
        auto const scope = std::make_shared<attempt_scope<Executor>>(
            Executor{co_await boost::asio::this_coro::executor});
        if constexpr (takes_attempt(Operation::form)) op.show_scope(scope->stop_token(), limit);
        auto found = std::optional<result_type>{};
        auto const body = [&op, &found, &scope, throws]() -> awaitable<void, Executor> {
            // Whatever reaches it has passed its caller's filter.
            co_await boost::asio::this_coro::reset_cancellation_state(
                boost::asio::enable_total_cancellation());
            co_await boost::asio::this_coro::throw_if_cancelled(throws);
            try {
                if (!scope->cancelled()) {
                    found.emplace(co_await call<Executor>(op));
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
            co_await scope->run(body, limit);
        }
        // An attempt that gives a value in spite of all has it.
        if (found && found->has_value()) co_return *std::move(found);
        if (scope->timed_out())
            co_return result_type{in_place<failure>{},
                                  failure{category::network_timeout, errc::attempt_timed_out}};
        co_return *std::move(found);
    }

    template <class Executor>
    static awaitable<bool, Executor> cancelled() {
        auto const state = co_await boost::asio::this_coro::cancellation_state;
        co_return state.cancelled() != boost::asio::cancellation_type::none;
    }

    /// What `operation::recover` does.
    template <class Executor, class Operation>
    static awaitable<outcome_of<Operation>, Executor> recover(
        Operation& op, typename Operation::attempt_permits& permits, outcome_of<Operation> outcome,
        guard_rejection const* refused, bool throws) {
        using permits_type = typename Operation::attempt_permits;
        auto driven = op.make_machine();
        auto called = refused == nullptr;
        auto next = called ? after_failure(op, driven, outcome.assume_error(), permits)
                           : op.after_rejection(driven, *refused);
        [[maybe_unused]] auto open = called && next.next == step::action::attempt;
        while (true) {
            auto& last = outcome.assume_error();
            auto why = next.why;
            if (next.next == step::action::attempt) {
                why = op.before_wait(driven, next, last);
                if (why == stop_reason::none)
                    why = op.after_wait(co_await wait<Executor>(op, next.delay));
                if (why == stop_reason::none && co_await cancelled<Executor>())
                    why = stop_reason::cancelled;
            } else if (co_await cancelled<Executor>()) {
                why = stop_reason::cancelled;
            }
            if (next.next == step::action::finish || why != stop_reason::none) {
                if constexpr (permits_type::any) {
                    if (open)
                        permits_type::operation_failed(op.policies_, last.category(), op.clock(),
                                                       op);
                }
                op.end(last, why);
                co_return outcome;
            }
            if constexpr (Operation::has_state) op.state_.attempt = driven.attempt();
            if constexpr (permits_type::any) {
                guard_rejection const* again = nullptr;
                if constexpr (permits_type::may_wait)
                    again = co_await acquire<Executor>(op, permits);
                else
                    again = permits.acquire(op.policies_, op.clock(), op);
                if (again) {
                    next = op.after_rejection(driven, *again);
                    continue;
                }
            }
            if constexpr (Operation::has_state) {
                op.previous_ = std::move(last);
                op.state_.previous = called ? &op.previous_ : nullptr;
            }
            called = true;
            outcome = co_await attempt_once<Executor>(op, throws);
            if (outcome.has_value()) {
                if constexpr (permits_type::any) permits.succeeded(op.clock());
                if constexpr (Operation::has_epilogue) op.succeed(outcome);
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

    /// Waits on a timer of the executor, or on the clock that was given. Gives whether it was not cut short.
    template <class Executor, class Operation>
    static awaitable<bool, Executor> wait(Operation& op, duration delay) {
        if (delay <= duration{}) co_return !op.stopping();
        co_return co_await wait_until<Executor>(op, saturating_add(op.clock().now(), delay),
                                                op.stop_token());
    }

    template <class Executor, class Operation>
    static awaitable<bool, Executor> wait_until(Operation& op, steady_time when,
                                                std::stop_token stop) {
        auto const executor = co_await boost::asio::this_coro::executor;
        try {
            if constexpr (!Operation::template has<policy_kind::clock>) {
                auto const span = saturating_between(op.clock().now(), when);
                // A month at a time: what is near the end of the range would overflow in the timer.
                constexpr auto longest = duration{std::chrono::hours{24 * 30}};
                for (auto left = span; left > duration{};
                     left = saturating_between(op.clock().now(), when))
                    if (!co_await async_wait_for(executor, std::min(left, longest), stop,
                                                 boost::asio::use_awaitable_t<Executor>{}))
                        co_return false;
                co_return !stop.stop_requested();
            } else {
                auto const call = [&op, when](std::stop_token const& stopping) {
                    return op.clock().wait_until(when, stopping);
                };
                co_return co_await async_blocking_call<bool>(
                    executor, stop, call, boost::asio::use_awaitable_t<Executor>{});
            }
        } catch (boost::system::system_error const&) {
            co_return false;  // cancelled before it began
        }
    }

    /// Asks the guards, outermost first, and waits where one says so.
    template <class Executor, std::size_t Index = 0, class Operation>
    static awaitable<guard_rejection const*, Executor> acquire(
        Operation& op, typename Operation::attempt_permits& permits) {
        using permits_type = typename Operation::attempt_permits;
        using positions = typename permits_type::positions;
        if constexpr (Index == std::tuple_size_v<positions>) {
            co_return nullptr;
        } else {
            constexpr auto at = std::tuple_element_t<Index, positions>::value;
            auto& gate = permits_type::template gate<at>(op.policies_, op);
            if constexpr (waiting_guard<std::remove_cvref_t<decltype(gate)>>) {
                auto ticket = gate.queue(op.clock(), op.give_up_at(), op.stop_token());
                while (ticket.waits()) {
                    // Cut short by its own token where the turn has come: the ticket knows.
                    static_cast<void>(
                        co_await wait_until<Executor>(op, ticket.until(), ticket.wake()));
                    if (co_await cancelled<Executor>()) break;
                    ticket.woken(op.clock());
                }
                if (auto const* refused = permits.template keep<at>(ticket.take()))
                    co_return refused;
            } else {
                if (auto const* refused = permits.template keep<at>(gate.try_acquire(op.clock())))
                    co_return refused;
            }
            co_return co_await acquire<Executor, Index + 1>(op, permits);
        }
    }

    template <class Operation>
    static void fall_back(Operation& op, outcome_of<Operation>& outcome) {
        using result_type = outcome_of<Operation>;
        using policies_type = std::remove_cvref_t<decltype(op.policies_)>;
        auto const guarded = [](auto const& make) {
            try {
                return make();
            } catch (...) {
                return result_type{in_place<failure>{}, failure_now()};
            }
        };
        auto const not_again = [] {};
        std::apply(
            [&](auto&... argument) {
                fallbacks<result_type, policies_type, decltype(not_again), decltype(guarded)>{
                    op.policies_, not_again, guarded}
                    .ask(outcome, argument...);
            },
            op.arguments_);
    }
};

}  // namespace recoup::inline v1::detail
