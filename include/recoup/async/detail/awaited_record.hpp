// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/awaited_wait.hpp>
#include <recoup/async/detail/coroutine_call.hpp>
#include <recoup/async/detail/store_call.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/engine.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/either_stop.hpp>
#include <recoup/store/detail/opening.hpp>
#include <recoup/store/detail/running.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <optional>
#include <utility>

// As in awaitable_driver.hpp: g++ 12 takes a frame's allocation and its end for mismatched.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace recoup::inline v1::detail {

/// What an operation and its session do with a record, where the operation is a coroutine: the same functions,
/// called on the threads for stores. Observers are told on the coroutine's own executor.
///
/// Pre: cancellations do not throw. They wait for the end of a call, which so has always happened or not.
template <class Executor>
struct awaited_record {
    template <class T>
    using awaitable = boost::asio::awaitable<T, Executor>;
    template <class Operation>
    using outcome_of = typename Operation::result_type;

    /// What `session::open` does. Returns: the end, where nothing is called.
    template <class Operation>
    static awaitable<std::optional<outcome_of<Operation>>> open(Operation& op) {
        auto& session = *op.session_;
        if (session.open_at_once()) co_return std::nullopt;
        auto at = opening{};
        auto ended = std::optional<outcome_of<Operation>>{};
        auto const look = [&] {
            at = session.open_record();
            ended = session.end_of(at);
        };
        co_await call(op, look);
        while (at.next == opening::join || at.next == opening::wait) {
            if (at.next == opening::join) {
                auto const other = std::move(at.other);
                auto const how = co_await join(op, other);
                auto const go_on = [&] {
                    at = session.joined(other, how);
                    ended = session.end_of(at);
                };
                co_await call(op, go_on);
            } else {
                auto over =
                    !op.stopping() && !coroutine_call::is_cancelled(
                                          co_await boost::asio::this_coro::cancellation_state);
                if (over && at.delay > duration{})
                    over = co_await wait_until<Executor>(
                        op, saturating_add(op.clock().now(), at.delay), op.stop_token());
                if (coroutine_call::is_cancelled(
                        co_await boost::asio::this_coro::cancellation_state))
                    over = false;
                auto const go_on = [&] {
                    at = session.waited(over);
                    ended = session.end_of(at);
                };
                co_await call(op, go_on);
            }
        }
        if (ended) co_return op.end_opened(*std::move(ended));
        if (!coroutine_call::is_cancelled(co_await boost::asio::this_coro::cancellation_state))
            co_return std::nullopt;
        ended.emplace(in_place<failure>{}, failure{category::cancelled, errc::cancelled});
        co_await end(op, ended->assume_error(), stop_reason::cancelled);
        co_return ended;
    }

    /// What `operation::before_wait` does.
    template <class Operation, class Machine>
    static awaitable<stop_reason> before_wait(Operation& op, Machine const& driven,
                                              step const& next, failure const& last) {
        auto why = stop_reason::none;
        auto const record = [&] {
            why = op.session_->before_retry(driven.spent(), last, next.delay);
        };
        co_await call(op, record);
        co_return why == stop_reason::none ? op.schedule(next, last) : why;
    }

    /// What `operation::succeed` does.
    template <class Operation>
    static awaitable<void> succeed(Operation& op, outcome_of<Operation>& outcome) {
        if (!op.session_->writes_success()) {
            op.succeed(outcome);
            co_return;
        }
        op.outer_permits_.succeeded(op.clock());
        auto lost = decltype(op.session_->succeeded(outcome)){};
        auto const record = [&] { lost = op.session_->succeeded(outcome); };
        co_await call(op, record);
        op.end_recorded(outcome, std::move(lost));
    }

    /// What `operation::end` does.
    template <class Operation>
    static awaitable<void> end(Operation& op, failure& last, stop_reason why) {
        op.end_guarded(last, why);
        auto const record = [&] { op.session_->failed(last); };
        if (op.session_->writes_failure(last))
            co_await call(op, record);
        else
            record();
        op.emit(event_kind::operation_failed, &last);
    }

  private:
    /// `what`, on a thread for stores.
    template <class Operation, class What>
    static awaitable<void> call(Operation& op, What const& what) {
        auto const apart = [&what] { what(); };
        auto const told = told_afterwards{op};
        co_await async_store_call(Executor{co_await boost::asio::this_coro::executor}, apart,
                                  boost::asio::use_awaitable_t<Executor>{});
    }

    /// Keeps back what observers would be told on another thread.
    template <class Operation>
    struct told_afterwards {
        explicit told_afterwards(Operation& told) noexcept : op{told} { op.tell_later(); }
        told_afterwards(told_afterwards const&) = delete;
        told_afterwards& operator=(told_afterwards const&) = delete;
        ~told_afterwards() { op.tell_now(); }
        Operation& op;
    };

    /// Waits for the end of the call that runs the operation: on the clock of the machine, as `await` does, for
    /// that call takes real time.
    template <class Operation>
    static awaitable<join_end> join(Operation& op,
                                    std::shared_ptr<running_operation> const& other) {
        auto const waiting = suspended_join{other};
        auto const wakes = either_stop{waiting.wake(), op.stop_token()};
        auto const left = op.left();
        auto const until =
            left == unlimited ? steady_time::max() : saturating_add(machine_clock.now(), left);
        if (!coroutine_call::is_cancelled(co_await boost::asio::this_coro::cancellation_state))
            co_await wait_on_timer<Executor>(machine_clock, until, wakes.token());
        auto const cancelled =
            coroutine_call::is_cancelled(co_await boost::asio::this_coro::cancellation_state);
        co_return waiting.end(cancelled || op.stopping());
    }
};

}  // namespace recoup::inline v1::detail

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
