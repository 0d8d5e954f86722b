// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstdint>

namespace bench {

/// Fixed work: the same number of steps of a chain that no processor can shorten, however long they
/// take. Not a sleep, whose noise would drown what is measured, and not a loop until a time is over,
/// which would hide it.
class fixed_work {
  public:
    /// Work that takes about `span` on this machine when it is quiet.
    explicit fixed_work(std::chrono::nanoseconds span);

    std::uint64_t operator()() const;

    [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

  private:
    std::uint64_t steps_;
};

}  // namespace bench
