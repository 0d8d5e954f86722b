// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/random.hpp>
#include <recoup/core/time.hpp>
#include <recoup/platform/time.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>

namespace recoup::inline v1 {

/// Where an operation takes its time from: a port, so that tests need not wait.
///
/// - `now` is steady: it never goes back. `coarse_now` may lag behind `now`, and never leads it.
/// - `system_now` is the wall clock; it may jump, and serves only what must survive a restart.
/// - `wait_until` returns true at `when` or later, or false as soon as a stop is requested: at once
///   where it already was.
/// - `random` gives numbers for jitter: reproducible ones, where the clock is for tests.
///
/// Thread safety: all members may be called concurrently.
template <class C>
concept clock = requires(C& port, steady_time when, std::stop_token const& stop) {
    { port.now() } noexcept -> std::same_as<steady_time>;
    { port.coarse_now() } noexcept -> std::same_as<steady_time>;
    { port.system_now() } noexcept -> std::same_as<system_time>;
    { port.wait_until(when, stop) } -> std::same_as<bool>;
    { port.random() } noexcept -> std::same_as<std::uint64_t>;
};

/// The clocks of the machine. Stateless.
struct real_clock {
    [[nodiscard]] static steady_time now() noexcept {
        return std::chrono::time_point_cast<duration>(std::chrono::steady_clock::now());
    }
    [[nodiscard]] static steady_time coarse_now() noexcept { return platform::coarse_steady_now(); }
    [[nodiscard]] static system_time system_now() noexcept {
        return std::chrono::time_point_cast<duration>(std::chrono::system_clock::now());
    }
    [[nodiscard]] static std::uint64_t random() noexcept { return detail::thread_random(); }

    /// Sleeps; a stop request wakes it at once.
    static bool wait_until(steady_time when, std::stop_token const& stop) {
        std::mutex mutex;
        std::condition_variable_any wake;
        std::unique_lock lock{mutex};
        if (stop.stop_requested()) return false;
        // A month at a time: a moment near the end of the range would overflow in the system call.
        constexpr auto longest = std::chrono::hours{24 * 30};
        while (true) {
            auto const present = now();
            if (present >= when) return true;
            auto const until = std::min(when, saturating_add(present, duration{longest}));
            wake.wait_until(lock, stop, until, [] { return false; });
            if (stop.stop_requested()) return false;
        }
    }
};

static_assert(clock<real_clock>);

namespace detail {

/// The clock of whoever names none.
inline constinit real_clock machine_clock{};

}  // namespace detail

}  // namespace recoup::inline v1
