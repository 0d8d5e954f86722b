// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/random.hpp>
#include <recoup/core/time.hpp>

#include <cstdint>

namespace simulation {

/// All that is left to chance in a day comes from its seed through these.
class dice {
  public:
    explicit dice(std::uint64_t seed) noexcept : next_{seed} {}

    [[nodiscard]] std::uint64_t any() noexcept { return next_(); }
    /// From 0 to `count - 1`.
    [[nodiscard]] std::uint64_t below(std::uint64_t count) noexcept { return next_() % count; }
    [[nodiscard]] std::uint64_t between(std::uint64_t least, std::uint64_t most) noexcept {
        return least + below(most - least + 1);
    }
    [[nodiscard]] recoup::duration between(recoup::duration least, recoup::duration most) noexcept {
        return least + recoup::duration{static_cast<recoup::duration::rep>(
                           below(static_cast<std::uint64_t>((most - least).count()) + 1))};
    }
    [[nodiscard]] bool chance(double share) noexcept {
        return static_cast<double>(next_() >> 11U) * 0x1p-53 < share;
    }

  private:
    recoup::splitmix64 next_;
};

}  // namespace simulation
