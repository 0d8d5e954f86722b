// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/blocking_call.hpp>
#include <recoup/async/detail/interruptible_wait.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/policy_set.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <chrono>
#include <stop_token>
#include <utility>

// As in awaitable_driver.hpp: g++ 12 takes a frame's allocation and its end for mismatched.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace recoup::inline v1::detail {

/// Waits on a timer of the executor, until `when` by `time`, which the timer follows. Gives whether it was not
/// cut short.
template <class Executor, class Clock>
boost::asio::awaitable<bool, Executor> wait_on_timer(Clock& time, steady_time when,
                                                     std::stop_token stop) {
    auto const executor = co_await boost::asio::this_coro::executor;
    // A month at a time: what is near the end of the range would overflow in the timer.
    constexpr auto longest = duration{std::chrono::hours{24 * 30}};
    try {
        for (auto left = saturating_between(time.now(), when); left > duration{};
             left = saturating_between(time.now(), when))
            if (!co_await async_wait_for(executor, std::min(left, longest), stop,
                                         boost::asio::use_awaitable_t<Executor>{}))
                co_return false;
        co_return !stop.stop_requested();
    } catch (boost::system::system_error const&) {
        co_return false;  // cancelled before it began
    }
}

/// The same on a clock of which no timer knows.
template <class Executor, class Clock>
boost::asio::awaitable<bool, Executor> wait_on_clock(Clock& time, steady_time when,
                                                     std::stop_token stop) {
    auto const executor = co_await boost::asio::this_coro::executor;
    auto const call = [&time, when](std::stop_token const& stopping) {
        return time.wait_until(when, stopping);
    };
    try {
        co_return co_await async_blocking_call<bool>(executor, std::move(stop), call,
                                                     boost::asio::use_awaitable_t<Executor>{});
    } catch (boost::system::system_error const&) {
        co_return false;  // cancelled before it began
    }
}

/// Waits on the clock that an operation was given, or on a timer of the executor where it was given none.
template <class Executor, class Operation>
boost::asio::awaitable<bool, Executor> wait_until(Operation& op, steady_time when,
                                                  std::stop_token stop) {
    if constexpr (Operation::template has<policy_kind::clock>)
        return wait_on_clock<Executor>(op.clock(), when, std::move(stop));
    else
        return wait_on_timer<Executor>(op.clock(), when, std::move(stop));
}

}  // namespace recoup::inline v1::detail

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
