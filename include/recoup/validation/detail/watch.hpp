// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/time.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace recoup::inline v1::validation::detail {

/// An observer that sees one operation at a time: what happened, when it first failed, and what it chose to wait.
///
/// Thread safety: events may come from any thread; the rest is for the thread that makes the calls.
template <clock Clock>
class watch {
  public:
    explicit watch(Clock& time) noexcept : time_{&time} {}
    watch(watch const&) = delete;
    watch& operator=(watch const&) = delete;

    void operator()(event const& what) noexcept {
        counts_[static_cast<std::size_t>(what.kind)].fetch_add(1, std::memory_order_relaxed);
        if (what.kind == event_kind::attempt_failed && !failed_.exchange(true))
            failed_at_.store(time_->now());
        if (what.kind == event_kind::retry_scheduled)
            waits_.store(saturating_add(waits_.load(), what.delay));
    }

    void begin_operation() noexcept {
        failed_.store(false);
        waits_.store(duration{});
    }

    /// When an attempt of this operation failed first; nothing where none has.
    [[nodiscard]] std::optional<steady_time> failed_at() const noexcept {
        if (!failed_.load()) return std::nullopt;
        return failed_at_.load();
    }
    /// What this operation chose to wait so far.
    [[nodiscard]] duration waits() const noexcept { return waits_.load(); }

    /// How many events of this kind there were, in all operations.
    [[nodiscard]] std::uint64_t count(event_kind kind) const noexcept {
        return counts_[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
    }

  private:
    Clock* time_;
    std::array<std::atomic<std::uint64_t>, event_kind_count> counts_{};
    std::atomic<bool> failed_{false};
    std::atomic<steady_time> failed_at_{};
    std::atomic<duration> waits_{};
};

}  // namespace recoup::inline v1::validation::detail
