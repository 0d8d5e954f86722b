// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/ambient_trace.hpp>
#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/attempt_call.hpp>
#include <recoup/detail/guarded_call.hpp>
#include <recoup/detail/nothing.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/guard/detail/abandon_core.hpp>
#include <recoup/guard/detail/abandonable_call.hpp>
#include <recoup/guard/detail/attempt_timed_out.hpp>
#include <recoup/guard/detail/await_on.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// What one racer has of its operation, which it may outlive, and how it is called.
template <class Operation>
class racing_frame {
    using result_type = typename Operation::result_type;
    static constexpr bool takes_state = takes_attempt(Operation::form);

  public:
    /// Throws: recovery_error where there is no idempotency token to be had; std::bad_alloc.
    explicit racing_frame(Operation& op) : clock_{&op.clock()}, trace_{op.trace_} {
        if constexpr (takes_state) {
            if constexpr (timed) {
                timeout_ = timeout_of(op.policies_.template get<policy_kind::attempt_timeout>());
                op.show_clock();
            }
            state_ = op.state_beside(stop_.get_token(), unlimited);
            if (state_.previous) previous_ = *state_.previous;
        }
    }

    /// Tells it to end.
    void request_stop() noexcept {
        if constexpr (takes_state) stop_.request_stop();
    }

    [[nodiscard]] auto& state() noexcept { return state_; }

    /// On a thread of the pool.
    template <class Call>
    result_type operator()(Call&& call) {
        if constexpr (Operation::template has<policy_kind::trace>) {
            auto const within = ambient_trace_scope{trace_.own()};
            return called(call);
        } else {
            return called(call);
        }
    }

  private:
    static constexpr bool timed = Operation::template has<policy_kind::attempt_timeout>;
    using clock_type = std::remove_cvref_t<decltype(std::declval<Operation&>().clock())>;
    template <class T>
    using with_state = std::conditional_t<takes_state, T, nothing>;

    template <class Call>
    result_type called(Call& call) {
        if constexpr (takes_state) {
            if (state_.previous) state_.previous = &previous_;
            auto const once = [&] {
                return guarded_call<result_type>([&] {
                    auto current = attempt{state_};
                    return call(current);
                });
            };
            if constexpr (timed)
                return attempt_call<Operation>::within(timeout_, *clock_, state_, state_.give_up_at,
                                                       stop_.get_token(), once);
            else
                return once();
        } else {
            return guarded_call<result_type>([&] { return call(); });
        }
    }

    clock_type* clock_;
    [[no_unique_address]] decltype(std::declval<Operation&>().trace_) trace_;
    [[no_unique_address]] with_state<operation_state> state_{};
    [[no_unique_address]] with_state<failure> previous_{};
    [[no_unique_address]] with_state<std::stop_source> stop_{};
    [[no_unique_address]] typename Operation::timeout_type timeout_{};
};

/// One attempt of a plain call on a thread of a pool, and the hedges that begin beside it while it lasts; the first
/// success is taken, and the others are told to end, and let go.
///
/// All but the callable runs on the thread of the caller: what is decided here is what `hedge_race` decides for
/// coroutines.
template <class Operation>
class thread_race {
    using result_type = typename Operation::result_type;
    using permits_type = typename Operation::attempt_permits;
    using frame_type = racing_frame<Operation>;
    using calls = attempt_call<Operation>;
    using work_type = typename calls::template work_of<abandonable_calls, frame_type>;
    using policy_type = std::remove_cvref_t<
        decltype(std::declval<Operation&>().policies_.template get<policy_kind::hedge>())>;

  public:
    /// `permits`: of the attempt; after the end those of the one that decided it.
    thread_race(Operation& op, abandon_core& pool, permits_type& permits)
        : op_{op},
          pool_{pool},
          policy_{op.policies_.template get<policy_kind::hedge>()},
          permits_{permits} {}
    thread_race(thread_race const&) = delete;
    thread_race& operator=(thread_race const&) = delete;
    /// Also where the waiting thread is cancelled.
    ~thread_race() {
        if (!over_) end_others(nullptr);
    }

    /// Returns: null, or why the attempt does not run on the pool; then nothing has begun.
    /// Throws: std::bad_alloc; std::system_error; what copying the callable and the arguments throws.
    [[nodiscard]] failure const* begin() {
        began_ = op_.clock().now();
        first_.work = calls{op_}.template work_apart<work_type>(frame_type{op_}, nullptr);
        if (auto const* refused = pool_.begin(first_.work)) {
            over_ = true;
            return refused;
        }
        running_ = 1;
        set_due(began_);
        return nullptr;
    }

    /// Waits for what decides the attempt.
    [[nodiscard]] result_type run() {
        while (true) {
            if (auto* const one = await_end()) {
                auto found = one->work->take();
                op_.check_value(found);
                if (found.has_value())
                    win(*one);
                else if (running_ == 0)
                    finish(*one);
                else
                    lose(*one, found.assume_error());
                if (over_) return found;
            } else if (op_.stopping()) {
                return leave(failure{category::cancelled, errc::cancelled});
            } else if (op_.left() <= duration{}) {
                return leave(attempt_timed_out());
            } else {
                begin_hedge();
            }
        }
    }

  private:
    struct racer {
        std::shared_ptr<work_type> work{};
        [[no_unique_address]] permits_type own_permits{};  ///< of a hedge
        bool over = false;
    };

    /// Waits for the next end, the moment of a hedge, the end of the operation's time, or a stop.
    ///
    /// Returns: null, or whose end it is.
    racer* await_end() {
        racer* found = nullptr;
        auto const ready = [&] {
            each([&](racer& one) {
                if (!found && !one.over && one.work->ended()) found = &one;
            });
            return found != nullptr;
        };
        await_on(op_.clock(), std::min(due_, op_.give_up_at()), op_.stop_token(),
                 [&](steady_time until, std::stop_token const& stop) {
                     pool_.wait(*first_.work, until, stop, ready);
                 });
        if (found) {
            found->over = true;
            --running_;
        }
        return found;
    }

    void set_due(steady_time last_began) noexcept {
        due_ = steady_time::max();
        if (refused_ || hedges_.size() == most_) return;
        if (auto const delay = policy_.delay(); delay != unlimited)
            due_ = saturating_add(last_began, delay);
    }

    void begin_hedge() {
        if (!policy_.try_withdraw(op_.clock())) return refuse(nullptr);
        auto const begun = guarded_call<result<void>>([this] { return launch_hedge(); });
        if (!begun) return refuse(&begun.assume_error());
        auto const now = op_.clock().now();
        ++running_;
        policy_.note_begun();
        op_.emit(event_kind::hedged, nullptr, saturating_between(began_, now));
        set_due(now);
    }

    result<void> launch_hedge() {
        hedges_.reserve(most_);
        auto made = racer{};
        if constexpr (permits_type::any) {
            if (auto const* no = made.own_permits.try_acquire(op_.policies_, op_.clock(), op_))
                return op_.rejection(*no);
        }
        made.work = calls{op_}.template work_apart<work_type>(frame_type{op_}, first_.work);
        if (auto const* no = pool_.begin(made.work)) return failure{*no};
        hedges_.push_back(std::move(made));
        return boost::outcome_v2::success();
    }

    void refuse(failure const* why) noexcept {
        refused_ = true;  // others of this attempt would be, too
        due_ = steady_time::max();
        policy_.note_refused();
        op_.emit(event_kind::hedge_refused, why);
    }

    /// It has failed, and others go on.
    void lose(racer& one, failure& what) noexcept {
        op_.classify(what);
        if constexpr (permits_type::any)
            permits_of(one).failed(what.category(), false, op_.clock());
        op_.emit(event_kind::racer_failed, &what);
    }

    void win(racer& one) noexcept {
        policy_.note_success(saturating_between(began_, op_.clock().now()));
        end_others(&one);
        decide(one);
        if (&one != &first_) {
            policy_.note_won();
            op_.emit(event_kind::hedge_won);
        }
    }

    /// All have failed, this one last.
    void finish(racer& one) noexcept {
        over_ = true;
        decide(one);
        if constexpr (takes_attempt(Operation::form)) {
            // What a hedge has saved it alone has seen.
            auto& state = first_.work->frame().state();
            op_.state_.checkpoint = std::move(state.checkpoint);
            op_.state_.progressed = op_.state_.progressed || state.progressed;
        }
    }

    /// Nobody waits any longer.
    result_type leave(failure why) {
        end_others(nullptr);
        op_.attempt_returned();
        return result_type{in_place<failure>{}, std::move(why)};
    }

    void decide(racer& one) noexcept {
        op_.attempt_returned();
        if (&one != &first_) {
            permits_.release();
            permits_ = std::move(one.own_permits);
        }
    }

    /// Tells all others that still run to end, and lets go of them.
    void end_others(racer const* but) noexcept {
        over_ = true;
        each([&](racer& one) {
            if (&one == but || one.over || !one.work) return;
            auto const goes_on = pool_.let_go(*one.work);
            one.work->frame().request_stop();
            if (goes_on) {
                op_.emit(event_kind::attempt_abandoned, nullptr,
                         saturating_between(began_, op_.clock().now()));
            } else if (but && !one.work->failed()) {
                if constexpr (permits_type::any) permits_of(one).succeeded(op_.clock());
            }
            if (but) permits_of(one).release();
        });
    }

    permits_type& permits_of(racer& one) noexcept {
        return &one == &first_ ? permits_ : one.own_permits;
    }

    template <class Visit>
    void each(Visit visit) {
        visit(first_);
        for (auto& one : hedges_) visit(one);
    }

    Operation& op_;
    abandon_core& pool_;
    policy_type& policy_;
    std::uint32_t const most_{policy_.most()};
    permits_type& permits_;
    racer first_{};
    std::vector<racer> hedges_{};
    steady_time began_{};
    steady_time due_ = steady_time::max();
    std::uint32_t running_ = 0;
    bool refused_ = false;
    bool over_ = false;
};

}  // namespace recoup::inline v1::detail
