// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/alarm_limit.hpp>
#include <recoup/async/detail/asio_failure.hpp>
#include <recoup/async/detail/attempt_scope.hpp>
#include <recoup/async/detail/awaited_race.hpp>
#include <recoup/async/detail/coroutine_call.hpp>
#include <recoup/core/attempt.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/operation.hpp>
#include <recoup/guard/detail/attempt_timed_out.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// One attempt of a coroutine, and the hedges that begin beside it while it lasts; the first success is taken,
/// the others are cancelled, and all are waited for.
///
/// They share the operation.
template <class Executor, class Operation>
class hedge_race final : public awaited_race<Executor> {
    using base = awaited_race<Executor>;
    using typename base::lane;
    using result_type = typename Operation::result_type;
    using permits_type = typename Operation::attempt_permits;
    using clock_type = std::remove_cvref_t<decltype(std::declval<Operation&>().clock())>;
    using cancellation_type = boost::asio::cancellation_type;
    template <class T>
    using awaitable = boost::asio::awaitable<T, Executor>;
    template <policy_kind Kind>
    static constexpr bool has = Operation::template has<Kind>;

  public:
    /// `permits`: of the attempt; after the end those of the racer that `take` tells of.
    hedge_race(Executor const& executor, Operation& op, permits_type& permits, bool throws)
        : base{executor},
          op_{op},
          policy_{op.policies_.template get<policy_kind::hedge>()},
          throws_{throws},
          first_{this->executor(), permits, op.state_} {
        racers_.reserve(most_);
    }

    /// Once, after the end.
    [[nodiscard]] result_type take() { return *std::move(decisive_->found); }

  private:
    /// Whether what ends an attempt in time is an alarm of the clock that was named, and no timer of Asio's.
    static constexpr bool has_own_limit =
        has<policy_kind::clock> && has<policy_kind::attempt_timeout>;
    using limit_type = std::optional<std::conditional_t<
        has_own_limit, alarm_limit<clock_type, attempt_scope<Executor>>, nothing>>;

    struct racer : lane {
        racer(Executor const& executor, permits_type& of, auto& seen)
            : lane{executor}, permits{&of}, state{&seen} {}
        explicit racer(Executor const& executor) : lane{executor} {}

        using state_type = std::conditional_t<Operation::has_state, operation_state, nothing>;

        [[no_unique_address]] permits_type own_permits{};  ///< of a hedge
        [[no_unique_address]] state_type own_state{};      ///< of a hedge
        permits_type* permits = &own_permits;
        state_type* state = &own_state;
        std::optional<result_type> found{};
        limit_type limit{};  ///< while it runs
    };

    // ---- from here on: on the strand

    void start() noexcept override {
        op_.begin_attempt();
        began_ = last_began_ = op_.clock().now();
        if (cancelled_) {
            // It was told to end before it could be heard of.
            fail(first_, failure{category::cancelled, errc::cancelled});
            return finish(first_);
        }
        if constexpr (Operation::has_state) {
            if constexpr (takes_attempt(Operation::form))
                op_.show_scope(first_.scope->stop_token(), coroutine_call::time_limit(op_));
        }
        if (!launch(first_)) return finish(first_);
        wait_for_hedge();
    }

    /// Returns: whether it runs, or has run by now. If not, it has failed.
    bool launch(racer& one) noexcept {
        ++running_;
        try {
            auto limit = coroutine_call::time_limit(op_);
            if constexpr (has_own_limit) {
                if (limit != unlimited) one.limit.emplace(op_.clock(), limit, one.scope);
                limit = unlimited;
            }
            base::launch(one, run_one(one), limit);
            return true;
        } catch (...) {
            --running_;
            one.limit.reset();
            fail(one, failure_now());
            return false;
        }
    }

    /// Throws nothing: what it finds it leaves in `one`.
    awaitable<void> run_one(racer& one) {
        try {
            // Whatever reaches it has passed the filter of the operation's caller.
            co_await boost::asio::this_coro::reset_cancellation_state(
                boost::asio::enable_total_cancellation());
            co_await boost::asio::this_coro::throw_if_cancelled(throws_);
            if (one.scope->cancelled()) {
                fail(one, failure{category::cancelled, errc::cancelled});
            } else {
                [[maybe_unused]] auto current = current_attempt(one);
                if constexpr (std::is_void_v<awaited>) {
                    co_await coroutine_call::invoke(op_, coroutine_call::pointer_to(current));
                    one.found.emplace(in_place<void>{});
                } else {
                    auto&& got =
                        co_await coroutine_call::invoke(op_, coroutine_call::pointer_to(current));
                    one.found.emplace(coroutine_call::result_of<result_type, awaited>(got));
                }
                op_.check_value(*one.found);
            }
        } catch (...) {
            fail(one, failure_now());
        }
        one.scope->ended();
    }

    using awaited = coroutine_call::awaited_of<Operation>;

    static auto current_attempt([[maybe_unused]] racer& one) {
        if constexpr (takes_attempt(Operation::form))
            return attempt{*one.state};
        else
            return nothing{};
    }

    static void fail(racer& one, failure what) noexcept {
        one.found.emplace(in_place<failure>{}, std::move(what));
    }

    /// Whether no other shall begin any more.
    bool decided() const noexcept { return over_ || winner_ || cancelled_ || running_ == 0; }

    void wait_for_hedge() noexcept {
        if (decided() || refused_ || racers_.size() == most_) return;
        try {
            auto const delay = policy_.delay();
            if (delay == unlimited) return;
            auto const when = saturating_add(last_began_, delay);
            if constexpr (has<policy_kind::clock>) {
                alarm_.emplace(op_.clock(), saturating_between(op_.clock().now(), when),
                               this->shared_from_this());
            } else {
                base::wait(saturating_between(op_.clock().now(), when));
            }
        } catch (...) {  // no memory: there is no hedge
            refuse(nullptr);
        }
    }

    void due() noexcept override {
        if (decided()) return;
        alarm_.reset();
        begin_hedge();
        wait_for_hedge();
    }

    void begin_hedge() noexcept {
        if (!policy_.try_withdraw(op_.clock())) return refuse(nullptr);
        racer* one = nullptr;
        try {
            auto made = std::make_unique<racer>(this->executor());
            if constexpr (permits_type::any) {
                if (auto const* no =
                        made->own_permits.try_acquire(op_.policies_, op_.clock(), op_)) {
                    auto const what = op_.rejection(*no);
                    return refuse(&what);
                }
            }
            if constexpr (Operation::has_state)
                made->own_state =
                    op_.state_beside(made->scope->stop_token(), coroutine_call::time_limit(op_));
            racers_.push_back(std::move(made));
            one = racers_.back().get();
        } catch (...) {
            auto const what = failure_now();
            return refuse(&what);
        }
        last_began_ = op_.clock().now();
        policy_.note_begun();
        op_.emit(event_kind::hedged, nullptr, saturating_between(began_, last_began_));
        if (!launch(*one)) lose(*one);
    }

    void refuse(failure const* why) noexcept {
        refused_ = true;  // others of this attempt would be, too
        policy_.note_refused();
        op_.emit(event_kind::hedge_refused, why);
    }

    void ended(lane& of) noexcept override {
        auto& one = static_cast<racer&>(of);
        one.limit.reset();
        if (one.scope->timed_out() && !one.found->has_value()) fail(one, attempt_timed_out());
        --running_;
        if (one.found->has_value()) {
            if (!winner_) {
                win(one);
            } else {
                if constexpr (permits_type::any) {
                    one.permits->succeeded(op_.clock());
                    one.permits->release();
                }
            }
        } else if (winner_) {
            // It was told to end: that says nothing of what was called.
            one.permits->release();
        } else if (running_ != 0) {
            lose(one);
        }
        if (running_ == 0) finish(winner_ ? *winner_ : one);
    }

    void win(racer& one) noexcept {
        winner_ = &one;
        policy_.note_success(saturating_between(began_, op_.clock().now()));
        stop_waiting();
        auto const end = [&](racer& other) {
            if (&other != &one) other.scope->cancel(cancellation_type::terminal);
        };
        end(first_);
        for (auto& other : racers_) end(*other);
    }

    /// It has failed, and others go on.
    void lose(racer& one) noexcept {
        auto& what = one.found->assume_error();
        op_.classify(what);
        if constexpr (permits_type::any) one.permits->failed(what.category(), false, op_.clock());
        op_.emit(event_kind::racer_failed, &what);
    }

    void end_all(cancellation_type type) noexcept override {
        cancelled_ = true;
        if (over_) return;
        stop_waiting();
        first_.scope->cancel(type);
        for (auto& one : racers_) one->scope->cancel(type);
    }

    void stop_waiting() noexcept {
        base::stop_waiting();
        alarm_.reset();
    }

    void finish(racer& one) {
        stop_waiting();
        op_.attempt_returned();
        over_ = true;
        decisive_ = &one;
        if (&one != &first_) {
            *first_.permits = std::move(one.own_permits);
            if (&one == winner_) {
                policy_.note_won();
                op_.emit(event_kind::hedge_won);
            }
        }
        base::go_on();
    }

    using alarm_type =
        std::conditional_t<has<policy_kind::clock>, std::optional<alarm_limit<clock_type, base>>,
                           std::optional<nothing>>;

    Operation& op_;
    std::remove_cvref_t<
        decltype(std::declval<Operation&>().policies_.template get<policy_kind::hedge>())>& policy_;
    std::uint32_t const most_{policy_.most()};
    bool const throws_;
    racer first_;
    std::vector<std::unique_ptr<racer>> racers_;  ///< hedges
    alarm_type alarm_{};
    steady_time began_{};
    steady_time last_began_{};
    std::uint32_t running_ = 0;
    racer* winner_ = nullptr;
    racer* decisive_ = nullptr;  ///< whose end is that of the attempt
    bool refused_ = false;
    bool cancelled_ = false;  ///< from outside
    bool over_ = false;       ///< the operation may be gone
};

}  // namespace recoup::inline v1::detail
