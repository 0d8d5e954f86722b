// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/awaited_wait.hpp>
#include <recoup/async/detail/coroutine_call.hpp>
#include <recoup/guard/guard.hpp>
#include <recoup/guard/rejection.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstddef>
#include <tuple>

// As in awaitable_driver.hpp.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace recoup::inline v1::detail {

/// Has an attempt of a coroutine wait for its turn at a guard. Where all guards admit it at once there is no wait,
/// and so no frame.
template <class Executor>
struct awaited_turn {
    using refusal = boost::asio::awaitable<guard_rejection const*, Executor>;

    /// Waits at the guard where `seen` has stopped, and asks those behind it. Pre: `seen.waits()`.
    template <class Operation, class Policies, class Permits>
    static refusal wait(Operation& op, Policies const& policies, Permits& permits,
                        typename Permits::asked seen) {
        while (seen.waits()) {
            if (auto const* refused = co_await stand_at(op, policies, permits, seen.at))
                co_return refused;
            seen = permits.ask(policies, op.clock(), op, seen.at + 1);
        }
        co_return seen.refused;
    }

  private:
    /// At the guard that has this number among those of the scope.
    template <std::size_t Index = 0, class Operation, class Policies, class Permits>
    static refusal stand_at(Operation& op, Policies const& policies, Permits& permits,
                            std::size_t number) {
        using positions = typename Permits::positions;
        if constexpr (Index + 1 != std::tuple_size_v<positions>)
            if (number != Index) return stand_at<Index + 1>(op, policies, permits, number);
        constexpr auto at = std::tuple_element_t<Index, positions>::value;
        return stand<at>(op, Permits::template gate<at>(policies, op), permits);
    }

    template <std::size_t At, class Operation, class Guard, class Permits>
    static refusal stand(Operation& op, Guard& gate, Permits& permits) {
        if constexpr (waiting_guard<Guard>) {
            auto ticket = gate.queue(op.clock(), op.give_up_at(), op.stop_token());
            while (ticket.waits()) {
                // Cut short by its own token where the turn has come: the ticket knows.
                static_cast<void>(co_await wait_until<Executor>(op, ticket.until(), ticket.wake()));
                if (coroutine_call::is_cancelled(
                        co_await boost::asio::this_coro::cancellation_state))
                    break;
                ticket.woken(op.clock());
            }
            co_return permits.template keep<At>(ticket.take());
        } else {
            co_return nullptr;  // never: it lets nobody wait
        }
    }
};

}  // namespace recoup::inline v1::detail

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
