// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>

#include <cstdint>
#include <stop_token>

namespace bench {

/// A clock whose waits are over at once: what remains of a retry is its arithmetic.
class instant_clock {
  public:
    recoup::steady_time now() const noexcept { return now_; }
    recoup::steady_time coarse_now() const noexcept { return now_; }
    recoup::system_time system_now() const noexcept { return {}; }
    std::uint64_t random() noexcept { return random_(); }

    bool wait_until(recoup::steady_time when, std::stop_token const&) noexcept {
        now_ = when;
        return true;
    }
    /// For the hand-written loop.
    void wait(recoup::duration delay) noexcept { now_ += delay; }

  private:
    recoup::steady_time now_{};
    recoup::splitmix64 random_{1};
};

static_assert(recoup::clock<instant_clock>);

}  // namespace bench
