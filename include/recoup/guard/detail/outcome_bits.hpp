// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace recoup::inline v1::detail {

/// One bit an outcome, set where it was a failure. Places are written by whoever claimed them; the
/// bits are what is counted, so that no sum can drift away from them.
class outcome_bits {
  public:
    explicit outcome_bits(std::uint32_t size)
        : words_{std::make_unique<std::atomic<std::uint64_t>[]>((std::size_t{size} + 63) / 64)} {}

    /// Writes only where that changes something.
    void set(std::uint32_t place, bool failed) noexcept {
        auto& word = words_[place / 64];
        auto const bit = std::uint64_t{1} << (place % 64);
        if (((word.load(std::memory_order_relaxed) & bit) != 0) == failed) return;
        // Sequentially consistent: of two threads that each write a bit and then count, one at
        // least counts both.
        if (failed)
            word.fetch_or(bit);
        else
            word.fetch_and(~bit);
    }

    /// How many of the first `filled` places hold a failure.
    [[nodiscard]] std::uint32_t failures(std::uint32_t filled) const noexcept {
        std::uint32_t sum = 0;
        for (std::uint32_t i = 0; i != filled / 64; ++i)
            sum += static_cast<std::uint32_t>(std::popcount(words_[i].load()));
        if (auto const rest = filled % 64; rest != 0) {
            auto const mask = (std::uint64_t{1} << rest) - 1;
            sum += static_cast<std::uint32_t>(std::popcount(words_[filled / 64].load() & mask));
        }
        return sum;
    }

  private:
    std::unique_ptr<std::atomic<std::uint64_t>[]> words_;
};

}  // namespace recoup::inline v1::detail
