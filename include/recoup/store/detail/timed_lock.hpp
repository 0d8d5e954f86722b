// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace recoup::inline v1::detail {

/// A lock for one at a time that can be waited for until a moment on the steady clock.
///
/// As std::timed_mutex, made of parts that the thread sanitizer sees: the one of g++ 12 does not know
/// the system call that std::timed_mutex waits with, and takes what it guards for unguarded.
class timed_lock {
  public:
    timed_lock() = default;
    timed_lock(timed_lock const&) = delete;
    timed_lock& operator=(timed_lock const&) = delete;

    [[nodiscard]] bool try_lock() {
        std::lock_guard const guard{mutex_};
        if (held_) return false;
        held_ = true;
        return true;
    }

    [[nodiscard]] bool try_lock_until(steady_time when) {
        std::unique_lock guard{mutex_};
        ++waiting_;
        auto const is_free = [this] { return !held_; };
        auto got = true;
        if (when == steady_time::max())  // later than the system call can say
            freed_.wait(guard, is_free);
        else
            got = freed_.wait_until(guard, when, is_free);
        --waiting_;
        held_ = held_ || got;
        return got;
    }

    void unlock() {
        std::unique_lock guard{mutex_};
        held_ = false;
        auto const wanted = waiting_ != 0;
        guard.unlock();
        if (wanted) freed_.notify_one();
    }

  private:
    std::mutex mutex_;
    std::condition_variable freed_;
    std::size_t waiting_ = 0;
    bool held_ = false;
};

}  // namespace recoup::inline v1::detail
