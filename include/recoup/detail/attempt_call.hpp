// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/ambient_trace.hpp>
#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/call_checks.hpp>
#include <recoup/detail/guarded_call.hpp>
#include <recoup/detail/permits.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/guard/detail/attempt_timed_out.hpp>

#include <algorithm>
#include <memory>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

template <class F, class Policies, class... Args>
class operation;

/// Says that the callable has ended where it goes out of scope: the result stays where it is made.
template <class Operation>
struct telling_return {
    Operation const& of;
    ~telling_return() { of.attempt_returned(); }
};

/// How one attempt of a plain call is made: here, or elsewhere, for as long as it may take. Whatever the
/// callable throws becomes a failure.
template <class Operation>
class attempt_call;

template <class F, class Policies, class... Args>
class attempt_call<operation<F, Policies, Args...>> {
    using operation_type = operation<F, Policies, Args...>;
    static constexpr call_form form = call_form_of<F, Args...>;
    template <policy_kind Kind>
    static constexpr bool has = Policies::template has<Kind>;

  public:
    using result_type = typename operation_type::result_type;

    explicit attempt_call(operation_type& op) noexcept : op_{op} {}

    [[gnu::always_inline]] inline result_type make(
        [[maybe_unused]] permits<Policies, false>& permits) {
        if constexpr (has<policy_kind::hedge>)
            return make_raced(op_.policies_.template get<policy_kind::threads>(), permits);
        else if constexpr (has<policy_kind::abandon>)
            return make_apart(op_.policies_.template get<policy_kind::abandon>());
        else
            return make_alone();
    }

    /// An attempt by `once` for as long as it may take; whoever is late with a value has it.
    template <class Timeout, class Clock, class Once>
    static result_type within(Timeout const& timeout, Clock& clock, operation_state& state,
                              steady_time give_up_at, std::stop_token const& stop, Once once) {
        using keeper = typename Timeout::template keeper<Clock>;
        auto const limit = keeper{clock, state, timeout.each, give_up_at};
        auto outcome = once();
        if (!outcome.has_value() && !stop.stop_requested() && limit.over()) [[unlikely]]
            outcome = guarded_call<result_type>([&] {
                return result_type{in_place<failure>{}, Timeout::failed(outcome.assume_error())};
            });
        return outcome;
    }

    /// An attempt that is to run elsewhere, and owns what it needs.
    template <class Policy, class Frame>
    using work_of = typename Policy::template call<result_type, Frame, owned_callable_t<F>,
                                                   std::decay_t<Args>...>;
    template <class Work, class Frame, class Beside>
    std::shared_ptr<Work> work_apart(Frame frame, Beside beside) {
        return std::apply(
            [&](auto&... args) {
                return std::make_shared<Work>(
                    op_.made_, std::move(beside), std::move(frame),
                    detail::owned_callable(op_.callable_),
                    static_cast<handed_over<Args, consumes_arguments(form)>>(args)...);
            },
            op_.arguments_);
    }

  private:
    [[gnu::always_inline]] inline result_type make_alone() {
        if constexpr (has<policy_kind::attempt_timeout>)
            return make_within(
                timeout_of(op_.policies_.template get<policy_kind::attempt_timeout>()));
        else
            return call_once();
    }

    /// The same, for as long as an attempt may take.
    template <class Timeout>
    result_type make_within(Timeout const& timeout) {
        if (timeout.each == unlimited) return call_once();
        op_.show_clock();
        return within(timeout, op_.clock(), op_.state_, op_.give_up_at(), op_.stop_token(),
                      [this] { return call_once(); });
    }

    /// Has an attempt and its hedges run elsewhere; where there is no thread for it, it runs here, without any.
    template <class Pool>
    result_type make_raced(Pool& pool, permits<Policies, false>& permits) {
        return guarded_call<result_type>([&] {
            auto race = typename Pool::template race<operation_type>{op_, pool.core(), permits};
            if (auto const* refused = race.begin()) {
                op_.policies_.template get<policy_kind::hedge>().note_refused();
                op_.emit(event_kind::hedge_refused, refused);
                return make_alone();
            }
            return race.run();
        });
    }

    /// Has an attempt run elsewhere, and waits for it as long as it may take.
    template <class Policy>
    result_type make_apart(Policy const& policy) {
        auto outcome = guarded_call<result_type>([&] {
            auto& time = op_.clock();
            auto const began = time.now();
            auto const work = work_apart<work_of<Policy, catch_all>>(catch_all{}, nullptr);
            if (auto const* refused = policy.begin(work))
                return result_type{in_place<failure>{}, *refused};
            if (policy.await(*work, time,
                             std::min(op_.give_up_at(), saturating_add(began, policy.each())),
                             op_.stop_token()))
                return work->take();
            auto let_go = attempt_timed_out();
            op_.emit(event_kind::attempt_abandoned, &let_go, saturating_between(began, time.now()));
            return result_type{in_place<failure>{}, std::move(let_go)};
        });
        op_.check_value(outcome);
        return outcome;
    }

    /// How an attempt that runs elsewhere catches what ends it.
    struct catch_all {
        template <class Call>
        result_type operator()(Call&& call) const {
            return guarded_call<result_type>([&] { return call(); });
        }
    };

    /// Here, and what is called within it is part of the same trace.
    [[gnu::always_inline]] inline result_type call_once() {
        if constexpr (has<policy_kind::trace>) {
            auto const within = ambient_trace_scope{op_.trace()};
            return call_here();
        } else {
            return call_here();
        }
    }

    [[gnu::always_inline]] inline result_type call_here() {
        return guarded_call<result_type>([this] {
            auto const told = telling_return<operation_type>{op_};
            if constexpr (has<policy_kind::value_check>) {
                auto outcome = invoke();
                op_.check_value(outcome);
                return outcome;
            } else {
                return invoke();
            }
        });
    }

    [[gnu::always_inline]] inline result_type invoke() {
        return invoke_to_result<result_type>([this]() -> decltype(auto) {
            if constexpr (takes_attempt(form)) {
                attempt current{op_.state_};
                return invoke_form<form>(op_.callable_, &current, op_.arguments_,
                                         std::index_sequence_for<Args...>{});
            } else {
                return invoke_form<form>(op_.callable_, nullptr, op_.arguments_,
                                         std::index_sequence_for<Args...>{});
            }
        });
    }

    operation_type& op_;
};

}  // namespace recoup::inline v1::detail
