// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/callable.hpp>
#include <recoup/core/nested_retries.hpp>
#include <recoup/detail/guarded_call.hpp>
#include <recoup/detail/nothing.hpp>
#include <recoup/detail/operation.hpp>
#include <recoup/detail/permits.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/detail/retry_options.hpp>
#include <recoup/detail/versions.hpp>

#include <functional>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// A plain call whose first attempt needs nothing but the callable, its arguments and one permit at most: an
/// operation is made only if that fails, or waits to be admitted.
template <class F, class Policies, class... Args>
class direct_call {
    using operation_type = operation<F, Policies, Args...>;
    using attempt_permits = permits<Policies, false>;
    template <policy_kind Kind>
    static constexpr bool has = Policies::template has<Kind>;

  public:
    using result_type = typename operation_type::result_type;

    static constexpr bool is_enough =
        operation_type::form == call_form::plain && !has<policy_kind::attempt_timeout> &&
        !has<policy_kind::abandon> && !has<policy_kind::hedge> && !has<policy_kind::persist> &&
        !has<policy_kind::deadline> && !has<policy_kind::observer> && !has<policy_kind::stop> &&
        !has<policy_kind::value_check> && !has<policy_kind::trace> &&
        !permits<Policies, true>::any && attempt_permits::count <= 1 && !attempt_permits::by_key;

    /// The same as `operation::run`.
    [[gnu::always_inline]] static inline result_type run(F& callable, Policies const& policies,
                                                         Args&&... args) {
        if constexpr (has<policy_kind::budget>)
            policies.template get<policy_kind::budget>().deposit();
        if constexpr (has<policy_kind::guard>) {
            auto permit = policies.template get<policy_kind::guard>().try_acquire(
                operation_type::clock_of(policies));
            if (!permit) [[unlikely]] {
                if constexpr (attempt_permits::may_wait)
                    if (may_let_wait(policies.template get<policy_kind::guard>()))
                        return run_in_turn(callable, policies, std::forward<Args>(args)...);
                if (may_wait_when_rejected(policies))
                    return wait(callable, policies, std::forward<Args>(args)...);
                return reject();
            }
            return proceed(permit, callable, policies, std::forward<Args>(args)...);
        } else {
            auto none = nothing{};
            return proceed(none, callable, policies, std::forward<Args>(args)...);
        }
    }

  private:
    // The permit is handed on by moving it, and only after a failure: what nobody else can see stays
    // in registers while the callable runs.
    template <class Permit>
    [[gnu::always_inline]] static inline result_type proceed([[maybe_unused]] Permit& permit,
                                                             F& callable, Policies const& policies,
                                                             Args&&... args) {
        auto const given_up_before = nested_retries::last.count;
        auto outcome = guarded_call<result_type>([&] {
            return invoke_to_result<result_type>(
                [&]() -> decltype(auto) { return std::invoke(callable, args...); });
        });
        if (outcome.has_value()) [[likely]] {
            if constexpr (has<policy_kind::guard>)
                permit.succeeded(operation_type::clock_of(policies));
        } else {
            auto rest = operation_type{callable, policies, std::forward<Args>(args)...};
            rest.made_ = 1;
            rest.given_up_before_ = given_up_before;
            auto handed_on = attempt_permits{};
            if constexpr (has<policy_kind::guard>) handed_on.adopt(std::move(permit));
            rest.recover(outcome, handed_on);
        }
        return outcome;
    }

    /// Out of line, and quick, for it happens in floods.
    [[gnu::noinline]] static result_type reject() noexcept {
        constexpr auto refused = attempt_permits::only_rejection();
        auto outcome = result_type{in_place<failure>{}, operation_type::rejection(refused)};
        failure_access::set_end(outcome.assume_error(), refused.why, 0);
        return outcome;
    }

    /// As an operation, which can wait for its turn.
    [[gnu::noinline]] static result_type run_in_turn(F& callable, Policies const& policies,
                                                     Args&&... args) {
        auto all = operation_type{callable, policies, std::forward<Args>(args)...};
        auto permits = attempt_permits{};
        if (auto const* refused = permits.queue_for_only(policies, all.clock(), all))
            return all.reject(permits, *refused);
        return all.proceed(permits);
    }

    [[gnu::noinline]] static result_type wait(F& callable, Policies const& policies,
                                              Args&&... args) {
        constexpr auto refused = attempt_permits::only_rejection();
        auto outcome = result_type{in_place<failure>{}, operation_type::rejection(refused)};
        auto rest = operation_type{callable, policies, std::forward<Args>(args)...};
        auto none = attempt_permits{};
        rest.recover(outcome, none, &refused);
        return outcome;
    }

    /// What the operation will say, which has not taken a version of the retry policy yet.
    static bool may_wait_when_rejected(Policies const& policies) noexcept {
        auto const& chosen = policies.template get<policy_kind::retry>();
        if constexpr (versioned<std::remove_cvref_t<decltype(chosen)>>)
            return true;
        else
            return detail::waits_when_rejected(chosen);
    }
};

}  // namespace recoup::inline v1::detail
