// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/nothing.hpp>
#include <recoup/detail/policy_set.hpp>

#include <algorithm>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// What one call has, whatever it is that is called: its policies, its time, and what its attempts see of both.
template <class Policies, call_form Form, runs_as Runs>
class operation_scope {
  public:
    template <policy_kind Kind>
    static constexpr bool has = Policies::template has<Kind>;
    static constexpr call_form form = Form;
    static constexpr runs_as runs = Runs;

    operation_scope(operation_scope const&) = delete;
    operation_scope& operator=(operation_scope const&) = delete;

    static auto& clock_of(Policies const& policies) noexcept {
        if constexpr (has<policy_kind::clock>)
            return *policies.template get<policy_kind::clock>().port;
        else
            return machine_clock;
    }
    auto& clock() const noexcept { return clock_of(policies_); }
    operation_state& state() noexcept { return state_; }

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

    std::stop_token stop_token() const noexcept {
        if constexpr (has<policy_kind::stop>)
            return policies_.template get<policy_kind::stop>().token;
        else
            return {};
    }
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

  protected:
    static constexpr bool is_coroutine = Runs == runs_as::coroutine;
    static constexpr bool has_state = takes_attempt(Form) || has<policy_kind::persist>;

    explicit operation_scope(Policies const& policies) noexcept : policies_{policies} {}
    ~operation_scope() = default;

    void start_deadline() noexcept {
        auto const total = deadline_of(policies_.template get<policy_kind::deadline>()).total;
        started_ = clock().now();
        give_up_at_ = total == unlimited ? steady_time::max() : saturating_add(started_, total);
        if constexpr (has_state) {
            state_.give_up_at = give_up_at_;
            show_clock();
        }
    }
    bool begins_too_late() const noexcept { return give_up_at_ <= started_; }

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

    Policies const& policies_;
    // Two members and no class of their own: g++ 12 would pack them into one store, which costs 2 ns.
    [[no_unique_address]] std::conditional_t<has<policy_kind::deadline>, steady_time, nothing>
        started_{};
    [[no_unique_address]] std::conditional_t<has<policy_kind::deadline>, steady_time, nothing>
        give_up_at_{};
    // Without braces, which would have all of it zeroed before its members are set.
    [[no_unique_address]] std::conditional_t<has_state, operation_state, nothing> state_;
};

}  // namespace recoup::inline v1::detail
