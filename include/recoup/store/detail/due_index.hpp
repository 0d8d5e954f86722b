// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/store/detail/sleep_began.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Which operations may be claimed, by when each is due and by when it was put to sleep. Some more may be in
/// there.
class due_index {
  public:
    /// Throws: std::bad_alloc; then `remove` takes out what was put in.
    void add(std::uint64_t number, system_time due, duration delay) {
        // As a rule behind all others: so it was made, and so it is read again.
        by_due_.emplace_hint(by_due_.end(), due, number);
        if (slept(due)) by_begin_.emplace_hint(by_begin_.end(), sleep_began(due, delay), number);
    }
    void remove(std::uint64_t number, system_time due, duration delay) noexcept {
        by_due_.erase({due, number});
        if (slept(due)) by_begin_.erase({sleep_began(due, delay), number});
    }

    /// Calls `take(number, due)`, which says whether it wants more, for what is due at `now`, the earliest
    /// first; then for what seems to have been put to sleep after `now`, for then the clock was set back
    /// since. `sleeper(number)` gives an operation's due time and delay, or null.
    template <class Take, class Slept>
    void each_due(system_time now, Take&& take, Slept&& sleeper) const {
        for (auto const& [due, number] : by_due_) {
            if (due > now) break;
            if (!take(number, due)) return;
        }
        std::vector<entry> late;
        for (auto begun = by_begin_.rbegin(); begun != by_begin_.rend() && begun->first > now;
             ++begun) {
            auto const* const one = sleeper(begun->second);
            if (one != nullptr && one->due > now &&
                sleep_began(one->due, one->delay) == begun->first)
                late.emplace_back(one->due, begun->second);
        }
        std::sort(late.begin(), late.end());
        for (auto const& [due, number] : late)
            if (!take(number, due)) return;
    }

  private:
    using entry = std::pair<system_time, std::uint64_t>;

    /// Whether it was ever put to sleep: what was not is due at any time.
    static bool slept(system_time due) noexcept { return due != system_time{}; }

    std::set<entry> by_due_;
    std::set<entry> by_begin_;
};

}  // namespace recoup::inline v1::detail
