// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/alarm.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/random.hpp>
#include <recoup/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

namespace recoup::inline v1::testing {

/// How a `manual_clock` begins and behaves.
struct manual_clock_options {
    /// Whether a wait moves the clock to its end and returns at once. If not, it blocks until
    /// another thread calls `advance`.
    bool auto_advance = true;
    std::uint64_t seed = 1;                       ///< of `random`
    std::optional<std::uint64_t> fixed_random{};  ///< what `random` always gives, where it is set
    steady_time start{std::chrono::hours{1}};     ///< not zero: a moment before it is one, too
    system_time system_start{std::chrono::seconds{1'767'225'600}};  ///< 2026-01-01, midnight UTC
    /// Called where a wait begins, with its length and without a lock: the place to request a stop,
    /// or to jump the wall clock, in the middle of a wait.
    std::function<void(duration)> on_wait{};
};

/// A clock for tests: time passes only where the test says so.
///
/// Models `recoup::alarm_clock`. The wall clock moves with the steady one, and can be set apart from it.
/// Thread safety: all members may be called concurrently.
class manual_clock {
  public:
    manual_clock() : manual_clock{manual_clock_options{}} {}
    explicit manual_clock(manual_clock_options options)
        : options_{std::move(options)},
          steady_{options_.start.time_since_epoch().count()},
          system_{options_.system_start.time_since_epoch().count()},
          random_{options_.seed} {}
    manual_clock(manual_clock const&) = delete;
    manual_clock& operator=(manual_clock const&) = delete;

    [[nodiscard]] steady_time now() const noexcept { return steady_time{duration{steady_.load()}}; }
    [[nodiscard]] steady_time coarse_now() const noexcept { return now(); }
    [[nodiscard]] system_time system_now() const noexcept {
        return system_time{duration{system_.load()}};
    }

    /// The next number of the generator, or the fixed one.
    [[nodiscard]] std::uint64_t random() noexcept {
        if (options_.fixed_random) return *options_.fixed_random;
        // What splitmix64 adds at each step, so that threads share one sequence without a lock.
        return splitmix64{random_.fetch_add(0x9E3779B97F4A7C15ULL)}();
    }

    /// Waits in the clock's own time, and notes how long it had to; a stop that was requested
    /// before is no wait.
    bool wait_until(steady_time when, std::stop_token const& stop) {
        if (stop.stop_requested()) return false;
        auto const length = std::max(saturating_between(now(), when), duration{});
        {
            std::scoped_lock const lock{mutex_};
            waits_.push_back(length);
        }
        if (options_.on_wait) options_.on_wait(length);
        if (stop.stop_requested()) return false;
        if (options_.auto_advance) {
            move_to([&] { return when; });
            return true;
        }
        std::unique_lock lock{mutex_};
        ++waiting_;
        changed_.notify_all();
        auto const over = changed_.wait(lock, stop, [&] { return now() >= when; });
        --waiting_;
        return over;
    }

    /// Sets an alarm, which is no wait: the clock moves no faster for it.
    void set(alarm& one) {
        {
            std::scoped_lock const lock{mutex_};
            if (now() < one.when()) {
                alarms_.add(one);
                changed_.notify_all();
                return;
            }
        }
        auto due = one.source();
        due.request_stop();
    }

    void forget(alarm& one) noexcept {
        std::scoped_lock const lock{mutex_};
        alarms_.remove(one);
    }

    /// How many alarms are set.
    [[nodiscard]] std::size_t alarms() const {
        std::scoped_lock const lock{mutex_};
        return alarms_.size();
    }

    /// Blocks until so many alarms are set: then `advance` finds them all.
    void await_alarms(std::size_t count) {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return alarms_.size() >= count; });
    }

    /// Moves both clocks on, wakes the waits that are over, and rings the alarms whose moment has come, on this
    /// thread. A negative span moves nothing.
    void advance(duration span) {
        move_to([&] { return saturating_add(now(), span); });
    }

    /// Sets the wall clock alone: it jumps, forwards or back.
    void set_system(system_time to) {
        std::scoped_lock const lock{mutex_};
        system_ = to.time_since_epoch().count();
    }

    /// How long each wait was when it began, in the order in which they began.
    [[nodiscard]] std::vector<duration> waits() const {
        std::scoped_lock const lock{mutex_};
        return waits_;
    }

    /// How much time has passed since the clock was made.
    [[nodiscard]] duration elapsed() const noexcept {
        return saturating_between(options_.start, now());
    }

    /// How many threads are blocked in a wait.
    [[nodiscard]] std::size_t waiting() const {
        std::scoped_lock const lock{mutex_};
        return waiting_;
    }

    /// Blocks until `count` threads are blocked in a wait: then `advance` finds them all.
    void await_waiting(std::size_t count) {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return waiting_ >= count; });
    }

  private:
    /// Moves to the moment that `target` gives under the lock; never back.
    template <class Target>
    void move_to(Target target) {
        {
            std::scoped_lock const lock{mutex_};
            auto const from = now();
            auto const to = std::max(target(), from);
            steady_ = to.time_since_epoch().count();
            system_ = saturating_add(system_now(), saturating_between(from, to))
                          .time_since_epoch()
                          .count();
        }
        changed_.notify_all();
        while (auto due = take_due()) due->request_stop();
    }

    std::optional<std::stop_source> take_due() {
        std::scoped_lock const lock{mutex_};
        return alarms_.take_due(now());
    }

    manual_clock_options const options_;
    std::atomic<duration::rep> steady_;  // written under the mutex, read without
    std::atomic<duration::rep> system_;
    std::atomic<std::uint64_t> random_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::size_t waiting_ = 0;
    std::vector<duration> waits_;
    recoup::detail::alarm_heap alarms_;
};

static_assert(alarm_clock<manual_clock>);

}  // namespace recoup::inline v1::testing
