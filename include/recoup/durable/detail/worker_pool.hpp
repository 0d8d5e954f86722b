// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Threads that do what is queued: made when there is something to do, up to a limit.
///
/// A thread that does not end in time is let go: it holds what it needs, by what its job owns.
class worker_pool {
  public:
    worker_pool(std::size_t threads_max, std::size_t queue_max)
        : state_{std::make_shared<state>()},
          threads_max_{std::max<std::size_t>(threads_max, 1)},
          queue_max_{queue_max} {}
    worker_pool(worker_pool const&) = delete;
    worker_pool& operator=(worker_pool const&) = delete;
    ~worker_pool() { stop(std::chrono::nanoseconds{0}); }

    /// Returns: false where the queue is full, or the pool was stopped.
    bool post(std::function<void()> job) {
        std::lock_guard const lock{state_->mutex};
        if (state_->stopping || state_->jobs.size() >= queue_max_) return false;
        state_->jobs.push_back(std::move(job));
        if (state_->idle < state_->jobs.size() && threads_.size() < threads_max_) {
            try {
                ++state_->alive;
                threads_.emplace_back([kept = state_] { work(*kept); });
            } catch (...) {
                --state_->alive;
                if (threads_.empty()) {
                    state_->jobs.pop_back();
                    return false;
                }
            }
        }
        state_->wake.notify_one();
        return true;
    }

    /// Drops what is queued, and waits for what runs.
    ///
    /// Returns: false where a job still runs.
    bool stop(std::chrono::nanoseconds at_most) {
        std::unique_lock lock{state_->mutex};
        state_->stopping = true;
        state_->jobs.clear();
        state_->wake.notify_all();
        auto const ended =
            state_->gone.wait_for(lock, at_most, [this] { return state_->alive == 0; });
        auto threads = std::exchange(threads_, {});
        lock.unlock();
        for (auto& one : threads) {
            if (ended)
                one.join();
            else
                one.detach();
        }
        return ended;
    }

  private:
    struct state {
        std::mutex mutex;
        std::condition_variable wake;
        std::condition_variable gone;
        std::deque<std::function<void()>> jobs;
        std::size_t idle = 0;
        std::size_t alive = 0;
        bool stopping = false;
    };

    static void work(state& shared) {
        std::unique_lock lock{shared.mutex};
        while (true) {
            ++shared.idle;
            shared.wake.wait(lock, [&] { return shared.stopping || !shared.jobs.empty(); });
            --shared.idle;
            if (shared.stopping) break;
            {
                auto job = std::move(shared.jobs.front());
                shared.jobs.pop_front();
                lock.unlock();
                job();
            }
            lock.lock();
        }
        --shared.alive;
        shared.gone.notify_all();
    }

    std::shared_ptr<state> state_;
    std::size_t const threads_max_;
    std::size_t const queue_max_;
    std::vector<std::thread> threads_;
};

}  // namespace recoup::inline v1::detail
