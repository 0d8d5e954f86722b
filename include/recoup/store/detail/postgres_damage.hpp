// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/postgres_options.hpp>

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The most damaged rows that are named.
inline constexpr std::size_t damaged_rows_max = 64;

/// The damaged rows that were met, each once.
class postgres_damage {
  public:
    void note(damaged_row what) {
        std::lock_guard const lock{mutex_};
        if (met_.size() < damaged_rows_max &&
            std::find(met_.begin(), met_.end(), what) == met_.end())
            met_.push_back(std::move(what));
    }
    [[nodiscard]] std::vector<damaged_row> all() const {
        std::lock_guard const lock{mutex_};
        return met_;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<damaged_row> met_;
};

}  // namespace recoup::inline v1::detail
