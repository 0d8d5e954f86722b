// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/time.hpp>

#include <cstdint>
#include <stop_token>

namespace recoup::inline v1::detail {

/// A clock that was read a moment ago, and is not read again before somebody has waited for it.
///
/// Thread safety: none; it belongs to one call.
template <clock Clock>
class read_clock {
  public:
    read_clock(Clock& port, steady_time now) noexcept : port_{port}, now_{now} {}

    [[nodiscard]] steady_time now() const noexcept { return now_; }
    [[nodiscard]] steady_time coarse_now() const noexcept { return now_; }
    [[nodiscard]] system_time system_now() const noexcept { return port_.system_now(); }
    [[nodiscard]] std::uint64_t random() const noexcept { return port_.random(); }

    bool wait_until(steady_time when, std::stop_token const& stop) {
        auto const reached = port_.wait_until(when, stop);
        now_ = port_.now();
        return reached;
    }

  private:
    Clock& port_;
    steady_time now_;
};

}  // namespace recoup::inline v1::detail
