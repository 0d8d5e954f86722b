// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/random.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/observe/detail/thread_place.hpp>
#include <recoup/observe/histogram.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace recoup::inline v1::detail {

class metrics_core;

using shared_count = std::atomic<std::uint64_t>;

/// The counters of one thread, or of all threads that have none of their own.
struct alignas(64) metrics_shard {
    shared_count sample_at{1};  ///< the number of the operation that is timed next
    std::array<shared_count, event_kind_count> events{};
    std::array<shared_count, category_count> failed_attempts{};
    std::array<shared_count, stop_reason_count> stops{};
};

/// A shard, and whether this thread alone writes it: then adding needs no locked instruction.
///
/// Whoever sees a count sees what was counted before it, so that no operation ends before it has begun.
struct metrics_place {
    metrics_shard& shard;
    bool own;

    /// Returns: the count, this one included.
    [[gnu::always_inline]] inline std::uint64_t add(shared_count& count) const noexcept {
        if (!own) [[unlikely]]
            return count.fetch_add(1, std::memory_order_release) + 1;
        auto const now = count.load(std::memory_order_relaxed) + 1;
        count.store(now, std::memory_order_release);
        return now;
    }
    [[gnu::always_inline]] inline std::uint64_t add(event_kind kind) const noexcept {
        return add(shard.events[static_cast<std::size_t>(kind)]);
    }

    /// Whether the operation of this number is to be timed; then `sample_next` has to be called. Threads that share
    /// a shard may time some operations more.
    [[gnu::always_inline]] inline bool sample_is_due(std::uint64_t number) const noexcept {
        return number >= shard.sample_at.load(std::memory_order_relaxed);
    }
    void sample_next(std::uint64_t number) const noexcept {
        shard.sample_at.store(number, std::memory_order_relaxed);
    }
};

/// What alerts are made of: sums that only grow.
struct watched_totals {
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;  ///< without those that were cancelled
    std::uint64_t measured = 0;
    std::int64_t own = 0;       ///< nanoseconds of the library in the operations that were measured
    std::int64_t callable = 0;  ///< of the callable
    std::uint64_t recovered = 0;
    std::int64_t recovering = 0;  ///< nanoseconds
};

/// All that is counted of one name.
class watched {
  public:
    watched(metrics_core& counted_in, std::string shown_as, std::uint32_t shards, bool sampled)
        : core{counted_in},
          name{std::move(shown_as)},
          shards_{std::make_unique<metrics_shard[]>(shards + 1)},
          own_shards_{shards} {
        if (!sampled)
            for (std::uint32_t i = 0; i <= shards; ++i) shards_[i].sample_at = UINT64_MAX;
    }

    [[gnu::always_inline]] inline metrics_place place() const noexcept {
        auto const mine = thread_place::current_if_asked();
        if (mine < own_shards_) [[likely]]
            return {shards_[mine], true};
        return place_otherwise();
    }

    template <class Member>
    [[nodiscard]] std::uint64_t sum(Member member) const noexcept {
        std::uint64_t all = 0;
        for (std::uint32_t i = 0; i <= own_shards_; ++i)
            all += member(shards_[i]).load(std::memory_order_acquire);
        return all;
    }
    [[nodiscard]] std::uint64_t events(event_kind kind) const noexcept {
        return sum([&](auto& one) -> auto& { return one.events[static_cast<std::size_t>(kind)]; });
    }
    [[nodiscard]] std::uint64_t stops(stop_reason why) const noexcept {
        return sum([&](auto& one) -> auto& { return one.stops[static_cast<std::size_t>(why)]; });
    }

    [[nodiscard]] watched_totals totals() const noexcept {
        // In this order: what ends meanwhile makes the rate too good for a moment, never an alert.
        auto const failed = events(event_kind::operation_failed);
        auto const cancelled = stops(stop_reason::cancelled);
        return {.succeeded = events(event_kind::operation_succeeded),
                .failed = failed > cancelled ? failed - cancelled : 0,
                .measured = measured.load(std::memory_order_relaxed),
                .own = own.load(std::memory_order_relaxed),
                .callable = callable.load(std::memory_order_relaxed),
                .recovered = recovered.load(std::memory_order_relaxed),
                .recovering = recovery.sum().count()};
    }

    /// How many bytes it takes.
    [[nodiscard]] std::size_t size() const noexcept {
        return sizeof *this + (own_shards_ + 1) * sizeof(metrics_shard) + name.capacity();
    }

    metrics_core& core;
    std::string const name;  ///< printable

  private:
    [[gnu::noinline]] metrics_place place_otherwise() const noexcept {
        auto const mine = thread_place::current();
        auto const alone = mine < own_shards_;
        return {shards_[alone ? mine : own_shards_], alone};
    }

    std::unique_ptr<metrics_shard[]> shards_;
    std::uint32_t own_shards_;

  public:
    // All threads write these, where an operation is timed or recovers; apart from what every call reads.
    alignas(64) shared_histogram smooth;  ///< of operations without a failed attempt
    shared_histogram troubled;            ///< of the others
    shared_histogram recovery;
    shared_count recovered{0};
    shared_count abandoned{0};
    shared_count measured{0};
    std::atomic<std::int64_t> own{0};
    std::atomic<std::int64_t> callable{0};
};

}  // namespace recoup::inline v1::detail
