// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/engine.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/nested_retries.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/detail/attempt_call.hpp>
#include <recoup/detail/call_checks.hpp>
#include <recoup/detail/nothing.hpp>
#include <recoup/detail/permits.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/detail/read_clock.hpp>
#include <recoup/detail/retry_decisions.hpp>
#include <recoup/guard/rejection.hpp>

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

template <class F, class Policies, class... Args>
class direct_call;

template <class F, class... Args>
inline constexpr runs_as runs_as_of =
    adapted_coroutine<raw_return_t<F, Args...>> ? runs_as::coroutine : runs_as::call;

/// One plain call of a wrapped callable: it drives the engine, and does what the policies decide.
///
/// The path of a success at the first attempt is `run`, or that of `direct_call`, and the permits; all else is
/// out of line, in `recover`. On that path a result is made where the caller wants it and stays there, for
/// moving it would cost more than all the rest.
template <class F, class Policies, class... Args>
class operation final
    : public retry_decisions<Policies, call_form_of<F, Args...>, runs_as_of<F, Args...>> {
    using decisions = retry_decisions<Policies, call_form_of<F, Args...>, runs_as_of<F, Args...>>;
    using typename decisions::attempt_permits;
    using typename decisions::machine;
    using typename decisions::operation_permits;

    using decisions::emit_in_place;
    using decisions::given_up_before_;
    using decisions::has_state;
    using decisions::made_;
    using decisions::policies_;
    using decisions::rejection;
    using decisions::state_;
    using decisions::waits_when_rejected;
    using decisions::why_refused;

  public:
    using result_type = wrapped_return_t<F, Args...>;
    using value_type = typename result_type::value_type;
    using arguments_type = std::tuple<Args&&...>;
    using decisions::form;

    template <policy_kind Kind>
    static constexpr bool has = Policies::template has<Kind>;

    operation(F& callable, Policies const& policies, Args&&... args) noexcept
        : decisions{policies}, callable_{callable}, arguments_{std::forward<Args>(args)...} {}

    using decisions::clock;
    using decisions::emit;

    result_type run() {
        if constexpr (has<policy_kind::attempt_timeout>) check_timed<F, Args...>();
        if constexpr (has<policy_kind::hedge>)
            check_raced<value_type, has<policy_kind::threads>, F, Args...>();
        if constexpr (has<policy_kind::abandon>) check_abandoned<value_type, F, Args...>();
        begin_retries();
        if constexpr (has_preamble) {
            if (auto end = begin()) [[unlikely]]
                return *std::move(end);
        }
        attempt_permits permits;
        if constexpr (attempt_permits::any) {
            if constexpr (attempt_permits::may_wait) this->stands_in_line();
            auto&& time = first_clock();
            if (auto const* refused = permits.acquire(policies_, time, *this)) [[unlikely]]
                return reject(permits, *refused);
        }
        return proceed(permits);
    }

    // ---- what a persistence session needs to see and to say

    arguments_type& arguments() noexcept { return arguments_; }
    /// Whether the callable lets its arguments be.
    static constexpr bool takes_constants = detail::takes_constants<F, Args...>;

    /// Ends in failure without a word to the record.
    void end_unrecorded(failure& last, stop_reason why) noexcept {
        failure_access::set_end(last, why, made_);
        outer_permits_.release();
    }

    /// Ends in failure: all of it that comes before the record.
    [[gnu::always_inline]] inline void end_guarded(failure& last, stop_reason why) noexcept {
        failure_access::set_end(last, why, made_);
        if (nested_retries::gave_up(why, made_)) nested_retries::note(last);
        if constexpr (operation_permits::any) {
            if (called_)
                outer_permits_.failed(last.category(), true, clock());
            else
                outer_permits_.release();  // nothing was called: there is nothing to say of it
        }
    }

    /// Ends in failure.
    result_type finish(failure last, stop_reason why) {
        end(last, why);
        return result_type{in_place<failure>{}, std::move(last)};
    }

  private:
    friend class attempt_call<operation>;            // detail/attempt_call.hpp
    friend class direct_call<F, Policies, Args...>;  // detail/direct_call.hpp
    friend struct awaitable_driver;  // the same in a coroutine: async/detail/awaitable_driver.hpp
    friend struct coroutine_call;    // async/detail/coroutine_call.hpp
    template <class Executor>
    friend struct awaited_attempt;  // async/detail/awaited_attempt.hpp
    template <class Executor, class Operation>
    friend class hedge_race;  // async/detail/hedge_race.hpp
    template <class Operation>
    friend class thread_race;  // guard/detail/thread_race.hpp
    template <class Operation>
    friend class racing_frame;  // guard/detail/thread_race.hpp
    template <class Driver, class Executor>
    friend struct awaited_fallbacks;  // async/detail/awaited_fallbacks.hpp
    template <class Driver, class Executor>
    friend struct awaited_cache;  // async/detail/awaited_cache.hpp
    template <class Executor>
    friend struct awaited_record;  // async/detail/awaited_record.hpp

    static auto find_timeout() {
        if constexpr (has<policy_kind::attempt_timeout>)
            return std::type_identity<decltype(timeout_of(
                std::declval<Policies const&>().template get<policy_kind::attempt_timeout>()))>{};
        else
            return std::type_identity<nothing>{};
    }
    using timeout_type = typename decltype(find_timeout())::type;

    static constexpr bool has_preamble = has<policy_kind::persist> || has<policy_kind::deadline> ||
                                         has<policy_kind::observer> || has<policy_kind::stop> ||
                                         has<policy_kind::trace> || operation_permits::any;
    static constexpr bool has_epilogue =
        has<policy_kind::persist> || has<policy_kind::observer> || operation_permits::any;

    template <class P>
    static auto find_session() {
        if constexpr (has<policy_kind::persist>) {
            using policy = std::remove_cvref_t<
                decltype(std::declval<P const&>().template get<policy_kind::persist>())>;
            return std::type_identity<
                std::optional<typename policy::template session<operation, result_type>>>{};
        } else {
            return std::type_identity<nothing>{};
        }
    }

    /// Makes the first attempt, and what follows.
    result_type proceed(attempt_permits& permits) {
        auto outcome = call(permits);
        if (outcome.has_value()) [[likely]] {
            if constexpr (attempt_permits::any) permits.succeeded(clock());
            if constexpr (has_epilogue) succeed(outcome);
        } else {
            recover(outcome, permits);
        }
        return outcome;
    }

    /// What the first attempt's guards read: the deadline has just looked at the clock, and that costs more than
    /// most guards do. Not where something has come between that may take long: a store, an observer, a queue.
    decltype(auto) first_clock() const noexcept {
        using as_it_was = read_clock<std::remove_reference_t<decltype(clock())>>;
        if constexpr (has<policy_kind::deadline> && !has<policy_kind::persist> &&
                      !has<policy_kind::observer> && !operation_permits::may_wait &&
                      operation_permits::template may_go_by<as_it_was> &&
                      attempt_permits::template may_go_by<as_it_was>)
            return as_it_was{clock(), this->started_};
        else
            return clock();
    }

    void begin_retries() noexcept {
        if constexpr (decisions::is_coroutine && has_state) state_.form = runs_as::coroutine;
        if constexpr (has<policy_kind::hedge>)
            policies_.template get<policy_kind::hedge>().deposit();
        if constexpr (has<policy_kind::budget>)
            policies_.template get<policy_kind::budget>().deposit();
    }

    void end(failure& last, stop_reason why) {
        end_guarded(last, why);
        if constexpr (has<policy_kind::persist>) {
            if (session_) session_->failed(last);
        }
        emit(event_kind::operation_failed, &last);
    }

    /// Returns: the end, where nothing is called.
    std::optional<result_type> begin() {
        if (auto end = begin_unrecorded()) return end;
        if constexpr (has<policy_kind::persist>)
            if (auto end = session_->open()) return end_opened(*std::move(end));
        return std::nullopt;
    }

    /// All of it that comes before the record.
    [[gnu::always_inline]] inline std::optional<result_type> begin_unrecorded() {
        if constexpr (has<policy_kind::deadline>) this->start_deadline();
        if constexpr (has<policy_kind::trace>) this->start_trace();
        if constexpr (has<policy_kind::stop> && has_state) state_.stop = this->stop_token();
        if constexpr (has<policy_kind::persist>) {
            session_.emplace(*this, policies_.template get<policy_kind::persist>());
            this->name_in_events(session_->id());
        }
        emit_in_place(event_kind::operation_started);
        if (this->stopping())
            return give_up(failure{category::cancelled, errc::cancelled}, stop_reason::cancelled);
        if constexpr (operation_permits::any) {
            if constexpr (operation_permits::may_wait) this->stands_in_line();
            auto&& time = first_clock();
            if (auto const* refused = outer_permits_.acquire(policies_, time, *this)) {
                auto const what = rejection(*refused);
                emit(event_kind::rejected, &what);
                return give_up(what, why_refused(*refused));
            }
        }
        if constexpr (has<policy_kind::deadline>) {
            if (this->begins_too_late())
                return give_up(failure{category::unknown, errc::deadline_exceeded},
                               stop_reason::deadline);
        }
        return std::nullopt;
    }

    /// Ends with what the record, or another call, has.
    result_type end_opened(result_type outcome) {
        if (outcome.has_value()) {
            outer_permits_.release();
            emit(event_kind::operation_succeeded);
        } else {
            emit(event_kind::operation_failed, &outcome.assume_error());
        }
        return outcome;
    }

    /// Ends before a record was looked at.
    result_type give_up(failure what, stop_reason why) {
        if constexpr (has<policy_kind::persist>) session_->leave();
        return finish(std::move(what), why);
    }

    static constexpr void check_hedge() { check_hedged<F, Args...>(); }

    [[gnu::always_inline]] inline void begin_attempt() noexcept {
        made_ = next_number();
        given_up_before_ = nested_retries::last.count;
        if constexpr (operation_permits::any) called_ = true;
        emit_in_place(event_kind::attempt_started);
    }

    /// Calls the callable once; whatever it throws becomes a failure.
    [[gnu::always_inline]] inline result_type call(attempt_permits& permits) {
        begin_attempt();
        return attempt_call<operation>{*this}.make(permits);
    }

    /// Calls once more, into the result of the attempt before.
    void call_again(result_type& outcome, attempt_permits& permits) {
        std::destroy_at(&outcome);
        try {
            ::new (static_cast<void*>(std::addressof(outcome))) result_type(call(permits));
        } catch (...) {
            // Only the cancellation of a thread comes here: the caller will destroy a result.
            ::new (static_cast<void*>(std::addressof(outcome))) result_type{in_place<failure>{}};
            throw;
        }
    }

    std::uint32_t next_number() const noexcept {
        if constexpr (has_state)
            return state_.attempt;
        else
            return made_ + 1;
    }

    /// Calls a value a failure where a check says so.
    void check_value([[maybe_unused]] result_type& outcome) const {
        if constexpr (has<policy_kind::value_check>) {
            if (outcome.has_value())
                if (auto what = reject_value(outcome))
                    outcome = result_type{in_place<failure>{}, *std::move(what)};
        }
    }

    std::optional<failure> reject_value(result_type const& outcome) const {
        static_assert(!std::is_void_v<value_type>,
                      "recoup: retry_if has no value to look at: the callable returns void");
        auto found = std::optional<failure>{};
        if constexpr (!std::is_void_v<value_type>) {
            policies_.template each<policy_kind::value_check>([&](auto const& check) {
                if (!found) found = check.inspect(outcome.assume_value());
            });
        }
        return found;
    }

    [[gnu::always_inline]] inline void succeed([[maybe_unused]] result_type& outcome) {
        outer_permits_.succeeded(clock());
        if constexpr (has<policy_kind::persist>)
            return end_recorded(outcome, session_->succeeded(outcome));
        emit_in_place(event_kind::operation_succeeded);
    }

    /// Ends with a success, or without one where that was `lost` with its record.
    template <class Lost>
    void end_recorded(result_type& outcome, Lost lost) {
        if (lost) {
            failure_access::set_end(lost->cause, lost->why, made_);
            emit(event_kind::operation_failed, &lost->cause);
            outcome = result_type{in_place<failure>{}, std::move(lost->cause)};
            return;
        }
        emit(event_kind::operation_succeeded);
    }

    /// The first attempt was not admitted.
    result_type reject(attempt_permits& permits, guard_rejection const& refused) {
        auto outcome = result_type{in_place<failure>{}, rejection(refused)};
        refuse(outcome, permits, refused);
        return outcome;
    }

    /// Goes on from a rejection: quick where it is the end, for rejections come in floods.
    void refuse(result_type& outcome, attempt_permits& permits, guard_rejection const& refused) {
        if (waits_when_rejected()) {
            recover(outcome, permits, &refused);
        } else {
            end_refused(outcome, refused);
        }
    }

    void end_refused(result_type& outcome, guard_rejection const& refused) {
        emit(event_kind::rejected, &outcome.assume_error());
        end(outcome.assume_error(), why_refused(refused));
    }

    /// Goes on from an attempt that failed, or that was refused by a guard, until a value or the end.
    ///
    /// Pre: `outcome` holds a failure. Not marked as cold: it would be compiled for size, which
    /// makes a failed attempt twice as slow.
    [[gnu::noinline]] void recover(result_type& outcome, attempt_permits& permits,
                                   guard_rejection const* refused = nullptr) {
        auto driven = this->make_machine();
        [[maybe_unused]] auto called = false;
        // Whether guards were told of a failed attempt that another one follows.
        [[maybe_unused]] auto open = false;
        while (true) {
            auto& last = outcome.assume_error();
            step next;
            if (refused) {
                next = this->after_rejection(driven, *refused, *this);
            } else {
                next = this->after_failure(driven, last, permits);
                called = true;
                open = next.next == step::action::attempt;
            }
            auto why = next.why;
            if (next.next == step::action::attempt) why = pause(driven, next, last);
            if (next.next == step::action::finish || why != stop_reason::none) {
                if constexpr (attempt_permits::any) {
                    if (open)
                        attempt_permits::operation_failed(policies_, last.category(), clock(),
                                                          *this);
                }
                return end(last, why);
            }
            if constexpr (has_state) state_.attempt = driven.attempt();
            if constexpr (attempt_permits::any) {
                refused = permits.acquire(policies_, clock(), *this);
                if (refused) continue;
            } else {
                refused = nullptr;
            }
            if constexpr (has_state) {
                previous_ = std::move(last);
                state_.previous = called ? &previous_ : nullptr;
            }
            call_again(outcome, permits);
            if (outcome.has_value()) {
                if constexpr (attempt_permits::any) permits.succeeded(clock());
                if constexpr (has_epilogue) succeed(outcome);
                return;
            }
        }
    }

    /// Records and waits before the next attempt.
    ///
    /// Returns: why it must not be made, or `none`.
    stop_reason pause(machine const& driven, step const& next, failure const& last) {
        if (auto const why = before_wait(driven, next, last); why != stop_reason::none) return why;
        return this->after_wait(this->wait(next.delay));
    }

    stop_reason before_wait(machine const& driven, step const& next, failure const& last) {
        if constexpr (has<policy_kind::persist>) {
            auto const why = session_->before_retry(driven.spent(), last, next.delay);
            if (why != stop_reason::none) return why;
        } else {
            static_cast<void>(driven);
        }
        return this->schedule(next, last);
    }

    F& callable_;
    arguments_type arguments_;
    [[no_unique_address]] operation_permits outer_permits_{};
    [[no_unique_address]] std::conditional_t<operation_permits::any, bool, nothing> called_{};
    [[no_unique_address]] std::conditional_t<has_state, failure, nothing> previous_{};
    [[no_unique_address]] typename decltype(find_session<Policies>())::type session_{};
};

}  // namespace recoup::inline v1::detail
