// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/detail/latency_window.hpp>
#include <recoup/guard/hedge_options.hpp>
#include <recoup/retry/retry_budget.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

namespace recoup::inline v1 {

/// Begins a second attempt beside one that takes long, and takes the first success: for calls that are quick but
/// for a few, where it matters how slow these are.
///
/// A failure of one waits for the others: the attempt has failed when all have, with the failure of the last, and
/// is retried as any other.
/// Of a coroutine the others are cancelled then, and waited for. A plain call needs threads to run on: name an
/// `abandon_pool` beside the hedge (<recoup/guard/abandon_pool.hpp>). Each attempt and each hedge runs there, with
/// a copy of the callable and of the arguments. Nobody can end one from outside: who loses is told through
/// `attempt::stop_token()`, and is let go, which observers see as `attempt_abandoned`; **its work goes on**, owned,
/// counted and waited for by the pool, without the permits of the guards. A deadline and a stop request let go of
/// all. Where the pool has no thread, the attempt runs on that of its caller and has no hedge; a hedge that finds
/// none does not begin. A plain call pays for two changes of threads, also where it is quick, and no policy can
/// spare it these: it cannot be known beforehand.
/// Each hedge asks the guards of the call as an attempt does, but does not wait for a turn: where there is no
/// room, there is none. All hedges together are bounded by `ratio` of the calls and what is saved up, or by a
/// `retry_budget` that they share with retries; calls pay into that where they name it as a policy, too.
/// What is called twice at a time must bear that: `not_idempotent` and `hedge` do not compile together. All
/// attempts get the same arguments, as constants. A hedge that takes `recoup::attempt&` sees the number, the
/// idempotency token and the checkpoint of the attempt beside which it runs; what it saves itself it alone sees.
///
/// The delay is fixed, or a percentile of how long the last successful attempts took, from their beginning to
/// their first success. A slow one that a hedge has overtaken counts with that span, which is no less than the
/// delay, and so hedging does not make the delay creep down.
/// Source: J. Dean and L. A. Barroso, The Tail at Scale (CACM 56, 2013): deferred until the 95th percentile,
/// hedges cost 5 % of calls; gRFC A6 (2017).
///
/// Give it as an lvalue, which must outlive the wrappers, or as a `std::shared_ptr`.
/// Thread safety: all members may be called concurrently; there is no lock that a call waits for.
/// Example: `hedge searches{{.delay = 50ms, .percentile = 0.95}};`, then `with_recovery(search_async, searches)`, or
/// `with_recovery(search, searches, pool)` with an `abandon_pool pool`.
class hedge {
  public:
    using is_hedge = void;

    /// What it has done.
    struct counters {
        std::uint64_t begun = 0;    ///< hedges
        std::uint64_t won = 0;      ///< of these: those that gave the value
        std::uint64_t refused = 0;  ///< by the budget, by a guard, or for want of memory
    };

    /// Throws: std::invalid_argument that names the option that is wrong.
    explicit hedge(hedge_options const& options = {}) : hedge{options, nullptr} {}
    /// Pays out of `shared`, which must outlive it; `ratio`, `reserve` and `at_most` are without meaning.
    hedge(hedge_options const& options, retry_budget& shared) : hedge{options, &shared} {}
    hedge(hedge const&) = delete;
    hedge& operator=(hedge const&) = delete;

    /// How long an attempt is waited for at the moment.
    [[nodiscard]] duration delay() const noexcept {
        auto const fixed = delay_.load(std::memory_order_relaxed);
        auto const* latencies = latencies_.load(std::memory_order_acquire);
        if (latencies == nullptr) return fixed;
        auto const found = latencies->value();
        return found == detail::latency_window::unknown
                   ? fixed
                   : std::max(found, delay_min_.load(std::memory_order_relaxed));
    }

    /// Goes on with other options, while calls are made: `most` from the next attempt, the others from the next
    /// hedge. What is known of latencies stays, and so does what is saved up, as far as it is not more than the new
    /// `at_most`; `reserve` is for the beginning alone. `samples` stay as many as they are once there was a
    /// percentile.
    ///
    /// Throws: std::invalid_argument that names the option that is wrong; std::bad_alloc. Then nothing changes.
    void change(hedge_options const& to) {
        std::scoped_lock const lock{mutex_};
        check_change_locked(to);
        keep_latencies(to);
        if (!shared_) own_.change(paid_by(to));
        options_ = to;
        delay_.store(to.delay, std::memory_order_relaxed);
        delay_min_.store(to.delay_min, std::memory_order_relaxed);
        most_.store(to.most, std::memory_order_relaxed);
    }

    /// Throws: what `change` would throw; nothing is changed.
    void check_change(hedge_options const& to) const {
        std::scoped_lock const lock{mutex_};
        check_change_locked(to);
    }

    [[nodiscard]] counters snapshot() const noexcept {
        return {begun_.load(std::memory_order_relaxed), won_.load(std::memory_order_relaxed),
                refused_.load(std::memory_order_relaxed)};
    }

    /// What it was made with, or changed to.
    [[nodiscard]] hedge_options options() const {
        std::scoped_lock const lock{mutex_};
        return options_;
    }

    // ---- for the engine

    /// How many hedges an attempt that begins may have.
    [[nodiscard]] std::uint32_t most() const noexcept {
        return most_.load(std::memory_order_relaxed);
    }

    /// A call begins: it pays for its share of a hedge.
    void deposit() noexcept {
        if (!shared_) own_.deposit();
    }

    /// Takes one hedge out of the budget, where there is one.
    template <clock Clock>
    [[nodiscard]] bool try_withdraw(Clock& time) noexcept {
        return shared_ ? shared_->try_withdraw(time) : own_.try_withdraw(time);
    }

    void note_begun() noexcept { begun_.fetch_add(1, std::memory_order_relaxed); }
    void note_won() noexcept { won_.fetch_add(1, std::memory_order_relaxed); }
    void note_refused() noexcept { refused_.fetch_add(1, std::memory_order_relaxed); }

    /// An attempt has succeeded, so long after it began.
    void note_success(duration latency) noexcept {
        if (auto* latencies = latencies_.load(std::memory_order_acquire))
            latencies->add(std::max(latency, duration{}));
    }

  private:
    hedge(hedge_options const& options, retry_budget* shared)
        : shared_{shared},
          own_{paid_by(detail::checked(options))},
          options_{options},
          delay_{options.delay},
          delay_min_{options.delay_min},
          most_{options.most} {
        keep_latencies(options);
    }

    static retry_budget_options paid_by(hedge_options const& options) noexcept {
        return {.ratio = options.ratio,
                .per_second = 0,
                .reserve = options.reserve,
                .at_most = options.at_most};
    }

    void check_change_locked(hedge_options const& to) const {
        static_cast<void>(detail::checked(to));
        if (kept_ && to.samples != options_.samples)
            throw std::invalid_argument{"recoup: hedge: samples is " + std::to_string(to.samples) +
                                        ", expected " + std::to_string(options_.samples) +
                                        ": it cannot change"};
    }

    /// Pre: nobody else changes it.
    void keep_latencies(hedge_options const& of) {
        if (of.percentile == 0) return latencies_.store(nullptr, std::memory_order_release);
        if (kept_)
            kept_->change(of.percentile);
        else
            kept_ = std::make_unique<detail::latency_window>(of.samples, detail::hedge_samples_min,
                                                             of.percentile);
        latencies_.store(kept_.get(), std::memory_order_release);
    }

    retry_budget* const shared_;
    retry_budget own_;
    mutable std::mutex mutex_;  // of those who change it, or ask for all of it
    hedge_options options_;
    std::unique_ptr<detail::latency_window> kept_{};  ///< once there was a percentile
    std::atomic<duration> delay_;
    std::atomic<duration> delay_min_;
    std::atomic<std::uint32_t> most_;
    std::atomic<detail::latency_window*> latencies_{nullptr};  ///< where there is a percentile
    std::atomic<std::uint64_t> begun_{0};
    std::atomic<std::uint64_t> won_{0};
    std::atomic<std::uint64_t> refused_{0};
};

}  // namespace recoup::inline v1
