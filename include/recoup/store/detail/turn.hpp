// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace recoup::inline v1::detail {

/// Whose turn it is to use something: a mutex that is waited for until a moment.
///
/// As std::timed_mutex, but for the thread sanitizer: the one of g++ 12 does not know the system call
/// that std::timed_mutex waits with, and takes what it guards for unguarded.
class turn {
  public:
    turn() = default;
    turn(turn const&) = delete;
    turn& operator=(turn const&) = delete;

    [[nodiscard]] bool try_lock() {
        std::lock_guard const lock{mutex_};
        if (taken_) return false;
        taken_ = true;
        return true;
    }
    [[nodiscard]] bool try_lock_until(steady_time until) {
        std::unique_lock lock{mutex_};
        ++waiting_;
        auto const free = [&] { return !taken_; };
        auto got = true;
        if (until == steady_time::max())
            freed_.wait(lock, free);
        else
            got = freed_.wait_until(lock, until, free);
        --waiting_;
        if (got) taken_ = true;
        return got;
    }
    void lock() { static_cast<void>(try_lock_until(steady_time::max())); }
    void unlock() {
        std::lock_guard const lock{mutex_};
        taken_ = false;
        if (waiting_ != 0) freed_.notify_one();
    }

  private:
    std::mutex mutex_;
    std::condition_variable freed_;
    std::size_t waiting_ = 0;
    bool taken_ = false;
};

}  // namespace recoup::inline v1::detail
