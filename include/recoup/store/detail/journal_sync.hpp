// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/detail/store_failure.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <system_error>

namespace recoup::inline v1::detail {

/// How far a journal is synced, and whose turn it is to sync: one of those who wait does it for all of them.
///
/// It knows no file: `drain` is passed in. Once that has failed the journal is stopped for good, for what of it is
/// on the disk is not known, and the kernel says so only once.
///
/// Thread safety: all members may be called concurrently; a `turn` has one holder. Its own mutex is never held
/// while another one is taken.
class journal_sync {
  public:
    /// What a drain came to.
    struct drained {
        std::error_code error{};
        std::uint64_t last = 0;  ///< the number of the last frame that is on the disk now
    };

    /// How a wait ended.
    enum class outcome : std::uint8_t { synced, stopped, too_long };

    /// The turn to sync, which is also that to exchange the files.
    class turn {
      public:
        explicit turn(journal_sync& of) : of_{of} {
            std::unique_lock lock{of_.mutex_};
            of_.freed_.wait(lock, [&] { return !of_.taken_; });
            of_.taken_ = true;
        }
        turn(turn const&) = delete;
        turn& operator=(turn const&) = delete;
        ~turn() {
            {
                std::lock_guard const lock{of_.mutex_};
                of_.taken_ = false;
            }
            of_.freed_.notify_all();
        }

        void mark_synced(std::uint64_t last) noexcept { of_.mark_synced(last); }
        /// Stops the journal while `doing` something to its file. Pre: it is not stopped.
        void stop(char const* doing, std::error_code error) noexcept { of_.stop(doing, error); }

      private:
        journal_sync& of_;
    };

    [[nodiscard]] std::uint64_t synced() const noexcept {
        return synced_.load(std::memory_order_acquire);
    }
    [[nodiscard]] bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }

    /// What is told once the journal at `path` is stopped. Pre: it is.
    [[nodiscard]] failure stopped_failure(std::string const& path) const {
        return store_failure(
            store_errc::stopped,
            "the store " + path +
                " stopped, since what is on the disk is not known; open it anew: " + doing_ + path +
                ": " + error_.message());
    }

    /// Waits until the frame of that number is synced, for `at_most` while others sync. `drain() -> drained`, which
    /// does not throw, brings all that is written to the disk, and is called by one at a time.
    template <class Drain>
    outcome wait_for(std::uint64_t sequence, duration at_most, Drain const& drain) {
        static_assert(noexcept(drain()));
        std::unique_lock lock{mutex_};
        auto const until = saturating_add(real_clock::now(), at_most);
        while (synced() < sequence) {
            if (stopped()) return outcome::stopped;
            if (taken_) {
                if (at_most == unlimited)
                    freed_.wait(lock);
                else if (freed_.wait_until(lock, until) == std::cv_status::timeout &&
                         synced() < sequence)
                    return outcome::too_long;
                continue;
            }
            taken_ = true;
            lock.unlock();
            drained const seen = drain();
            if (seen.error)
                stop("writing ", seen.error);
            else
                mark_synced(seen.last);
            lock.lock();
            taken_ = false;
            freed_.notify_all();
        }
        return outcome::synced;
    }

  private:
    void mark_synced(std::uint64_t last) noexcept {
        synced_.store(last, std::memory_order_release);
    }
    void stop(char const* doing, std::error_code error) noexcept {
        doing_ = doing;
        error_ = error;
        stopped_.store(true, std::memory_order_release);
    }

    std::mutex mutex_;
    std::condition_variable freed_;
    bool taken_ = false;
    std::atomic<std::uint64_t> synced_{0};
    std::atomic<bool> stopped_{false};
    char const* doing_ = "";  // written once, before `stopped_` says so
    std::error_code error_;
};

}  // namespace recoup::inline v1::detail
