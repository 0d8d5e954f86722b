// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

namespace recoup::inline v1::detail {

/// A small number for each thread that runs, so that it can have counters of its own: the lowest that no
/// other thread has. It is given back where the thread ends.
///
/// What the last owner has written with it is seen by the next.
class thread_place {
  public:
    /// How many threads have a number at a time.
    static constexpr std::uint32_t most = 64;

    /// The number of this thread; `most` where it has none, and shares with others that have none.
    [[gnu::always_inline]] static inline std::uint32_t current() noexcept {
        auto const place = here;
        return place != not_asked ? place : ask();
    }

    /// The same, or a number above `most` where the thread has not asked for one yet.
    [[gnu::always_inline]] static inline std::uint32_t current_if_asked() noexcept { return here; }

  private:
    static constexpr std::uint32_t not_asked = most + 1;

    struct holder {
        std::uint32_t place = most;
        holder() noexcept {
            auto taken = all.load(std::memory_order_relaxed);
            while (taken != UINT64_MAX) {
                auto const lowest = static_cast<std::uint32_t>(std::countr_one(taken));
                if (all.compare_exchange_weak(taken, taken | std::uint64_t{1} << lowest,
                                              std::memory_order_acquire,
                                              std::memory_order_relaxed)) {
                    place = lowest;
                    return;
                }
            }
        }
        holder(holder const&) = delete;
        holder& operator=(holder const&) = delete;
        ~holder() {
            here = most;  // the destructors that run after this one share
            if (place != most)
                all.fetch_and(~(std::uint64_t{1} << place), std::memory_order_release);
        }
    };

    [[gnu::cold, gnu::noinline]] static std::uint32_t ask() noexcept {
        thread_local holder const mine;
        return here = mine.place;
    }

    static inline constinit std::atomic<std::uint64_t> all{
        0};  ///< a bit for each number that is taken
    static inline constinit thread_local std::uint32_t here = not_asked;
};

}  // namespace recoup::inline v1::detail
