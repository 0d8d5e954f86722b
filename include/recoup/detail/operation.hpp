// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/ambient_trace.hpp>
#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/engine.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/nested_retries.hpp>
#include <recoup/detail/attempt_call.hpp>
#include <recoup/detail/call_checks.hpp>
#include <recoup/detail/call_trace.hpp>
#include <recoup/detail/deferred_events.hpp>
#include <recoup/detail/nothing.hpp>
#include <recoup/detail/observation.hpp>
#include <recoup/detail/permits.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/detail/retry_options.hpp>
#include <recoup/detail/versions.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

template <class F, class Policies, class... Args>
class direct_call;

/// In the place of `deferred_events`; another type than its neighbours, so that it takes no room.
struct kept_nowhere {};

/// What an operation without observers has of them.
struct no_observation {
    static constexpr bool any_remembers = false;
};

/// One plain call of a wrapped callable: it drives the engine, and does what the policies decide.
///
/// The path of a success at the first attempt is `run`, or that of `direct_call`, and the permits; all else is
/// out of line, in `recover`. On that path a result is made where the caller wants it and stays there, for
/// moving it would cost more than all the rest.
template <class F, class Policies, class... Args>
class operation {
  public:
    static constexpr call_form form = call_form_of<F, Args...>;
    using result_type = wrapped_return_t<F, Args...>;
    using value_type = typename result_type::value_type;
    using arguments_type = std::tuple<Args&&...>;

    template <policy_kind Kind>
    static constexpr bool has = Policies::template has<Kind>;
    static constexpr runs_as runs =
        adapted_coroutine<raw_return_t<F, Args...>> ? runs_as::coroutine : runs_as::call;

    operation(F& callable, Policies const& policies, Args&&... args) noexcept
        : callable_{callable}, policies_{policies}, arguments_{std::forward<Args>(args)...} {}

    operation(operation const&) = delete;
    operation& operator=(operation const&) = delete;

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
            if constexpr (attempt_permits::may_wait) stands_in_line();
            if (auto const* refused = permits.acquire(policies_, clock(), *this)) [[unlikely]]
                return reject(permits, *refused);
        }
        return proceed(permits);
    }

    // ---- what a persistence session needs to see and to say

    static auto& clock_of(Policies const& policies) noexcept {
        if constexpr (has<policy_kind::clock>)
            return *policies.template get<policy_kind::clock>().port;
        else
            return machine_clock;
    }
    auto& clock() const noexcept { return clock_of(policies_); }
    operation_state& state() noexcept { return state_; }
    arguments_type& arguments() noexcept { return arguments_; }
    auto const& retry() const noexcept {
        return retry_version_.of(policies_.template get<policy_kind::retry>());
    }

    /// When the deadline is over.
    steady_time give_up_at() const noexcept {
        if constexpr (has<policy_kind::deadline>)
            return give_up_at_;
        else
            return steady_time::max();
    }

    /// What is left of the deadline; negative when it has passed.
    duration left() const noexcept {
        if constexpr (has<policy_kind::deadline>) {
            if (give_up_at_ == steady_time::max()) return unlimited;
            return saturating_between(clock().now(), give_up_at_);
        } else {
            return unlimited;
        }
    }

    /// The time spent so far in this process; zero where no deadline makes it matter.
    duration active() const noexcept {
        if constexpr (has<policy_kind::deadline>)
            return saturating_between(started_, clock().now());
        else
            return duration{};
    }

    /// Takes time that earlier processes spent off the deadline.
    void shorten_deadline([[maybe_unused]] duration spent) noexcept {
        if constexpr (has<policy_kind::deadline>) {
            if (give_up_at_ == steady_time::max()) return;
            give_up_at_ = saturating_add(give_up_at_, -spent);
            state_.give_up_at = give_up_at_;
        }
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

    /// Whether the callable lets its arguments be.
    static constexpr bool takes_constants = detail::takes_constants<F, Args...>;

    bool stopping() const noexcept {
        if constexpr (has<policy_kind::stop>)
            return policies_.template get<policy_kind::stop>().token.stop_requested();
        else
            return false;
    }

    /// Returns: false when the wait was cut short by a stop request.
    bool wait(duration delay) {
        if (delay <= duration{}) return !stopping();
        auto& time = clock();
        if constexpr (has<policy_kind::stop>)
            return time.wait_until(saturating_add(time.now(), delay),
                                   policies_.template get<policy_kind::stop>().token);
        else
            return time.wait_until(saturating_add(time.now(), delay), std::stop_token{});
    }

    std::stop_token stop_token() const noexcept {
        if constexpr (has<policy_kind::stop>)
            return policies_.template get<policy_kind::stop>().token;
        else
            return {};
    }

    void emit(event_kind kind, failure const* what = nullptr, duration delay = {}) const noexcept {
        emit_in_place(kind, what, delay);
    }

    /// What follows goes on on another thread: observers are told of it on that of the operation, by `tell_now`.
    void tell_later() noexcept {
        if constexpr (tells_later) later_.begin();
    }
    void tell_now() noexcept {
        if constexpr (tells_later) {
            for (auto const& one : later_.take())
                tell({.kind = one.kind,
                      .attempt = one.attempt,
                      .failure = one.cause(),
                      .delay = one.delay});
        }
    }

    /// What the call is part of, or null.
    trace_context const* trace() const noexcept {
        return is_coroutine ? trace_.own() : trace_.own_or_ambient();
    }

    /// Tells observers that the callable has ended. Where it has failed, an event follows.
    void attempt_returned() const noexcept {
        if constexpr (observation_type::any_remembers) observation_.attempt_returned(policies_);
    }

    /// Tells observers that time which passes now is spent in the line of a guard.
    void stands_in_line() const noexcept {
        if constexpr (observation_type::any_remembers) observation_.waits(policies_);
    }

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

    using attempt_permits = permits<Policies, false>;
    using operation_permits = permits<Policies, true>;
    template <policy_kind Kind>
    using version_of = seen_version<
        std::remove_cvref_t<decltype(std::declval<Policies const&>().template get<Kind>())>>;
    using machine = engine<typename version_of<policy_kind::retry>::type>;

    static auto find_timeout() {
        if constexpr (has<policy_kind::attempt_timeout>)
            return std::type_identity<decltype(timeout_of(
                std::declval<Policies const&>().template get<policy_kind::attempt_timeout>()))>{};
        else
            return std::type_identity<nothing>{};
    }
    using timeout_type = typename decltype(find_timeout())::type;

    using observation_type =
        std::conditional_t<has<policy_kind::observer>, observation<Policies>, no_observation>;

    static constexpr bool has_state = takes_attempt(form) || has<policy_kind::persist>;
    static constexpr bool has_preamble = has<policy_kind::persist> || has<policy_kind::deadline> ||
                                         has<policy_kind::observer> || has<policy_kind::stop> ||
                                         has<policy_kind::trace> || operation_permits::any;
    static constexpr bool is_coroutine = runs == runs_as::coroutine;
    /// Whether the store is called on other threads than the operation's.
    static constexpr bool tells_later =
        is_coroutine && has<policy_kind::persist> && has<policy_kind::observer>;
    static constexpr bool has_epilogue =
        has<policy_kind::persist> || has<policy_kind::observer> || operation_permits::any;

    /// `emit` for what each success tells: an observer that chooses by the kind chooses while it is compiled.
    [[gnu::always_inline]] inline void emit_in_place(
        [[maybe_unused]] event_kind kind, [[maybe_unused]] failure const* what = nullptr,
        [[maybe_unused]] duration delay = {}) const noexcept {
        if constexpr (tells_later)
            if (later_.keep(kind, made_, what, delay)) return;
        if constexpr (has<policy_kind::observer>)
            tell({.kind = kind, .attempt = made_, .failure = what, .delay = delay});
    }

    [[gnu::always_inline]] inline void tell(event shown) const noexcept {
        if constexpr (has<policy_kind::persist>) {
            if (session_) {
                shown.operation = session_->id().name;
                shown.key = session_->id().key;
            }
        }
        if constexpr (has<policy_kind::trace> || is_coroutine) {
            auto const within = ambient_trace_scope{trace()};
            observation_.tell(policies_, shown);
        } else {
            observation_.tell(policies_, shown);
        }
    }

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

    void begin_retries() noexcept {
        if constexpr (is_coroutine && has_state) state_.form = runs_as::coroutine;
        if constexpr (has<policy_kind::hedge>)
            policies_.template get<policy_kind::hedge>().deposit();
        if constexpr (has<policy_kind::budget>)
            policies_.template get<policy_kind::budget>().deposit();
    }

    /// Whether the callable has asked for the idempotency token: the other side knows a repetition.
    bool hands_token_on() const noexcept {
        if constexpr (has_state)
            return !is_zero(state_.token);
        else
            return false;
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
        if constexpr (has<policy_kind::deadline>) start_deadline();
        if constexpr (has<policy_kind::trace>) {
            trace_.ask(policies_);
            if constexpr (is_coroutine && has_state) state_.trace = trace_.own();
        }
        if constexpr (has<policy_kind::stop> && has_state) state_.stop = stop_token();
        if constexpr (has<policy_kind::persist>) {
            session_.emplace(*this, policies_.template get<policy_kind::persist>());
        }
        emit_in_place(event_kind::operation_started);
        if (stopping())
            return give_up(failure{category::cancelled, errc::cancelled}, stop_reason::cancelled);
        if constexpr (operation_permits::any) {
            if constexpr (operation_permits::may_wait) stands_in_line();
            if (auto const* refused = outer_permits_.acquire(policies_, clock(), *this)) {
                auto const what = rejection(*refused);
                emit(event_kind::rejected, &what);
                return give_up(what, why_refused(*refused));
            }
        }
        if constexpr (has<policy_kind::deadline>) {
            if (give_up_at_ <= started_) return give_up(deadline_passed(), stop_reason::deadline);
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

    static failure deadline_passed() { return failure{category::unknown, errc::deadline_exceeded}; }
    static failure rejection(guard_rejection const& refused) noexcept {
        return failure{refused.category, refused.code};
    }

    void start_deadline() noexcept {
        auto const total = deadline_of(policies_.template get<policy_kind::deadline>()).total;
        started_ = clock().now();
        give_up_at_ = total == unlimited ? steady_time::max() : saturating_add(started_, total);
        if constexpr (has_state) {
            state_.give_up_at = give_up_at_;
            show_clock();
        }
    }

    /// Lets attempts see how much time is left.
    void show_clock() noexcept {
        if constexpr (has<policy_kind::clock>) {
            using port = std::remove_cvref_t<decltype(clock())>;
            state_.clock = &clock();
            state_.now = [](void const* at) noexcept {
                return const_cast<port*>(static_cast<port const*>(at))->now();
            };
        } else {
            state_.now = [](void const*) noexcept { return real_clock::now(); };
        }
    }

    /// What an attempt sees that may be ended by itself: its stop token, and the end of its time.
    void show_scope(std::stop_token stop, duration limit) noexcept {
        state_.stop = std::move(stop);
        if (limit == unlimited) return;
        show_clock();
        state_.give_up_at = std::min(give_up_at(), saturating_add(clock().now(), limit));
    }

    /// The same, of one that runs beside others. Its checkpoint is that of the operation, its token as well.
    /// Throws: recovery_error where there is no token to be had; std::bad_alloc.
    operation_state state_beside(std::stop_token stop, duration limit) {
        // Now: both may ask for it, and have to get the same one.
        if (is_zero(state_.token)) state_.token = make_token();
        auto own = state_;
        own.stop = std::move(stop);
        own.on_stop_token = nullptr;
        own.give_up_at = give_up_at();
        if (limit != unlimited)
            own.give_up_at = std::min(own.give_up_at, saturating_add(clock().now(), limit));
        return own;
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

    void succeed([[maybe_unused]] result_type& outcome) {
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

    /// A guard that lets an attempt wait rejects it where nobody has time for that any more.
    stop_reason why_refused(guard_rejection const& refused) const noexcept {
        if constexpr (attempt_permits::may_wait || operation_permits::may_wait) {
            if (stopping()) return stop_reason::cancelled;
            if (left() <= duration{}) return stop_reason::deadline;
        }
        return refused.why;
    }

    bool waits_when_rejected() const noexcept { return detail::waits_when_rejected(retry()); }

    /// Goes on from an attempt that failed, or that was refused by a guard, until a value or the end.
    ///
    /// Pre: `outcome` holds a failure. Not marked as cold: it would be compiled for size, which
    /// makes a failed attempt twice as slow.
    [[gnu::noinline]] void recover(result_type& outcome, attempt_permits& permits,
                                   guard_rejection const* refused = nullptr) {
        auto driven = make_machine();
        [[maybe_unused]] auto called = false;
        // Whether guards were told of a failed attempt that another one follows.
        [[maybe_unused]] auto open = false;
        while (true) {
            auto& last = outcome.assume_error();
            step next;
            if (refused) {
                next = after_rejection(driven, *refused);
            } else {
                next = after_failure(driven, last, permits);
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

    machine make_machine() const noexcept {
        if constexpr (has<policy_kind::persist>)
            if (spent_) return machine{retry(), *spent_};
        return machine{retry()};
    }

    step after_failure(machine& driven, failure& last, attempt_permits& permits) {
        classify(last);
        emit(event_kind::attempt_failed, &last);
        auto next = step{.why = stop_reason::cancelled};
        if (!stopping()) {
            if constexpr (has_state) {
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

    /// What keeps the next attempt from being made although the retry policy wants it, or `none`.
    stop_reason why_not_again([[maybe_unused]] failure const& last) {
        if (consumes_arguments(form)) return stop_reason::arguments_consumed;
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

    step after_rejection(machine& driven, guard_rejection const& refused) {
        auto what = rejection(refused);
        emit(event_kind::rejected, &what);
        auto const why = why_refused(refused);
        failure_access::set_end(what, why, made_);
        if constexpr (attempt_permits::any) {
            if (why != refused.why) return {.why = why};
            return driven.rejected(what, waits_when_rejected(),
                                   attempt_permits::retry_in(policies_, clock(), *this), left(),
                                   clock().random());
        } else {
            static_cast<void>(driven);
            return {.why = why};
        }
    }

    void classify(failure& what) const noexcept {
        auto const found =
            rules_version_.of(policies_.template get<policy_kind::classifier>()).classify(what);
        failure_access::set_category(what, found.category);
        if (found.recoverability != recoverability::unknown)
            failure_access::set_recoverability(what, found.recoverability);
    }

    /// Records and waits before the next attempt.
    ///
    /// Returns: why it must not be made, or `none`.
    stop_reason pause(machine const& driven, step const& next, failure const& last) {
        if (auto const why = before_wait(driven, next, last); why != stop_reason::none) return why;
        return after_wait(wait(next.delay));
    }

    stop_reason before_wait(machine const& driven, step const& next, failure const& last) {
        if constexpr (has<policy_kind::persist>) {
            auto const why = session_->before_retry(driven.spent(), last, next.delay);
            if (why != stop_reason::none) return why;
        } else {
            static_cast<void>(driven);
        }
        return schedule(next, last);
    }

    /// All of it that comes after the record.
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

    F& callable_;
    Policies const& policies_;
    arguments_type arguments_;
    std::uint32_t made_ = 0;             ///< number of the attempt that was made last
    std::uint64_t given_up_before_ = 0;  ///< `nested_retries::last.count` when it began
    [[no_unique_address]] mutable version_of<policy_kind::retry> retry_version_{};
    [[no_unique_address]] mutable version_of<policy_kind::classifier> rules_version_{};
    [[no_unique_address]] mutable observation_type observation_{};
    [[no_unique_address]] call_trace<Policies> trace_{};
    [[no_unique_address]] operation_permits outer_permits_{};
    [[no_unique_address]] std::conditional_t<operation_permits::any, bool, nothing> called_{};
    // Two members and no class of their own: g++ 12 would pack them into one store, which costs 2 ns.
    [[no_unique_address]] std::conditional_t<has<policy_kind::deadline>, steady_time, nothing>
        started_{};
    [[no_unique_address]] std::conditional_t<has<policy_kind::deadline>, steady_time, nothing>
        give_up_at_{};
    // Without braces, which would have all of it zeroed before its members are set.
    [[no_unique_address]] std::conditional_t<has_state, operation_state, nothing> state_;
    [[no_unique_address]] std::conditional_t<has_state, failure, nothing> previous_{};
    /// What an earlier process left.
    [[no_unique_address]] std::conditional_t<has<policy_kind::persist>, std::optional<budget_spent>,
                                             nothing> spent_{};
    [[no_unique_address]] typename decltype(find_session<Policies>())::type session_{};
    [[no_unique_address]] mutable std::conditional_t<tells_later, deferred_events, kept_nowhere>
        later_{};
};

}  // namespace recoup::inline v1::detail
