// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/attempt_call.hpp>
#include <recoup/detail/operation.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>

#include <cstddef>
#include <tuple>
#include <utility>

namespace recoup::inline v1::detail {

/// How the callable of an operation is called where that gives a coroutine, and what comes of it.
struct coroutine_call {
    template <class Operation>
    static auto invoke(Operation& op, attempt* current) {
        return invoke_form<Operation::form>(
            op.callable_, current, op.arguments_,
            std::make_index_sequence<std::tuple_size_v<typename Operation::arguments_type>>{});
    }

    /// What the coroutine gives.
    template <class Operation>
    using awaited_of = typename coroutine_adapter<decltype(invoke(
        std::declval<Operation&>(), static_cast<attempt*>(nullptr)))>::awaited;

    /// What a coroutine gave, as a result.
    template <class Result, class Awaited, class Got>
    static Result result_of(Got& got) {
        return invoke_to_result<Result>([&]() -> Awaited { return static_cast<Awaited&&>(got); });
    }

    /// Of each attempt.
    template <class Operation>
    static duration time_limit([[maybe_unused]] Operation& op) noexcept {
        if constexpr (Operation::template has<policy_kind::attempt_timeout>)
            return timeout_of(op.policies_.template get<policy_kind::attempt_timeout>()).each;
        else
            return unlimited;
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

    /// What the callable is given.
    template <class Operation>
    static auto current_attempt([[maybe_unused]] Operation& op) {
        if constexpr (takes_attempt(Operation::form))
            return attempt{op.state_};
        else
            return nothing{};
    }
    /// The same for `invoke`; null where the callable takes none.
    static attempt* pointer_to(attempt& current) noexcept { return &current; }
    static attempt* pointer_to(nothing&) noexcept { return nullptr; }

    static bool is_cancelled(boost::asio::cancellation_state const& state) noexcept {
        return state.cancelled() != boost::asio::cancellation_type::none;
    }
};

}  // namespace recoup::inline v1::detail
