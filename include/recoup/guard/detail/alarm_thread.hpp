// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/alarm.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/time.hpp>
#include <recoup/platform/process.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>

namespace recoup::inline v1::detail {

/// The alarms of the machine's clock: one thread for all, begun with the first alarm, which ends where for a
/// while there was none.
///
/// After a fork the child has no alarm set, not even those of the thread that forked; its own ring.
/// Thread safety: all members may be called concurrently.
class [[gnu::visibility("default")]] alarm_thread {
  public:
    /// How long the thread waits for another alarm.
    static constexpr duration idle_at_most = std::chrono::seconds{10};

    static alarm_thread& instance() {
        // Never destroyed: its thread, and calls in destructors of static objects, may need it until the end.
        static auto* const shared = new alarm_thread;
        return *shared;
    }
    alarm_thread(alarm_thread const&) = delete;
    alarm_thread& operator=(alarm_thread const&) = delete;

    /// Throws: std::bad_alloc; std::system_error where no thread is to be had.
    void set(alarm& one) {
        std::lock_guard const lock{mutex_};
        alarms_.add(one);
        if (!running_) {
            try {
                std::thread{[this] { run(); }}.detach();
            } catch (...) {
                alarms_.remove(one);
                throw;
            }
            running_ = true;
            wakes_at_ = steady_time::min();
        } else if (one.when() < wakes_at_) {
            wake_.notify_one();
        }
    }

    /// The thread is not woken for it.
    void forget(alarm& one) noexcept {
        std::lock_guard const lock{mutex_};
        alarms_.remove(one);
    }

    /// How many are set.
    [[nodiscard]] std::size_t size() const noexcept {
        std::lock_guard const lock{mutex_};
        return alarms_.size();
    }

  private:
    alarm_thread() {
        platform::at_fork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                          [] { instance().begin_in_child(); });
    }

    void begin_in_child() noexcept {
        alarms_.drop_all();
        running_ = false;
        // A thread that is not there any more still counts as waiting.
        std::construct_at(&wake_);
        mutex_.unlock();
    }

    void run() noexcept {
        std::unique_lock lock{mutex_};
        auto ends_at = steady_time::max();
        while (true) {
            auto const now = real_clock::now();
            if (auto due = alarms_.take_due(now)) {
                lock.unlock();
                due->request_stop();
                due.reset();
                lock.lock();
                continue;
            }
            if (!alarms_.empty())
                ends_at = steady_time::max();
            else if (now >= ends_at)
                break;
            else if (ends_at == steady_time::max())
                ends_at = saturating_add(now, idle_at_most);
            // No longer at a time: a moment near the end of the range would overflow in the system call.
            auto const look_again = saturating_add(now, idle_at_most);
            wakes_at_ = alarms_.empty() ? ends_at : std::min(alarms_.first(), look_again);
            wake_.wait_until(lock, wakes_at_);
        }
        running_ = false;
    }

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    alarm_heap alarms_;
    steady_time wakes_at_{};  ///< without being woken
    bool running_ = false;
};

/// Whether alarms can be set on a clock.
template <class Clock>
concept has_alarms = std::same_as<Clock, real_clock> || alarm_clock<Clock>;

template <has_alarms Clock>
void set_alarm([[maybe_unused]] Clock& port, alarm& one) {
    if constexpr (std::same_as<Clock, real_clock>)
        alarm_thread::instance().set(one);
    else
        port.set(one);
}

template <has_alarms Clock>
void forget_alarm([[maybe_unused]] Clock& port, alarm& one) noexcept {
    if constexpr (std::same_as<Clock, real_clock>)
        alarm_thread::instance().forget(one);
    else
        port.forget(one);
}

}  // namespace recoup::inline v1::detail
