// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "simulation/dice.hpp"

#include <recoup/core/alarm.hpp>
#include <recoup/core/time.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <semaphore>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace simulation {

/// A process of the simulated machine, as far as the scheduler knows it.
struct process {
    bool dead = false;                   ///< nothing that it still does counts
    recoup::steady_time frozen_until{};  ///< its threads do not run before
    int strands = 0;                     ///< its threads that have not ended
};

/// A thread of the simulated world. It is a thread of the machine, too, so that whatever the library keeps
/// by thread is what it is outside; but one runs at a time, and which one the seed says.
class strand {
  public:
    strand(std::string named, process* of) : name{std::move(named)}, owner{of} {}

    std::string const name;
    process* const owner;  ///< null: the world's own

  private:
    friend class scheduler;
    std::binary_semaphore go_{0};
    std::uint64_t wake_ = 0;  ///< raised by each wait, so that a wake that came too late is known
    bool ended_ = false;
    std::thread thread_;
};

/// Lets strands wait for moments of a manual clock, and wakes them in the order of these. Of those that
/// are due at once the seed draws one.
class scheduler {
  public:
    explicit scheduler(std::uint64_t seed);
    scheduler(scheduler const&) = delete;
    scheduler& operator=(scheduler const&) = delete;
    ~scheduler();

    [[nodiscard]] recoup::testing::manual_clock& clock() noexcept { return clock_; }
    [[nodiscard]] strand& current() noexcept { return *current_; }

    /// Begins `body` after `in`.
    void spawn(std::string name, process* of, recoup::duration in, std::function<void()> body);

    /// Waits as a clock does. In a process that is dead nothing waits.
    bool wait_until(recoup::steady_time when, std::stop_token const& stop);
    void wait_for(recoup::duration span) {
        wait_until(recoup::saturating_add(clock_.now(), span), {});
    }

    /// Wakes every strand of a process that has died, so that it finds its way out.
    void wake_all_of(process const& which);

    /// Runs until no strand is left.
    void run();

    std::function<void()> on_deadlock{};  ///< all wait, and for nothing that will come

  private:
    struct due {
        recoup::steady_time when;
        std::uint64_t tie;
        strand* who;
        std::uint64_t wake;
        friend bool operator<(due const& left, due const& right) noexcept {
            return left.when != right.when ? left.when > right.when : left.tie > right.tie;
        }
    };

    void push(strand& who, recoup::steady_time when);
    strand* next();
    void hand_over(strand& from);
    void leave(strand& who);

    recoup::testing::manual_clock clock_;
    dice dice_;
    std::priority_queue<due> queue_;
    std::vector<std::unique_ptr<strand>> strands_;
    std::size_t alive_ = 0;
    strand* current_ = nullptr;
    std::binary_semaphore over_{0};
};

/// The clock that a process is given: the world's.
class process_clock {
  public:
    explicit process_clock(scheduler& by) noexcept : by_{by} {}

    [[nodiscard]] recoup::steady_time now() const noexcept { return by_.clock().now(); }
    [[nodiscard]] recoup::steady_time coarse_now() const noexcept { return now(); }
    [[nodiscard]] recoup::system_time system_now() const noexcept {
        return by_.clock().system_now();
    }
    [[nodiscard]] std::uint64_t random() noexcept { return by_.clock().random(); }
    bool wait_until(recoup::steady_time when, std::stop_token const& stop) {
        return by_.wait_until(when, stop);
    }
    void set(recoup::alarm& one) { by_.clock().set(one); }
    void forget(recoup::alarm& one) noexcept { by_.clock().forget(one); }

  private:
    scheduler& by_;
};

static_assert(recoup::alarm_clock<process_clock>);

}  // namespace simulation
