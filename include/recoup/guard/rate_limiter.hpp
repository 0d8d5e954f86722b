// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/detail/sliding_log.hpp>
#include <recoup/guard/detail/token_bucket_state.hpp>
#include <recoup/guard/guard.hpp>
#include <recoup/guard/rate_limit.hpp>
#include <recoup/guard/rejection.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>

namespace recoup::inline v1 {

/// Makes no more calls than what is called allows, whatever they come to: each attempt counts, also one
/// that fails. One beyond the limit waits for its turn, where the limit says `waiting`, or is rejected
/// with `errc::rate_limited`.
///
/// What was admitted stays counted, also where another guard rejects the attempt after it, or a stop is
/// requested while it waits: the limit is never exceeded for what did not happen. With a token bucket
/// those who wait get their turns in the order in which they came.
///
/// Give it as an lvalue, which must outlive the wrappers, or as a `std::shared_ptr`.
/// Thread safety: all members may be called concurrently; there is no lock. An admission reads the clock
/// and writes one shared word (token bucket) or two (sliding window).
/// Example: `rate_limiter limiter{token_bucket(100, 1s).waiting(5s)};`
class rate_limiter {
  public:
    /// The leave for one attempt.
    class [[nodiscard]] permit {
      public:
        explicit operator bool() const noexcept { return admitted_; }
        /// How the attempt ends changes nothing.
        template <clock Clock>
        void succeeded(Clock& /*time*/) noexcept {}
        template <clock Clock>
        void failed(category /*what*/, bool /*operation_over*/, Clock& /*time*/) noexcept {}

      private:
        friend class rate_limiter;
        explicit permit(bool admitted) noexcept : admitted_{admitted} {}
        bool admitted_;
    };

    static constexpr guard_stage stage = guard_stage::rate;
    static constexpr std::string_view label = "rate_limiter";

    /// What a rejected attempt fails with.
    static constexpr guard_rejection rejection{category::rate_limited, errc::rate_limited,
                                               stop_reason::rejected};

    /// Throws: std::invalid_argument that names what is wrong with the limit; std::bad_alloc.
    explicit rate_limiter(rate_limit const& limit)
        : limit_{detail::checked(limit)}, bucket_{limit}, wait_at_most_{limit.wait_at_most} {
        if (limit.counted_by == rate_limit::method::sliding_window) window_.emplace(limit);
    }
    rate_limiter(rate_limiter const&) = delete;
    rate_limiter& operator=(rate_limiter const&) = delete;

    /// Asks for one attempt. A rejection takes nanoseconds, and does not throw.
    template <clock Clock>
    [[nodiscard]] permit try_acquire(Clock& time) noexcept {
        auto const now = time.now();
        return permit{window_ ? window_->take(now) : bucket_.take(now) <= duration{}};
    }

    /// A turn that may come later: see `waiting_guard`.
    class ticket {
      public:
        ticket(ticket const&) = delete;
        ticket& operator=(ticket const&) = delete;

        [[nodiscard]] bool waits() const noexcept { return waits_; }
        [[nodiscard]] steady_time until() const noexcept { return until_; }
        [[nodiscard]] std::stop_token wake() const noexcept { return stop_; }

        template <clock Clock>
        void woken(Clock& time) noexcept {
            auto const now = time.now();
            if (stop_.stop_requested() || !limiter_.window_) {
                // With a bucket the token was taken at the beginning, and has dropped in now.
                admitted_ = !stop_.stop_requested() && now >= until_;
                waits_ = !stop_.stop_requested() && !admitted_;
            } else {
                look(now);
            }
        }

        [[nodiscard]] permit take() noexcept { return permit{admitted_ && !waits_}; }

      private:
        friend class rate_limiter;
        ticket(rate_limiter& limiter, steady_time now, steady_time give_up_at,
               std::stop_token const& stop) noexcept
            : limiter_{limiter},
              last_{std::min(
                  saturating_add(now, limiter.wait_at_most_.load(std::memory_order_relaxed)),
                  give_up_at)},
              stop_{stop} {
            if (limiter.window_) {
                look(now);
                return;
            }
            auto const at_most = std::max(saturating_between(now, last_), duration{});
            auto const turn = limiter.bucket_.take(now, at_most);
            admitted_ = turn <= duration{};
            waits_ = !admitted_ && turn <= at_most;
            until_ = saturating_add(now, turn);
        }

        void look(steady_time now) noexcept {
            admitted_ = limiter_.window_->take(now);
            until_ = saturating_add(now, limiter_.window_->next_in(now));
            waits_ = !admitted_ && until_ <= last_;
        }

        rate_limiter& limiter_;
        steady_time last_;
        std::stop_token stop_;
        steady_time until_{};
        bool waits_ = false;
        bool admitted_ = false;
    };

    /// The same, where the turn may come within the limit's `wait_at_most` and before `give_up_at`.
    template <clock Clock>
    [[nodiscard]] ticket queue(Clock& time, steady_time give_up_at,
                               std::stop_token const& stop) noexcept {
        return ticket{*this, time.now(), give_up_at, stop};
    }

    /// How long until one more may pass, if nobody else comes first.
    template <clock Clock>
    [[nodiscard]] duration retry_in(Clock& time) const noexcept {
        auto const now = time.now();
        return window_ ? window_->next_in(now) : bucket_.next_in(now);
    }

    /// How long an attempt waits for its turn at the most.
    [[nodiscard]] duration longest_wait() const noexcept {
        return wait_at_most_.load(std::memory_order_relaxed);
    }

    /// Goes on with another limit, while calls are made. A bucket misses as many tokens as before; a window
    /// keeps what it has seen. Those who wait keep their turns, and those who come later wait as long as the
    /// new limit says.
    ///
    /// Throws: std::invalid_argument that names what is wrong with the limit, or cannot be changed: the way
    /// of counting, and how many calls a sliding window counts.
    template <clock Clock>
    void change(rate_limit const& to, Clock& time) {
        std::scoped_lock const lock{mutex_};
        check_change_locked(to);
        limit_ = to;
        wait_at_most_.store(to.wait_at_most, std::memory_order_relaxed);
        if (window_)
            window_->change(to);
        else
            bucket_.change(to, time.now());
    }
    void change(rate_limit const& to) { change(to, detail::machine_clock); }

    /// Throws: what `change` would throw; nothing is changed.
    void check_change(rate_limit const& to) const {
        std::scoped_lock const lock{mutex_};
        check_change_locked(to);
    }

    /// What it was made with, or changed to.
    [[nodiscard]] rate_limit limit() const {
        std::scoped_lock const lock{mutex_};
        return limit_;
    }

  private:
    void check_change_locked(rate_limit const& to) const {
        auto const refuse = [](std::string const& what) {
            throw std::invalid_argument{"recoup: rate_limiter: " + what};
        };
        static_cast<void>(detail::checked(to));
        if (to.counted_by != limit_.counted_by)
            refuse("counted_by cannot be changed while calls are counted");
        if (window_ && to.calls != limit_.calls)
            refuse("calls is " + std::to_string(to.calls) + ", expected " +
                   std::to_string(limit_.calls) + " as before: a sliding window keeps its size");
    }

    mutable std::mutex mutex_;  // of those who change it, or ask for all of it
    rate_limit limit_;
    detail::token_bucket_state bucket_;
    std::atomic<duration> wait_at_most_;
    std::optional<detail::sliding_log> window_{};  ///< where it is one
};

}  // namespace recoup::inline v1
