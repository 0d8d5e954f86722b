// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace recoup::inline v1::detail {

/// The thread that syncs a journal behind its writers: some time after the first of them has written, and not at
/// all while nobody does.
///
/// Locks: its own mutex is taken before that of the writers, and not held while it flushes.
class journal_flusher {
  public:
    journal_flusher() = default;
    journal_flusher(journal_flusher const&) = delete;
    journal_flusher& operator=(journal_flusher const&) = delete;
    ~journal_flusher() { end(); }

    /// Begins. `writers` is held by who writes and asks `must_wake`; `all_synced() -> bool` is asked while it is
    /// held. `flush() -> bool` does the work without throwing, and says whether to go on.
    template <class Mutex, class AllSynced, class Flush>
    void start(duration every, Mutex& writers, AllSynced all_synced, Flush flush) {
        static_assert(noexcept(flush()));
        thread_ = std::thread{[=, this, &writers] { run(every, writers, all_synced, flush); }};
    }

    /// Whether who has written must `wake` it: only the first one after it had nothing to do pays.
    /// Pre: the writers' mutex is held.
    [[nodiscard]] bool must_wake() noexcept {
        return idle_.exchange(false, std::memory_order_relaxed);
    }
    void wake() {
        { std::lock_guard const lock{mutex_}; }
        wake_.notify_all();
    }

    /// Waits for its end; where it was about to flush, it does so before.
    void end() noexcept {
        if (!thread_.joinable()) return;
        {
            std::lock_guard const lock{mutex_};
            ending_ = true;
        }
        wake_.notify_all();
        thread_.join();
    }

    /// For a forked child, which has no such thread.
    void forget() noexcept {
        if (thread_.joinable()) thread_.detach();
    }

  private:
    template <class Mutex, class AllSynced, class Flush>
    void run(duration every, Mutex& writers, AllSynced const& all_synced,
             Flush const& flush) noexcept {
        std::unique_lock lock{mutex_};
        while (!ending_) {
            {
                std::lock_guard const held{writers};
                if (all_synced()) idle_.store(true, std::memory_order_relaxed);
            }
            if (idle_.load(std::memory_order_relaxed)) {
                wake_.wait(lock, [&] { return ending_ || !idle_.load(std::memory_order_relaxed); });
                if (ending_) return;
            }
            wake_.wait_for(lock, std::chrono::nanoseconds{every}, [&] { return ending_; });
            lock.unlock();
            if (!flush()) return;
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    bool ending_ = false;
    std::atomic<bool> idle_{false};
    std::thread thread_;
};

}  // namespace recoup::inline v1::detail
