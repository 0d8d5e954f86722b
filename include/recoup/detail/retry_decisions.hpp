// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/engine.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/nested_retries.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/nothing.hpp>
#include <recoup/detail/operation_events.hpp>
#include <recoup/detail/permits.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/detail/retry_options.hpp>
#include <recoup/detail/versions.hpp>
#include <recoup/guard/rejection.hpp>

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// What follows in one call from an attempt that has failed, or that a guard did not admit: the policies decide,
/// and here they are asked.
template <class Policies, call_form Form, runs_as Runs>
class retry_decisions : public operation_events<Policies, Form, Runs> {
    using events = operation_events<Policies, Form, Runs>;
    template <policy_kind Kind>
    static constexpr bool has = Policies::template has<Kind>;
    template <policy_kind Kind>
    using version_of = seen_version<
        std::remove_cvref_t<decltype(std::declval<Policies const&>().template get<Kind>())>>;

  public:
    using events::clock;
    using events::emit;
    using events::left;
    using events::stopping;
    using machine = engine<typename version_of<policy_kind::retry>::type>;

    auto const& retry() const noexcept {
        return retry_version_.of(policies_.template get<policy_kind::retry>());
    }

    /// Continues with the budget that an earlier process left.
    void continue_from(budget_spent const& before) noexcept {
        if constexpr (has<policy_kind::persist>) spent_ = before;
        state_.attempt = before.attempt;
        state_.resumed = true;
        made_ = before.attempt - 1;
    }

    /// Forgets what an earlier process left: the record has changed since it was read.
    void start_over() noexcept {
        if constexpr (has<policy_kind::persist>) spent_.reset();
        state_.attempt = 1;
        state_.resumed = false;
        state_.checkpoint.reset();
        state_.token = {};
        made_ = 0;
    }

    /// Whether an attempt may follow one of which nobody knows what it did.
    bool may_repeat() const noexcept { return !has<policy_kind::idempotency> || hands_token_on(); }

  protected:
    using events::made_;
    using events::policies_;
    using events::state_;
    using attempt_permits = permits<Policies, false>;
    using operation_permits = permits<Policies, true>;

    explicit retry_decisions(Policies const& policies) noexcept : events{policies} {}
    ~retry_decisions() = default;

    machine make_machine() const noexcept {
        if constexpr (has<policy_kind::persist>)
            if (spent_) return machine{retry(), *spent_};
        return machine{retry()};
    }

    /// In place: the verdict of the engine stays in registers.
    [[gnu::always_inline]] inline step after_failure(machine& driven, failure& last,
                                                     attempt_permits& permits) {
        classify(last);
        emit(event_kind::attempt_failed, &last);
        auto next = step{.why = stop_reason::cancelled};
        if (!stopping()) {
            if constexpr (events::has_state) {
                if (detail::refills_on_progress(retry()) && std::exchange(state_.progressed, false))
                    driven.refill();
            }
            next = driven.failed(last, left(), clock().random());
            if (next.next == step::action::attempt)
                if (auto const why = why_not_again(last); why != stop_reason::none)
                    next = {.why = why};
        }
        if constexpr (attempt_permits::any)
            permits.failed(last.category(), next.next == step::action::finish, clock());
        return next;
    }

    /// `call`: the operation, as guards are shown it.
    template <class Call>
    step after_rejection(machine& driven, guard_rejection const& refused, Call& call) {
        auto what = rejection(refused);
        emit(event_kind::rejected, &what);
        auto const why = why_refused(refused);
        failure_access::set_end(what, why, made_);
        if constexpr (attempt_permits::any) {
            if (why != refused.why) return {.why = why};
            return driven.rejected(what, waits_when_rejected(),
                                   attempt_permits::retry_in(policies_, clock(), call), left(),
                                   clock().random());
        } else {
            static_cast<void>(driven);
            static_cast<void>(call);
            return {.why = why};
        }
    }

    /// A guard that lets an attempt wait rejects it where nobody has time for that any more.
    stop_reason why_refused(guard_rejection const& refused) const noexcept {
        if constexpr (attempt_permits::may_wait || operation_permits::may_wait) {
            if (stopping()) return stop_reason::cancelled;
            if (left() <= duration{}) return stop_reason::deadline;
        }
        return refused.why;
    }

    bool waits_when_rejected() const noexcept { return detail::waits_when_rejected(retry()); }

    static failure rejection(guard_rejection const& refused) noexcept {
        return failure{refused.category, refused.code};
    }

    void classify(failure& what) const noexcept {
        auto const found =
            rules_version_.of(policies_.template get<policy_kind::classifier>()).classify(what);
        failure_access::set_category(what, found.category);
        if (found.recoverability != recoverability::unknown)
            failure_access::set_recoverability(what, found.recoverability);
    }

    /// Announces the wait before the next attempt. Returns: why that must not be made, or `none`.
    [[gnu::always_inline]] inline stop_reason schedule(step const& next, failure const& last) {
        emit(event_kind::retry_scheduled, &last, next.delay);
        // Recording, observers and the wait itself take time, too: no attempt begins behind the deadline.
        if (next.delay > duration{} && left() <= next.delay) return stop_reason::deadline;
        return stop_reason::none;
    }

    /// `over`: whether the wait was not cut short.
    stop_reason after_wait(bool over) const noexcept {
        if (!over) return stop_reason::cancelled;
        return left() > duration{} ? stop_reason::none : stop_reason::deadline;
    }

    std::uint64_t given_up_before_ = 0;  ///< `nested_retries::last.count` when the attempt began

  private:
    /// What keeps the next attempt from being made although the retry policy wants it, or `none`.
    stop_reason why_not_again([[maybe_unused]] failure const& last) {
        if (consumes_arguments(Form)) return stop_reason::arguments_consumed;
        if (!detail::retries_nested(retry()) && nested_retries::tried(last, given_up_before_))
            return stop_reason::retried_within;
        if constexpr (has<policy_kind::idempotency>) {
            if (!hands_token_on() &&
                !policies_.template get<policy_kind::idempotency>().proves_nothing_happened(last))
                return stop_reason::not_idempotent;
        }
        if constexpr (has<policy_kind::budget>) {
            if (!policies_.template get<policy_kind::budget>().try_withdraw(clock()))
                return stop_reason::budget_empty;
        }
        return stop_reason::none;
    }

    /// Whether the callable has asked for the idempotency token: the other side knows a repetition.
    bool hands_token_on() const noexcept {
        if constexpr (events::has_state)
            return !is_zero(state_.token);
        else
            return false;
    }

    [[no_unique_address]] mutable version_of<policy_kind::retry> retry_version_{};
    [[no_unique_address]] mutable version_of<policy_kind::classifier> rules_version_{};
    /// What an earlier process left.
    [[no_unique_address]] std::conditional_t<has<policy_kind::persist>, std::optional<budget_spent>,
                                             nothing> spent_{};
};

}  // namespace recoup::inline v1::detail
