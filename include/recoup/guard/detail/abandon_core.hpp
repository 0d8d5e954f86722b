// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/abandon_pool_options.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// An attempt that runs on a thread of its own and is waited for only so long. It owns all that it needs.
class abandonable {
  public:
    /// `beside`: another one of the same pool; who waits there is told of the end of this one, too.
    explicit abandonable(std::uint32_t attempt, std::shared_ptr<abandonable> beside = {}) noexcept
        : mark_{.attempt = attempt}, beside_{std::move(beside)} {}
    abandonable(abandonable const&) = delete;
    abandonable& operator=(abandonable const&) = delete;
    virtual ~abandonable() = default;

    /// On a thread of the pool. Destroys what it was given, too.
    virtual void run() noexcept = 0;
    /// After `run`: what it failed with, or null.
    [[nodiscard]] virtual failure const* failed() const noexcept = 0;

    /// With the lock of the core.
    [[nodiscard]] bool ended() const noexcept { return ended_; }

  private:
    friend class abandon_core;
    /// What is told of it.
    struct mark {
        std::uint32_t attempt;
        std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
    };
    mark const mark_;
    std::shared_ptr<abandonable> const beside_;
    // From here on: under the mutex of the core.
    std::condition_variable_any over_;
    bool ended_ = false;
    bool let_go_ = false;  ///< nobody waits for it any more
};

/// What an `abandon_pool` and its threads share: a thread that does not end in time outlives the pool.
///
/// Nothing is queued: an attempt gets a thread at once, or none.
class abandon_core : public std::enable_shared_from_this<abandon_core> {
  public:
    using observer_function = std::function<void(event const&)>;

    abandon_core(abandon_pool_options options, observer_function observer)
        : observer_{std::move(observer)},
          options_{std::make_shared<abandon_pool_options const>(std::move(options))} {}
    abandon_core(abandon_core const&) = delete;
    abandon_core& operator=(abandon_core const&) = delete;

    [[nodiscard]] abandon_pool_options options() const { return *current(); }
    [[nodiscard]] std::uint32_t threads() const noexcept {
        std::lock_guard const lock{mutex_};
        return options_->threads;
    }
    [[nodiscard]] duration join_within() const noexcept {
        std::lock_guard const lock{mutex_};
        return options_->join_within;
    }

    void change(abandon_pool_options const& to) {
        auto next = std::make_shared<abandon_pool_options const>(checked(to));
        std::lock_guard const lock{mutex_};
        options_.swap(next);
    }

    /// Has `work` run.
    ///
    /// Returns: null, or why it does not.
    /// Throws: std::bad_alloc; std::system_error where no thread is to be had.
    [[nodiscard]] failure const* begin(std::shared_ptr<abandonable> const& work) {
        static failure const full{category::cpu_exhausted, errc::abandon_pool_full};
        static failure const over{category::cancelled, errc::shut_down};
        std::unique_lock lock{mutex_};
        if (stopping_) return &over;
        if (running_.size() >= options_->threads) return &full;
        auto const free = idle_ > handed_out_.size();
        running_.reserve(running_.size() + 1);
        lost_.reserve(running_.capacity());
        if (free) {
            handed_out_.push_back(work);
        } else {
            threads_.reserve(threads_.size() + 1);
            threads_.emplace_back(
                [self = shared_from_this(), work]() mutable { self->serve(std::move(work)); });
            ++alive_;
        }
        running_.push_back(work.get());
        lock.unlock();
        if (free) wake_.notify_one();
        return nullptr;
    }

    /// Waits for the end of `work`, until `until` on the machine's clock, or until a stop is requested.
    ///
    /// Returns: whether it has ended. If not, it is let go: its end will be told of to the pool's observer.
    [[nodiscard]] bool await(abandonable& work, steady_time until, std::stop_token const& stop) {
        letting_go const after{*this, work};
        wait(work, until, stop, [&] { return work.ended_; });
        return !let_go(work);
    }

    /// Waits until `ready()`, which is asked with the lock each time that `work` or one beside it has ended;
    /// or until `until` on the machine's clock, or a stop.
    template <class Ready>
    void wait(abandonable& work, steady_time until, std::stop_token const& stop, Ready ready) {
        std::unique_lock lock{mutex_};
        // A month at a time: a moment near the end of the range would overflow in the system call.
        constexpr auto longest = duration{std::chrono::hours{24 * 30}};
        while (!ready() && !stop.stop_requested()) {
            auto const now = std::chrono::steady_clock::now();
            if (now >= until) break;
            work.over_.wait_until(
                lock, stop, std::min(until, saturating_add(steady_time{now}, longest)), ready);
        }
    }

    /// Nobody waits for `work` any more. Where it has not ended, its end will be told of.
    ///
    /// Returns: whether that is so.
    bool let_go(abandonable& work) noexcept {
        std::lock_guard const lock{mutex_};
        if (work.ended_) return false;
        if (!std::exchange(work.let_go_, true)) {
            ++abandoned_;
            ++abandoned_ever_;
        }
        return true;
    }

    /// How many run, and how many of these were let go.
    struct counts {
        std::size_t threads = 0;
        std::size_t running = 0;
        std::size_t abandoned = 0;
        std::uint64_t abandoned_ever = 0;
    };
    [[nodiscard]] counts count() const {
        std::lock_guard const lock{mutex_};
        return {alive_, running_.size(), abandoned_, abandoned_ever_};
    }

    /// Admits nobody any more, and waits for what runs; tells of what does not end in time. After it the
    /// observer is not called.
    ///
    /// Returns: how many attempts still run.
    std::size_t shut_down(duration at_most) {
        std::unique_lock lock{mutex_};
        stopping_ = true;
        wake_.notify_all();
        constexpr auto longest = duration{std::chrono::hours{24 * 365}};
        gone_.wait_for(lock, std::clamp(at_most, duration{}, longest),
                       [this] { return alive_ == 0; });
        auto const lost = running_.size();
        if (!std::exchange(closed_, true)) {
            for (auto const* one : running_) lost_.push_back(one->mark_);
            lock.unlock();
            for (auto const& one : lost_) tell(event_kind::abandoned_lost, one, nullptr);
            lock.lock();
        }
        // Whoever made the observer may be about to destroy what it refers to.
        gone_.wait(lock, [this] { return telling_ == 0; });
        auto const all_ended = alive_ == 0;
        auto threads = std::exchange(threads_, {});
        lock.unlock();
        for (auto& one : threads) {
            if (all_ended)
                one.join();
            else
                one.detach();
        }
        return lost;
    }

  private:
    /// Lets go at its end, which comes also where the waiting thread is cancelled.
    struct letting_go {
        letting_go(abandon_core& of, abandonable& work) noexcept : core{of}, what{work} {}
        letting_go(letting_go const&) = delete;
        letting_go& operator=(letting_go const&) = delete;
        ~letting_go() { core.let_go(what); }
        abandon_core& core;
        abandonable& what;
    };

    void serve(std::shared_ptr<abandonable> work) {
        while (true) {
            work->run();
            std::unique_lock lock{mutex_};
            if (work->let_go_ && !closed_) {
                ++telling_;
                lock.unlock();
                tell(event_kind::abandoned_ended, work->mark_, work->failed());
                lock.lock();
                --telling_;
                if (stopping_) gone_.notify_all();
            }
            if (work->let_go_) --abandoned_;
            running_.erase(std::find(running_.begin(), running_.end(), work.get()));
            work->ended_ = true;
            // Before whoever waits for it can ask for a thread again.
            ++idle_;
            lock.unlock();
            (work->beside_ ? *work->beside_ : *work).over_.notify_all();
            work.reset();
            lock.lock();
            wake_.wait(lock, [this] { return stopping_ || !handed_out_.empty(); });
            --idle_;
            // What was handed out is not forgotten for a stop.
            if (handed_out_.empty()) {
                --alive_;
                gone_.notify_all();
                return;
            }
            work = std::move(handed_out_.back());
            handed_out_.pop_back();
        }
    }

    void tell(event_kind kind, abandonable::mark const& work, failure const* what) const noexcept {
        if (!observer_) return;
        auto const called = current();
        try {
            observer_({.kind = kind,
                       .attempt = work.attempt,
                       .failure = what,
                       .delay = std::chrono::steady_clock::now() - work.began,
                       .operation = called->name});
        } catch (...) {
            // An observer that throws harms nobody; there is nobody to tell.
        }
    }

    /// Pre: the mutex is not held.
    [[nodiscard]] std::shared_ptr<abandon_pool_options const> current() const noexcept {
        std::lock_guard const lock{mutex_};
        return options_;
    }

    observer_function const observer_;
    mutable std::mutex mutex_;
    std::shared_ptr<abandon_pool_options const> options_;
    std::condition_variable wake_;  ///< of threads that wait for work
    std::condition_variable gone_;  ///< of the end
    std::vector<std::thread> threads_;
    std::vector<std::shared_ptr<abandonable>> handed_out_;  ///< to threads that are about to wake
    std::vector<abandonable const*> running_;
    std::vector<abandonable::mark> lost_;
    std::size_t idle_ = 0;
    std::size_t alive_ = 0;
    std::size_t abandoned_ = 0;
    std::uint64_t abandoned_ever_ = 0;
    std::size_t telling_ = 0;
    bool stopping_ = false;
    bool closed_ = false;
};

}  // namespace recoup::inline v1::detail
