// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/guard/detail/breaker_word.hpp>
#include <recoup/guard/detail/outcome_bits.hpp>
#include <recoup/guard/detail/state_listeners.hpp>
#include <recoup/guard/guard.hpp>
#include <recoup/guard/rejection.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace recoup::inline v1 {

/// Stops calling what is down, and finds out when it is up again.
///
/// Closed, it admits every attempt and records operations: a failed attempt that is tried again is
/// no record, so that what a retry cures never opens it. It opens as soon as at least `minimum_calls`
/// are recorded and `failure_rate` of the window has failed. Open, it rejects for `open_for`; then
/// the next attempts are probes, `half_open_permits` of them, each recorded by itself. As soon as
/// their outcome is certain it closes with an empty window, or opens again. Failures of the
/// categories in `neutral` are no record, and a probe that ends so, or is lost, is given back.
/// Results of what was admitted before a change of state do not count.
///
/// Give it as an lvalue, which must outlive the wrappers, or as a `std::shared_ptr`.
/// Thread safety: all members may be called concurrently. Closed, there is no lock, and a success
/// writes nothing shared while the window is full of successes. The count is exact from one thread;
/// from many it may miss what others are just recording, and makes up for it with the next failure.
/// Example: `circuit_breaker breaker{{.window = last_calls(20), .open_for = 10s}};`
class circuit_breaker {
  public:
    class permit;

    /// What there is to know at a moment.
    struct counters {
        breaker_state state{};
        std::uint32_t calls = 0;  ///< operations in the window; half-open: probes that have ended
        std::uint32_t failures = 0;  ///< of these
        std::uint64_t opened = 0;    ///< how often it opened
    };

    static constexpr guard_stage stage = guard_stage::breaker;
    static constexpr std::string_view label = "circuit_breaker";

    /// What a rejected attempt fails with.
    static constexpr guard_rejection rejection{category::service_unavailable, errc::breaker_open,
                                               stop_reason::breaker_open};

    /// Throws: std::invalid_argument that names the option that is wrong; std::bad_alloc.
    explicit circuit_breaker(circuit_breaker_options options = {});
    circuit_breaker(circuit_breaker const&) = delete;
    circuit_breaker& operator=(circuit_breaker const&) = delete;

    /// Asks for one attempt. A rejection takes nanoseconds, and does not throw.
    template <clock Clock>
    [[nodiscard]] permit try_acquire(Clock& time) noexcept;

    /// Records the final failure of an operation that ended between attempts.
    template <clock Clock>
    void operation_failed(category what, Clock& time) noexcept {
        auto const tag = detail::tag_of(word_.load(std::memory_order_acquire));
        if (detail::state_of(tag) == breaker_state::closed) record_failure(tag, what, true, time);
    }

    /// How long until it may admit again: zero where it would now, `unlimited` while isolated. Zero,
    /// too, while all probes are under way: nobody knows when they end.
    template <clock Clock>
    [[nodiscard]] duration retry_in(Clock& time) const noexcept {
        switch (state()) {
            case breaker_state::isolated: return unlimited;
            case breaker_state::open:
                return std::max(saturating_between(time.now(), open_until()), duration{});
            case breaker_state::closed:
            case breaker_state::half_open: break;
        }
        return duration{};
    }

    /// An open breaker whose time is over stays `open` until somebody asks for an attempt.
    [[nodiscard]] breaker_state state() const noexcept {
        return detail::state_of(detail::tag_of(word_.load(std::memory_order_acquire)));
    }

    /// Rejects everything from now on, until `reset`.
    void isolate() noexcept { enter(breaker_state::isolated); }

    /// Closes it, with an empty window.
    void reset() noexcept { enter(breaker_state::closed); }

    /// Calls `listener(breaker_change)` at each change of state, one after the other, without a lock;
    /// one that throws harms nobody. It stays for good.
    ///
    /// Throws: std::bad_alloc.
    void on_state_change(std::function<void(breaker_change const&)> listener) {
        using held = detail::state_listeners::listener;
        auto one = std::make_shared<held const>(std::move(listener));
        std::scoped_lock const lock{mutex_};
        listeners_.add(std::move(one));
    }

    [[nodiscard]] counters snapshot() const noexcept;

    /// The name given in the options.
    [[nodiscard]] std::string_view name() const noexcept { return name_; }

  private:
    enum class probe_end : std::uint8_t { succeeded, failed, neutral };

    // What the coarse clock may lag behind: the end of `open_for` is looked at with the exact one.
    static constexpr auto coarse_lag_max = std::chrono::milliseconds{16};

    [[nodiscard]] steady_time open_until() const noexcept {
        return steady_time{duration{open_until_.load(std::memory_order_relaxed)}};
    }

    template <clock Clock>
    permit acquire_unless_closed(Clock& time) noexcept;
    permit acquire_probe(steady_time now) noexcept;

    template <clock Clock>
    void record_success(detail::breaker_tag tag, Clock& time) noexcept;
    template <clock Clock>
    void record_failure(detail::breaker_tag tag, category what, bool operation_over,
                        Clock& time) noexcept;
    bool record(detail::breaker_tag tag, bool failed) noexcept;
    void open(detail::breaker_tag tag, steady_time now) noexcept;
    void end_probe(detail::breaker_tag tag, probe_end how, steady_time now) noexcept;
    void enter(breaker_state state) noexcept;

    // One cache line: all that a closed breaker needs.
    alignas(64) std::atomic<detail::breaker_word> word_{0};  // not closed: written under the mutex
    std::atomic<duration::rep> open_until_{0};               // written under the mutex
    detail::outcome_bits bits_;
    double failure_rate_;
    category_set neutral_;
    std::uint32_t size_;
    std::uint32_t minimum_;

    alignas(64) mutable std::mutex mutex_;
    detail::state_listeners listeners_;
    std::atomic<std::uint64_t> opened_{0};
    duration open_for_;
    double half_open_failure_rate_;
    std::uint32_t half_open_permits_;
    std::string name_;
};

/// The leave for one attempt, false where it was rejected. Tell it how the attempt ended; untold it
/// counts as neutral.
///
/// Thread safety: none; it belongs to the thread that runs the attempt.
class [[nodiscard]] circuit_breaker::permit {
  public:
    /// A rejection.
    permit() noexcept = default;
    permit(permit&& other) noexcept
        : breaker_{std::exchange(other.breaker_, nullptr)}, tag_{other.tag_} {}
    permit& operator=(permit&& other) noexcept {
        permit{std::move(other)}.swap(*this);
        return *this;
    }
    // Inline even where an exception passes: else its address is known, and it lives in memory.
    [[gnu::always_inline]] ~permit() {
        if (breaker_ && detail::state_of(tag_) != breaker_state::closed) [[unlikely]]
            breaker_->end_probe(tag_, probe_end::neutral, {});
    }

    /// Whether the attempt is admitted, and has not been told how it ended.
    explicit operator bool() const noexcept { return breaker_ != nullptr; }

    /// The attempt gave a value: the operation succeeded.
    template <clock Clock>
    void succeeded(Clock& time) noexcept {
        auto* const breaker = std::exchange(breaker_, nullptr);
        if (!breaker) return;
        auto const now = detail::tag_of(breaker->word_.load(std::memory_order_acquire));
        // Closed, and full of successes: one more changes nothing.
        if (now == (tag_ | detail::clean_flag)) [[likely]]
            return;
        breaker->record_success(tag_, time);
    }

    /// The attempt failed. `operation_over`: no further attempt follows.
    template <clock Clock>
    void failed(category what, bool operation_over, Clock& time) noexcept {
        if (auto* const breaker = std::exchange(breaker_, nullptr))
            breaker->record_failure(tag_, what, operation_over, time);
    }

  private:
    friend class circuit_breaker;
    permit(circuit_breaker& breaker, detail::breaker_tag tag) noexcept
        : breaker_{&breaker}, tag_{tag} {}
    void swap(permit& other) noexcept {
        std::swap(breaker_, other.breaker_);
        std::swap(tag_, other.tag_);
    }

    circuit_breaker* breaker_ = nullptr;
    detail::breaker_tag tag_ = 0;
};

inline circuit_breaker::circuit_breaker(circuit_breaker_options options)
    : bits_{detail::checked(options).window.calls},
      failure_rate_{options.failure_rate},
      neutral_{options.neutral},
      size_{options.window.calls},
      minimum_{std::clamp(options.minimum_calls, std::uint32_t{1}, options.window.calls)},
      open_for_{options.open_for},
      half_open_failure_rate_{options.half_open_failure_rate},
      half_open_permits_{options.half_open_permits},
      name_{std::move(options.name)} {}

template <clock Clock>
circuit_breaker::permit circuit_breaker::try_acquire(Clock& time) noexcept {
    auto const tag = detail::tag_of(word_.load(std::memory_order_acquire));
    if (detail::state_of(tag) == breaker_state::closed) [[likely]]
        return permit{*this, tag};
    return acquire_unless_closed(time);
}

template <clock Clock>
[[gnu::noinline]] circuit_breaker::permit circuit_breaker::acquire_unless_closed(
    Clock& time) noexcept {
    auto const word = word_.load(std::memory_order_acquire);
    auto now = steady_time{};
    switch (detail::state_of(detail::tag_of(word))) {
        case breaker_state::isolated: return {};
        case breaker_state::half_open:
            if (detail::probe_counts::of(word).used() >= half_open_permits_) return {};
            break;
        case breaker_state::open: {
            auto const until = open_until();
            if (saturating_between(time.coarse_now(), until) > coarse_lag_max) return {};
            now = time.now();
            if (now < until) return {};
            break;
        }
        case breaker_state::closed: break;
    }
    return acquire_probe(now);
}

/// Asks again with the lock held, and takes a probe where it may.
[[gnu::cold]] inline circuit_breaker::permit circuit_breaker::acquire_probe(
    steady_time now) noexcept {
    std::unique_lock lock{mutex_};
    auto word = word_.load();
    auto const before = detail::state_of(detail::tag_of(word));
    if (before == breaker_state::closed) return permit{*this, detail::tag_of(word)};
    if (before == breaker_state::isolated) return {};
    if (before == breaker_state::open) {
        if (now < open_until()) return {};
        word = detail::enter(word, breaker_state::half_open);
    }
    auto probes = detail::probe_counts::of(word);
    if (probes.used() >= half_open_permits_) return {};
    ++probes.running;
    word_.store(probes.into(word));
    auto given = permit{*this, detail::tag_of(word)};
    listeners_.announce(lock, {before, breaker_state::half_open});
    return given;
}

template <clock Clock>
[[gnu::noinline]] void circuit_breaker::record_success(detail::breaker_tag tag,
                                                       Clock& time) noexcept {
    if (detail::state_of(tag) != breaker_state::closed)
        end_probe(tag, probe_end::succeeded, time.now());
    else if (record(tag, false))
        open(tag, time.now());
}

template <clock Clock>
void circuit_breaker::record_failure(detail::breaker_tag tag, category what, bool operation_over,
                                     Clock& time) noexcept {
    auto const neutral = neutral_.contains(what);
    if (detail::state_of(tag) != breaker_state::closed)
        end_probe(tag, neutral ? probe_end::neutral : probe_end::failed, time.now());
    else if (operation_over && !neutral && record(tag, true))
        open(tag, time.now());
}

/// Puts an outcome into the window of a closed breaker.
///
/// Returns: whether it must open.
inline bool circuit_breaker::record(detail::breaker_tag tag, bool failed) noexcept {
    using detail::window_head;
    auto word = word_.load();
    window_head before;
    window_head after;
    do {
        if (!detail::same_generation(word, tag)) return false;
        before = window_head::of(word);
        if (before.clean && !failed) return false;
        after = before.after(failed, size_);
    } while (!word_.compare_exchange_weak(word, after.into(word)));
    bits_.set(before.cursor, failed);

    // A success can raise the rate above the limit only by completing the minimum. A failure looks
    // at the head again, for others may have completed it before its bit was set.
    auto const completes = !before.wrapped && after.filled(size_) == minimum_;
    if (!failed && !completes) return false;
    word = word_.load();
    if (!detail::same_generation(word, tag)) return false;
    auto const filled = window_head::of(word).filled(size_);
    return filled >= minimum_ && detail::reaches(bits_.failures(filled), filled, failure_rate_);
}

[[gnu::cold]] inline void circuit_breaker::open(detail::breaker_tag tag, steady_time now) noexcept {
    std::unique_lock lock{mutex_};
    auto word = word_.load();
    do {
        if (!detail::same_generation(word, tag)) return;
        open_until_.store(saturating_add(now, open_for_).time_since_epoch().count());
    } while (!word_.compare_exchange_weak(word, detail::enter(word, breaker_state::open)));
    opened_.fetch_add(1, std::memory_order_relaxed);
    listeners_.announce(lock, {breaker_state::closed, breaker_state::open});
}

[[gnu::cold]] inline void circuit_breaker::end_probe(detail::breaker_tag tag, probe_end how,
                                                     steady_time now) noexcept {
    std::unique_lock lock{mutex_};
    auto const word = word_.load();
    if (!detail::same_generation(word, tag)) return;
    auto probes = detail::probe_counts::of(word);
    --probes.running;
    if (how == probe_end::failed) ++probes.failed;
    if (how == probe_end::succeeded) ++probes.succeeded;

    auto next = breaker_state::half_open;
    if (detail::reaches(probes.failed, half_open_permits_, half_open_failure_rate_))
        next = breaker_state::open;
    else if (!detail::reaches(half_open_permits_ - probes.succeeded, half_open_permits_,
                              half_open_failure_rate_))
        next = breaker_state::closed;  // even if all others fail
    if (next == breaker_state::open) {
        open_until_.store(saturating_add(now, open_for_).time_since_epoch().count());
        opened_.fetch_add(1, std::memory_order_relaxed);
    }
    word_.store(next == breaker_state::half_open ? probes.into(word) : detail::enter(word, next));
    listeners_.announce(lock, {breaker_state::half_open, next});
}

inline void circuit_breaker::enter(breaker_state state) noexcept {
    std::unique_lock lock{mutex_};
    auto word = word_.load();
    while (!word_.compare_exchange_weak(word, detail::enter(word, state))) {}
    listeners_.announce(lock, {detail::state_of(detail::tag_of(word)), state});
}

inline circuit_breaker::counters circuit_breaker::snapshot() const noexcept {
    auto const word = word_.load();
    auto seen = counters{.state = detail::state_of(detail::tag_of(word)),
                         .opened = opened_.load(std::memory_order_relaxed)};
    if (seen.state == breaker_state::closed) {
        seen.calls = detail::window_head::of(word).filled(size_);
        seen.failures = bits_.failures(seen.calls);
    } else if (seen.state == breaker_state::half_open) {
        auto const probes = detail::probe_counts::of(word);
        seen.failures = probes.failed;
        seen.calls = probes.failed + probes.succeeded;
    }
    return seen;
}

}  // namespace recoup::inline v1
