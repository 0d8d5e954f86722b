// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace bench {

/// Keeps the processors from idling while it lives, by threads that run where nothing else wants to.
///
/// A virtual processor that idles hears of a finished sync when its host next looks after it, 4 ms later
/// say; one that is busy hears at once. How long a commit takes would depend on what runs beside it, and
/// of two sides the one with more threads would win. This makes it the same for both.
class keep_awake {
  public:
    keep_awake();
    keep_awake(keep_awake const&) = delete;
    keep_awake& operator=(keep_awake const&) = delete;
    ~keep_awake() { stop_ = true; }

  private:
    std::atomic<bool> stop_{false};
    std::vector<std::jthread> threads_{};
};

}  // namespace bench
