// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

// Replaces `operator new`, and on request SQLite's allocator, by ones that run out of memory.

namespace recoup_test {

/// Counts what is allocated between `begin` and `end`, and refuses the `number`-th (0: none), or it and
/// all that follow.
class starving {
  public:
    static void plan(std::uint64_t number, bool for_good) noexcept;
    static void begin() noexcept;
    static void end() noexcept;
    [[nodiscard]] static std::uint64_t count() noexcept;
    [[nodiscard]] static std::uint64_t refused() noexcept;
    /// Blocks that were allocated and not given back, in all.
    [[nodiscard]] static std::int64_t blocks() noexcept;
    /// Has SQLite allocate here too. Nothing of it may be in use.
    static void take_sqlite();
};

}  // namespace recoup_test
