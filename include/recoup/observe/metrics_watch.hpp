// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/random.hpp>
#include <recoup/core/time.hpp>
#include <recoup/observe/detail/metrics_core.hpp>
#include <recoup/observe/detail/watched.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace recoup::inline v1 {

/// Counts what happens to operations under one name. Made by `metrics::watch`; models `observer`.
///
/// A copy counts into the same. It must not outlive the metrics object.
/// Thread safety: all members may be called concurrently. Counting takes no lock and no memory.
class metrics_watch {
  public:
    explicit metrics_watch(detail::watched& counted) noexcept : counted_{&counted} {}

    /// What is kept of an operation while it runs.
    class per_operation {
      public:
        per_operation() noexcept {}
        per_operation(per_operation const&) = delete;
        per_operation& operator=(per_operation const&) = delete;
        ~per_operation() {
            if (open_) [[unlikely]]
                counted_->abandoned.fetch_add(1, std::memory_order_relaxed);
        }

      private:
        friend class metrics_watch;
        enum class phase : std::uint8_t { own, callable, waiting };

        bool open_ = false;
        bool attempted_ = false;
        bool failed_ = false;    // an attempt of it has failed
        bool timed_ = false;     // of which the latency is
        bool measured_ = false;  // of which the overhead is
        phase phase_ = phase::own;
        // Not set before they are needed.
        detail::watched* counted_;
        steady_time started_;        // where it is timed
        steady_time since_;          // when the phase began, where it is measured
        duration own_;               // so far, where it is measured
        duration callable_;          // the same
        steady_time first_failure_;  // where it has failed
    };

    /// Counts only: for who has no place to keep anything, as durable operations.
    void operator()(event const& what) const noexcept { count(what); }

    [[gnu::always_inline]] inline void operator()(event const& what,
                                                  per_operation& kept) const noexcept {
        switch (what.kind) {
            case event_kind::operation_started: return begin(kept);
            case event_kind::attempt_started:
                counted_->place().add(event_kind::attempt_started);
                kept.attempted_ = true;
                if (kept.measured_) [[unlikely]]
                    enter(kept, per_operation::phase::callable);
                return;
            case event_kind::operation_succeeded:
                counted_->place().add(event_kind::operation_succeeded);
                kept.open_ = false;
                if (kept.timed_ || kept.failed_) [[unlikely]]
                    end(kept, true);
                return;
            default: return other(what, kept);
        }
    }

    void attempt_returned(per_operation& kept) const noexcept {
        if (kept.measured_) [[unlikely]]
            enter(kept, per_operation::phase::own);
    }
    void waits(per_operation& kept) const noexcept {
        if (kept.measured_) [[unlikely]]
            enter(kept, per_operation::phase::waiting);
    }

  private:
    using phase = per_operation::phase;

    [[gnu::always_inline]] inline void begin(per_operation& kept) const noexcept {
        auto const place = counted_->place();
        auto const number = place.add(event_kind::operation_started);
        kept.counted_ = counted_;
        kept.open_ = true;
        if (place.sample_is_due(number)) [[unlikely]]
            begin_sample(kept, place, number);
    }

    [[gnu::noinline]] void begin_sample(per_operation& kept, detail::metrics_place place,
                                        std::uint64_t number) const noexcept {
        auto const& options = counted_->core.options;
        // At random, for calls come in patterns. From 1 to twice the mean, less one.
        auto const random = detail::thread_random();
        auto const choices = std::uint64_t{2} * options.time_one_in - 1;
        place.sample_next(number + 1 + random % choices);
        auto const first = counted_->measured.load(std::memory_order_relaxed) == 0;
        kept.timed_ = true;
        kept.measured_ = first || (random >> 32U) % options.overhead_one_in == 0;
        kept.own_ = kept.callable_ = {};
        kept.started_ = kept.since_ = now();
    }

    /// Counts what has been since the last change of phase.
    void enter(per_operation& kept, phase next) const noexcept { enter(kept, next, now()); }

    [[gnu::noinline]] void enter(per_operation& kept, phase next,
                                 steady_time present) const noexcept {
        auto const took = std::max(
            saturating_between(kept.since_, present) - counted_->core.clock_read, duration{});
        if (kept.phase_ == phase::own) kept.own_ += took;
        if (kept.phase_ == phase::callable) kept.callable_ += took;
        kept.phase_ = next;
        kept.since_ = present;
    }

    [[gnu::noinline]] void other(event const& what, per_operation& kept) const noexcept {
        count(what);
        switch (what.kind) {
            case event_kind::attempt_failed:
                if (!kept.failed_) {
                    kept.failed_ = true;
                    kept.first_failure_ = now();
                }
                return;
            case event_kind::retry_scheduled:
            case event_kind::operation_joined: return waits(kept);
            case event_kind::operation_failed: kept.open_ = false; return end(kept, false);
            default: return;
        }
    }

    void count(event const& what) const noexcept {
        auto const kind = static_cast<std::size_t>(what.kind);
        if (kind >= event_kind_count) return;
        auto const place = counted_->place();
        place.add(what.kind);
        if (what.failure == nullptr) return;
        if (what.kind == event_kind::attempt_failed) {
            auto const category = static_cast<std::size_t>(what.failure->category());
            place.add(place.shard.failed_attempts[category < category_count ? category : 0]);
        } else if (what.kind == event_kind::operation_failed) {
            auto const why = static_cast<std::size_t>(what.failure->stopped());
            place.add(place.shard.stops[why < stop_reason_count ? why : 0]);
        }
    }

    [[gnu::noinline]] void end(per_operation& kept, bool succeeded) const noexcept {
        auto& core = counted_->core;
        if (!kept.timed_ && !kept.failed_ && !core.has_rules()) return;  // rejected, in a flood
        auto const present = now();
        if (kept.timed_ && kept.attempted_)
            (kept.failed_ ? counted_->troubled : counted_->smooth)
                .record(saturating_between(kept.started_, present));
        if (kept.failed_ && succeeded) {
            counted_->recovery.record(saturating_between(kept.first_failure_, present));
            counted_->recovered.fetch_add(1, std::memory_order_relaxed);
        }
        if (kept.measured_ && kept.attempted_) {
            enter(kept, phase::own, present);
            counted_->own.fetch_add(kept.own_.count(), std::memory_order_relaxed);
            counted_->callable.fetch_add(kept.callable_.count(), std::memory_order_relaxed);
            counted_->measured.fetch_add(1, std::memory_order_relaxed);
        }
        core.operation_ended(present);
    }

    [[nodiscard]] steady_time now() const noexcept { return counted_->core.clock.now(); }

    detail::watched* counted_;
};

static_assert(remembering_observer<metrics_watch const>);

}  // namespace recoup::inline v1
