// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/bulkhead_options.hpp>
#include <recoup/guard/detail/waiting_line.hpp>
#include <recoup/guard/guard.hpp>
#include <recoup/guard/rejection.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>
#include <utility>

namespace recoup::inline v1 {

/// Lets only so many attempts run at a time, so that one slow dependency does not take all threads and
/// connections with it. Of the others so many wait, first come first served; the rest is rejected at
/// once with `errc::bulkhead_full`.
///
/// Give it as an lvalue, which must outlive the wrappers, or as a `std::shared_ptr`.
/// Thread safety: all members may be called concurrently. An attempt that is admitted at once, and the end
/// of one for which nobody waits, take one atomic operation each; there is a lock only between those who
/// wait and those who make room for them.
/// Example: `bulkhead downloads{{.at_once = 4, .waiting = 100}};`
class bulkhead {
  public:
    class permit;
    class ticket;

    /// What it has at the moment.
    struct counters {
        std::uint32_t running = 0;
        std::uint32_t waiting = 0;
    };

    static constexpr guard_stage stage = guard_stage::room;
    static constexpr std::string_view label = "bulkhead";

    /// What a rejected attempt fails with.
    static constexpr guard_rejection rejection{category::service_unavailable, errc::bulkhead_full,
                                               stop_reason::rejected};

    /// Throws: std::invalid_argument that names the option that is wrong.
    explicit bulkhead(bulkhead_options const& options = {})
        : limits_{limits_of(detail::checked(options))}, wait_at_most_{options.wait_at_most} {}
    bulkhead(bulkhead const&) = delete;
    bulkhead& operator=(bulkhead const&) = delete;

    /// Asks for one attempt, without waiting.
    template <clock Clock>
    [[nodiscard]] permit try_acquire(Clock& /*time*/) noexcept;

    /// The same, where there may be room to wait for it.
    template <clock Clock>
    [[nodiscard]] ticket queue(Clock& time, steady_time give_up_at,
                               std::stop_token const& stop) noexcept;

    /// Zero: nobody knows when an attempt ends.
    template <clock Clock>
    [[nodiscard]] duration retry_in(Clock& /*time*/) const noexcept {
        return duration{};
    }

    [[nodiscard]] counters snapshot() const noexcept {
        auto const now = word_.load(std::memory_order_relaxed);
        return {running(now), waiting(now)};
    }

    /// How long an attempt waits for its turn at the most.
    [[nodiscard]] duration longest_wait() const noexcept {
        return waiting(limits_.load(std::memory_order_relaxed)) == 0
                   ? duration{}
                   : wait_at_most_.load(std::memory_order_relaxed);
    }

    /// Goes on with other options, while attempts run: where there is more room those who wait come in at
    /// once; where there is less, those who run stay, and nobody follows them until there is room again.
    /// Those who wait go on waiting as they were told.
    ///
    /// Throws: std::invalid_argument that names the option that is wrong.
    void change(bulkhead_options const& to) {
        static_cast<void>(detail::checked(to));
        std::lock_guard const lock{mutex_};
        limits_.store(limits_of(to), std::memory_order_relaxed);
        wait_at_most_.store(to.wait_at_most, std::memory_order_relaxed);
        auto now = word_.load(std::memory_order_relaxed);
        // Where somebody waits, the word changes only under the mutex.
        while (waiting(now) != 0 && running(now) < to.at_once && line_.admit_first())
            now = word_.fetch_add(one_running - one_waiting, std::memory_order_acq_rel) +
                  one_running - one_waiting;
    }

    /// What it was made with, or changed to.
    [[nodiscard]] bulkhead_options options() const {
        std::lock_guard const lock{mutex_};
        auto const limits = limits_.load(std::memory_order_relaxed);
        return {running(limits), waiting(limits), wait_at_most_.load(std::memory_order_relaxed)};
    }

  private:
    // The attempts that run, and above them those that wait.
    using word = std::uint64_t;
    static constexpr word one_running = 1;
    static constexpr word one_waiting = word{1} << 32U;
    static constexpr std::uint32_t running(word now) noexcept {
        return static_cast<std::uint32_t>(now);
    }
    static constexpr std::uint32_t waiting(word now) noexcept {
        return static_cast<std::uint32_t>(now >> 32U);
    }

    /// How many may run, and above them how many may wait: both at once.
    static constexpr word limits_of(bulkhead_options const& options) noexcept {
        return word{options.at_once} | word{options.waiting} << 32U;
    }
    [[nodiscard]] std::uint32_t at_once() const noexcept {
        return running(limits_.load(std::memory_order_relaxed));
    }
    [[nodiscard]] std::uint32_t may_wait() const noexcept {
        return waiting(limits_.load(std::memory_order_relaxed));
    }

    /// Nobody overtakes those who wait.
    bool enter() noexcept {
        auto now = word_.load(std::memory_order_relaxed);
        while (waiting(now) == 0 && running(now) < at_once())
            if (word_.compare_exchange_weak(now, now + one_running, std::memory_order_acquire,
                                            std::memory_order_relaxed))
                return true;
        return false;
    }

    /// Enters, or becomes one of those who wait. Pre: `mutex_` is held.
    /// Returns: whether neither was possible.
    bool enter_or_count_as_waiting(bool& entered) noexcept {
        auto now = word_.load(std::memory_order_relaxed);
        while (true) {
            entered = waiting(now) == 0 && running(now) < at_once();
            if (!entered && waiting(now) >= may_wait()) return false;
            if (word_.compare_exchange_weak(now, now + (entered ? one_running : one_waiting),
                                            std::memory_order_acquire, std::memory_order_relaxed))
                return true;
        }
    }

    void leave() noexcept {
        auto now = word_.load(std::memory_order_relaxed);
        while (waiting(now) == 0)
            if (word_.compare_exchange_weak(now, now - one_running, std::memory_order_release,
                                            std::memory_order_relaxed))
                return;
        hand_over();
    }

    /// Gives one's place to the first of those who wait.
    [[gnu::noinline]] void hand_over() noexcept {
        std::lock_guard const lock{mutex_};
        auto const more_than_may = running(word_.load(std::memory_order_relaxed)) > at_once();
        if (!more_than_may && line_.admit_first())
            word_.fetch_sub(one_waiting, std::memory_order_acq_rel);  // the place stays taken
        else
            word_.fetch_sub(one_running, std::memory_order_release);  // all of them have just left
    }

    std::atomic<word> limits_;
    std::atomic<duration> wait_at_most_;
    alignas(64) std::atomic<word> word_{0};  // `waiting` changes only under the mutex
    mutable std::mutex mutex_;
    detail::waiting_line line_;
};

/// The leave for one attempt, false where it was rejected. Its end gives the place back.
///
/// Thread safety: none; it belongs to the thread that runs the attempt.
class [[nodiscard]] bulkhead::permit {
  public:
    /// A rejection.
    permit() noexcept = default;
    permit(permit&& other) noexcept : bulkhead_{std::exchange(other.bulkhead_, nullptr)} {}
    permit& operator=(permit&& other) noexcept {
        std::swap(bulkhead_, other.bulkhead_);
        return *this;
    }
    ~permit() {
        if (bulkhead_) bulkhead_->leave();
    }

    explicit operator bool() const noexcept { return bulkhead_ != nullptr; }
    /// How the attempt ends changes nothing.
    template <clock Clock>
    void succeeded(Clock& /*time*/) noexcept {}
    template <clock Clock>
    void failed(category /*what*/, bool /*operation_over*/, Clock& /*time*/) noexcept {}

  private:
    friend class bulkhead;
    explicit permit(bulkhead& of) noexcept : bulkhead_{&of} {}

    bulkhead* bulkhead_ = nullptr;
};

template <clock Clock>
bulkhead::permit bulkhead::try_acquire(Clock& /*time*/) noexcept {
    return enter() ? permit{*this} : permit{};
}

/// A turn that may come later: see `waiting_guard`. Its end leaves the line.
class bulkhead::ticket {
  public:
    ticket(ticket const&) = delete;
    ticket& operator=(ticket const&) = delete;
    ~ticket() {
        if (place_) leave_line();
        if (admitted_) bulkhead_.leave();
    }

    [[nodiscard]] bool waits() const noexcept { return place_.has_value(); }
    [[nodiscard]] steady_time until() const noexcept { return until_; }
    [[nodiscard]] std::stop_token wake() const noexcept { return place_->wake(); }

    /// It is over, whatever woke it: the turn, a stop request, or the time.
    template <clock Clock>
    void woken(Clock& /*time*/) noexcept {
        if (place_) leave_line();
    }

    [[nodiscard]] permit take() noexcept {
        if (place_) leave_line();
        return std::exchange(admitted_, false) ? permit{bulkhead_} : permit{};
    }

  private:
    friend class bulkhead;
    template <clock Clock>
    ticket(bulkhead& of, Clock& time, steady_time give_up_at, std::stop_token const& stop) noexcept
        : bulkhead_{of}, admitted_{of.enter()} {
        if (admitted_ || of.may_wait() == 0 || stop.stop_requested()) return;
        until_ =
            std::min(saturating_add(time.now(), of.wait_at_most_.load(std::memory_order_relaxed)),
                     give_up_at);
        try {
            place_.emplace(stop);
        } catch (...) {
            return;  // no memory to wait with
        }
        std::unique_lock lock{of.mutex_};
        if (of.enter_or_count_as_waiting(admitted_) && !admitted_) {
            of.line_.join(*place_);
        } else {
            lock.unlock();
            place_.reset();
        }
    }

    void leave_line() noexcept {
        {
            std::lock_guard const lock{bulkhead_.mutex_};
            admitted_ = place_->admitted();
            if (!admitted_) {
                bulkhead_.line_.leave(*place_);
                bulkhead_.word_.fetch_sub(one_waiting, std::memory_order_acq_rel);
            }
        }
        place_.reset();
    }

    bulkhead& bulkhead_;
    std::optional<detail::waiting_line::place> place_{};  ///< while it waits
    steady_time until_{};
    bool admitted_;
};

template <clock Clock>
bulkhead::ticket bulkhead::queue(Clock& time, steady_time give_up_at,
                                 std::stop_token const& stop) noexcept {
    return ticket{*this, time, give_up_at, stop};
}

}  // namespace recoup::inline v1
