// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/ambient_trace.hpp>
#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/call_trace.hpp>
#include <recoup/detail/deferred_events.hpp>
#include <recoup/detail/observation.hpp>
#include <recoup/detail/operation_scope.hpp>
#include <recoup/detail/policy_set.hpp>

#include <cstdint>
#include <type_traits>

namespace recoup::inline v1::detail {

/// In the place of `deferred_events`; another type than its neighbours, so that it takes no room.
struct kept_nowhere {};
/// The same in the place of the record's identity.
struct named_nowhere {};

/// What an operation without observers has of them.
struct no_observation {
    static constexpr bool any_remembers = false;
};

/// What observers are told of one call, and what it is part of.
template <class Policies, call_form Form, runs_as Runs>
class operation_events : public operation_scope<Policies, Form, Runs> {
    using scope = operation_scope<Policies, Form, Runs>;
    template <policy_kind Kind>
    static constexpr bool has = Policies::template has<Kind>;

  public:
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
        return scope::is_coroutine ? trace_.own() : trace_.own_or_ambient();
    }

    /// Tells observers that the callable has ended. Where it has failed, an event follows.
    [[gnu::always_inline]] inline void attempt_returned() const noexcept {
        if constexpr (observation_type::any_remembers) observation_.attempt_returned(policies_);
    }

    /// Tells observers that time which passes now is spent in the line of a guard.
    [[gnu::always_inline]] inline void stands_in_line() const noexcept {
        if constexpr (observation_type::any_remembers) observation_.waits(policies_);
    }

  protected:
    using scope::policies_;

    explicit operation_events(Policies const& policies) noexcept : scope{policies} {}
    ~operation_events() = default;

    /// `emit` for what each success tells: an observer that chooses by the kind chooses while it is compiled.
    [[gnu::always_inline]] inline void emit_in_place(
        [[maybe_unused]] event_kind kind, [[maybe_unused]] failure const* what = nullptr,
        [[maybe_unused]] duration delay = {}) const noexcept {
        if constexpr (tells_later)
            if (later_.keep(kind, made_, what, delay)) return;
        if constexpr (has<policy_kind::observer>)
            tell({.kind = kind, .attempt = made_, .failure = what, .delay = delay});
    }

    /// From now on events name the operation. `id` stays until its end.
    void name_in_events([[maybe_unused]] operation_ref const& id) noexcept {
        if constexpr (names_record) recorded_as_ = &id;
    }

    void start_trace() noexcept {
        trace_.ask(policies_);
        if constexpr (scope::is_coroutine && scope::has_state) this->state_.trace = trace_.own();
    }

    std::uint32_t made_ = 0;  ///< number of the attempt that was made last
    [[no_unique_address]] call_trace<Policies> trace_{};

  private:
    using observation_type =
        std::conditional_t<has<policy_kind::observer>, observation<Policies>, no_observation>;
    static constexpr bool names_record = has<policy_kind::persist> && has<policy_kind::observer>;
    /// Whether the store is called on other threads than the operation's.
    static constexpr bool tells_later = scope::is_coroutine && names_record;

    [[gnu::always_inline]] inline void tell(event shown) const noexcept {
        if constexpr (names_record) {
            if (recorded_as_) {
                shown.operation = recorded_as_->name;
                shown.key = recorded_as_->key;
            }
        }
        if constexpr (has<policy_kind::trace> || scope::is_coroutine) {
            auto const within = ambient_trace_scope{trace()};
            observation_.tell(policies_, shown);
        } else {
            observation_.tell(policies_, shown);
        }
    }

    [[no_unique_address]] mutable observation_type observation_{};
    [[no_unique_address]] std::conditional_t<names_record, operation_ref const*, named_nowhere>
        recorded_as_{};
    [[no_unique_address]] mutable std::conditional_t<tells_later, deferred_events, kept_nowhere>
        later_{};
};

}  // namespace recoup::inline v1::detail
