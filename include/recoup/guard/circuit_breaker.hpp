// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/guard/detail/breaker_window.hpp>
#include <recoup/guard/detail/breaker_word.hpp>
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
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace recoup::inline v1 {

/// What a circuit breaker knows that is worth keeping over a restart: plain data.
struct breaker_memory {
    breaker_state state = breaker_state::closed;
    system_time open_until{};    ///< where it is open
    std::uint32_t reopened = 0;  ///< how often in a row its probes have failed

    friend bool operator==(breaker_memory const&, breaker_memory const&) = default;
};

/// Stops calling what is down, and finds out when it is up again.
///
/// Closed, it admits every attempt and records operations: a failed attempt that is tried again is
/// no record, so that what a retry cures never opens it. It opens as soon as at least `minimum_calls`
/// are recorded and `failure_rate` of the window has failed. Open, it rejects for `open_for`; then
/// the next attempts are probes, `half_open_permits` of them, each recorded by itself. As soon as
/// their outcome is certain it closes with an empty window, or opens again. Failures of the
/// categories in `neutral` are no record, and a probe that ends so, or is lost, is given back.
/// Results of what was admitted before a change of state do not count. It can open for slow attempts and for
/// failures in a row as well, and stay open longer each time that its probes fail: see the options.
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
        std::uint32_t slow = 0;      ///< of `calls`, where `slow_after` is set
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
    [[nodiscard]] [[gnu::always_inline]] inline permit try_acquire(Clock& time) noexcept;

    /// Records the final failure of an operation that ended between attempts.
    template <clock Clock>
    void operation_failed(category what, Clock& time) noexcept {
        auto const tag = detail::tag_of(word_.load(std::memory_order_acquire));
        if (detail::state_of(tag) == breaker_state::closed)
            record_failure(tag, what, true, false, time);
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

    /// Goes on with other options, while calls are made: each decision that follows is made by them, and what
    /// it has seen so far stays. An open breaker stays open for as long as it was going to.
    ///
    /// Throws: std::invalid_argument that names the option that is wrong, or that cannot be changed: the
    /// window, the name, and whether slow attempts count at all.
    void change(circuit_breaker_options const& to);

    /// Throws: what `change` would throw; nothing is changed.
    void check_change(circuit_breaker_options const& to) const;

    /// What it was made with, or changed to.
    [[nodiscard]] circuit_breaker_options options() const {
        std::scoped_lock const lock{mutex_};
        return options_;
    }

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

    [[nodiscard]] counters snapshot() const noexcept { return snapshot(detail::machine_clock); }
    /// The same, where the clock is another one and the window a time.
    template <clock Clock>
    [[nodiscard]] counters snapshot(Clock& time) const noexcept;

    /// What is worth keeping over a restart: whether it is open, and for how long. `breaker_keeper` keeps
    /// it in a store.
    template <clock Clock>
    [[nodiscard]] breaker_memory memory(Clock& time) const noexcept;

    /// Goes on where another one was. What the wall clock says never makes it stay open longer than `open_for`
    /// and its growth would.
    template <clock Clock>
    void restore(breaker_memory const& before, Clock& time) noexcept;

    /// The name given in the options.
    [[nodiscard]] std::string_view name() const noexcept { return options_.name; }

  private:
    void check_change_locked(circuit_breaker_options const& to) const;
    enum class probe_end : std::uint8_t { succeeded, failed, neutral };

    static constexpr std::uint32_t reopened_most = 1'000;

    // What the coarse clock may lag behind: the end of `open_for` is looked at with the exact one.
    static constexpr auto coarse_lag_max = std::chrono::milliseconds{16};

    [[nodiscard]] steady_time open_until() const noexcept {
        return steady_time{duration{open_until_.load(std::memory_order_relaxed)}};
    }

    template <clock Clock>
    [[nodiscard]] bool stays_open(Clock& time) const noexcept;
    template <clock Clock>
    permit acquire_otherwise(Clock& time) noexcept;
    permit acquire_probe(steady_time now) noexcept;

    template <clock Clock>
    void record_success(detail::breaker_tag tag, bool slow, Clock& time) noexcept;
    template <clock Clock>
    void record_failure(detail::breaker_tag tag, category what, bool operation_over, bool slow,
                        Clock& time) noexcept;
    [[nodiscard]] duration open_span() const noexcept;
    void open(detail::breaker_tag tag, steady_time now) noexcept;
    void end_probe(detail::breaker_tag tag, probe_end how, steady_time now) noexcept;
    void enter(breaker_state state) noexcept;

    // One cache line: all that a closed breaker needs.
    alignas(64) std::atomic<detail::breaker_word> word_;  // not closed: written under the mutex
    std::atomic<duration::rep> open_until_{0};            // written under the mutex
    std::atomic<std::uint32_t> failed_in_a_row_{0};
    std::atomic<std::uint32_t> half_open_permits_;
    // What is asked without the lock where an attempt has failed, or was timed: each by itself.
    std::atomic<std::uint32_t> consecutive_failures_;
    std::atomic<category_set> neutral_;
    std::atomic<duration> slow_after_;
    detail::breaker_window window_;
    alignas(64) mutable std::mutex mutex_;
    detail::state_listeners listeners_;
    std::atomic<std::uint64_t> opened_{0};
    std::uint32_t reopened_ = 0;       // how often in a row its probes have failed
    circuit_breaker_options options_;  // changed and read under the mutex, but for the name
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
        : breaker_{std::exchange(other.breaker_, nullptr)},
          tag_{other.tag_},
          began_{other.began_} {}
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
    [[gnu::always_inline]] inline void succeeded(Clock& time) noexcept {
        auto* const breaker = std::exchange(breaker_, nullptr);
        if (!breaker) return;
        auto const now = detail::tag_of(breaker->word_.load(std::memory_order_acquire));
        // Closed, not timed, and full of successes: one more changes nothing.
        if (now == ((tag_ & ~detail::timed_flag) | detail::clean_flag)) [[likely]]
            return;
        breaker->record_success(tag_, was_slow(*breaker, time), time);
    }

    /// The attempt failed. `operation_over`: no further attempt follows.
    template <clock Clock>
    void failed(category what, bool operation_over, Clock& time) noexcept {
        if (auto* const breaker = std::exchange(breaker_, nullptr))
            breaker->record_failure(tag_, what, operation_over, was_slow(*breaker, time), time);
    }

  private:
    friend class circuit_breaker;
    permit(circuit_breaker& breaker, detail::breaker_tag tag) noexcept
        : breaker_{&breaker}, tag_{tag} {}
    template <clock Clock>
    permit timed(Clock& time) && noexcept {
        if ((tag_ & detail::timed_flag) != 0 && breaker_) began_ = time.now();
        return std::move(*this);
    }
    void swap(permit& other) noexcept {
        std::swap(breaker_, other.breaker_);
        std::swap(tag_, other.tag_);
        std::swap(began_, other.began_);
    }
    template <clock Clock>
    [[nodiscard]] bool was_slow(circuit_breaker const& breaker, Clock& time) const noexcept {
        if (began_ == steady_time::min()) [[likely]]
            return false;
        return saturating_between(began_, time.now()) >
               breaker.slow_after_.load(std::memory_order_relaxed);
    }

    circuit_breaker* breaker_ = nullptr;
    detail::breaker_tag tag_ = 0;
    steady_time began_ = steady_time::min();  ///< where slow ones count
};

inline circuit_breaker::circuit_breaker(circuit_breaker_options options)
    : word_{options.slow_after == unlimited ? 0 : detail::breaker_word{detail::timed_flag} << 32U},
      half_open_permits_{detail::checked(options).half_open_permits},
      consecutive_failures_{options.consecutive_failures},
      neutral_{options.neutral},
      slow_after_{options.slow_after},
      window_{options},
      options_{std::move(options)} {}

inline void circuit_breaker::check_change(circuit_breaker_options const& to) const {
    std::scoped_lock const lock{mutex_};
    check_change_locked(to);
}

inline void circuit_breaker::check_change_locked(circuit_breaker_options const& to) const {
    auto const refuse = [](std::string const& what) {
        throw std::invalid_argument{"recoup: circuit_breaker: " + what};
    };
    static_cast<void>(detail::checked(to));
    if (to.window != options_.window) refuse("window cannot be changed: it holds what it has seen");
    if (to.name != options_.name) refuse("name cannot be changed");
    if ((to.slow_after == unlimited) != (options_.slow_after == unlimited))
        refuse("slow_after cannot be changed from or to unlimited");
}

inline void circuit_breaker::change(circuit_breaker_options const& to) {
    std::scoped_lock const lock{mutex_};
    check_change_locked(to);
    options_ = to;
    half_open_permits_.store(to.half_open_permits, std::memory_order_relaxed);
    consecutive_failures_.store(to.consecutive_failures, std::memory_order_relaxed);
    neutral_.store(to.neutral, std::memory_order_relaxed);
    slow_after_.store(to.slow_after, std::memory_order_relaxed);
    window_.change(to);
}

template <clock Clock>
inline circuit_breaker::permit circuit_breaker::try_acquire(Clock& time) noexcept {
    auto const tag = detail::tag_of(word_.load(std::memory_order_acquire));
    if (detail::is_plainly_closed(tag)) [[likely]]
        return permit{*this, tag};
    if (stays_open(time)) [[likely]]
        return {};
    return acquire_otherwise(time);
}

/// Whether it rejects, whatever the exact time is. Rejections come in floods: all else is apart, and what it
/// needs is not set up for them.
template <clock Clock>
[[gnu::noinline]] bool circuit_breaker::stays_open(Clock& time) const noexcept {
    return state() == breaker_state::open &&
           saturating_between(time.coarse_now(), open_until()) > coarse_lag_max;
}

template <clock Clock>
[[gnu::noinline]] circuit_breaker::permit circuit_breaker::acquire_otherwise(Clock& time) noexcept {
    auto const word = word_.load(std::memory_order_acquire);
    auto now = steady_time{};
    switch (detail::state_of(detail::tag_of(word))) {
        case breaker_state::isolated: return {};
        case breaker_state::half_open:
            if (detail::probe_counts::of(word).used() >=
                half_open_permits_.load(std::memory_order_relaxed))
                return {};
            break;
        case breaker_state::open:
            now = time.now();
            if (now < open_until()) return {};
            break;
        case breaker_state::closed: return permit{*this, detail::tag_of(word)}.timed(time);
    }
    return acquire_probe(now).timed(time);
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
    if (probes.used() >= half_open_permits_.load(std::memory_order_relaxed)) return {};
    ++probes.running;
    word_.store(probes.into(word));
    auto given = permit{*this, detail::tag_of(word)};
    listeners_.announce(lock, {before, breaker_state::half_open});
    return given;
}

template <clock Clock>
[[gnu::noinline]] void circuit_breaker::record_success(detail::breaker_tag tag, bool slow,
                                                       Clock& time) noexcept {
    if (detail::state_of(tag) != breaker_state::closed)
        return end_probe(tag, slow ? probe_end::failed : probe_end::succeeded, time.now());
    if (failed_in_a_row_.load(std::memory_order_relaxed) != 0)
        failed_in_a_row_.store(0, std::memory_order_relaxed);
    if (window_.record(word_, tag, false, slow, time)) open(tag, time.now());
}

template <clock Clock>
void circuit_breaker::record_failure(detail::breaker_tag tag, category what, bool operation_over,
                                     bool slow, Clock& time) noexcept {
    auto const neutral = neutral_.load(std::memory_order_relaxed).contains(what);
    if (detail::state_of(tag) != breaker_state::closed)
        return end_probe(tag, neutral ? probe_end::neutral : probe_end::failed, time.now());
    if (!operation_over || neutral) return;
    auto const most_in_a_row = consecutive_failures_.load(std::memory_order_relaxed);
    auto const in_a_row =
        most_in_a_row != 0 ? failed_in_a_row_.fetch_add(1, std::memory_order_relaxed) + 1 : 0;
    auto const opens = window_.record(word_, tag, true, slow, time);
    if (opens || (most_in_a_row != 0 && in_a_row >= most_in_a_row)) open(tag, time.now());
}

/// How long it stays open this time. Pre: the lock is held.
inline duration circuit_breaker::open_span() const noexcept {
    auto const longest = std::max(options_.open_for, options_.open_for_max);
    auto span = static_cast<double>(options_.open_for.count());
    auto const most = static_cast<double>(longest.count());
    for (std::uint32_t i = 0; i != reopened_ && span < most; ++i) span *= options_.open_growth;
    return span < most ? duration{static_cast<duration::rep>(span)} : longest;
}

[[gnu::cold]] inline void circuit_breaker::open(detail::breaker_tag tag, steady_time now) noexcept {
    std::unique_lock lock{mutex_};
    auto word = word_.load();
    do {
        if (!detail::same_generation(word, tag)) return;
        reopened_ = 0;
        open_until_.store(saturating_add(now, open_span()).time_since_epoch().count());
    } while (!word_.compare_exchange_weak(word, detail::enter(word, breaker_state::open)));
    opened_.fetch_add(1, std::memory_order_relaxed);
    failed_in_a_row_.store(0, std::memory_order_relaxed);
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
    auto const wanted = options_.half_open_permits;
    // There may be more of them than are wanted since a change.
    auto const open_still = wanted - std::min(probes.succeeded, wanted);
    if (detail::reaches(probes.failed, wanted, options_.half_open_failure_rate))
        next = breaker_state::open;
    else if (!detail::reaches(open_still, wanted, options_.half_open_failure_rate))
        next = breaker_state::closed;  // even if all others fail
    if (next == breaker_state::open) {
        if (options_.open_growth > 1 && reopened_ != reopened_most) ++reopened_;
        open_until_.store(saturating_add(now, open_span()).time_since_epoch().count());
        opened_.fetch_add(1, std::memory_order_relaxed);
    }
    word_.store(next == breaker_state::half_open ? probes.into(word) : detail::enter(word, next));
    listeners_.announce(lock, {breaker_state::half_open, next});
}

inline void circuit_breaker::enter(breaker_state state) noexcept {
    std::unique_lock lock{mutex_};
    auto word = word_.load();
    while (!word_.compare_exchange_weak(word, detail::enter(word, state))) {}
    failed_in_a_row_.store(0, std::memory_order_relaxed);
    listeners_.announce(lock, {detail::state_of(detail::tag_of(word)), state});
}

template <clock Clock>
circuit_breaker::counters circuit_breaker::snapshot(Clock& time) const noexcept {
    auto const word = word_.load();
    auto const tag = detail::tag_of(word);
    auto seen =
        counters{.state = detail::state_of(tag), .opened = opened_.load(std::memory_order_relaxed)};
    if (seen.state == breaker_state::half_open) {
        auto const probes = detail::probe_counts::of(word);
        seen.failures = probes.failed;
        seen.calls = probes.failed + probes.succeeded;
    } else if (seen.state == breaker_state::closed) {
        auto const found = window_.count(word, time);
        seen.calls = found.calls;
        seen.failures = found.failures;
        seen.slow = found.slow;
    }
    return seen;
}

template <clock Clock>
breaker_memory circuit_breaker::memory(Clock& time) const noexcept {
    std::scoped_lock const lock{mutex_};
    auto kept = breaker_memory{.state = state(), .reopened = reopened_};
    if (kept.state == breaker_state::open)
        kept.open_until =
            saturating_add(time.system_now(), saturating_between(time.now(), open_until()));
    return kept;
}

template <clock Clock>
void circuit_breaker::restore(breaker_memory const& before, Clock& time) noexcept {
    std::unique_lock lock{mutex_};
    reopened_ = std::min(before.reopened, reopened_most);
    auto state = before.state;
    auto left = duration{};
    if (state == breaker_state::open)
        left = std::clamp(saturating_between(time.system_now(), before.open_until), duration{},
                          open_span());
    // Probes ended with the process that made them: others follow at once.
    if (state == breaker_state::half_open) state = breaker_state::open;
    open_until_.store(saturating_add(time.now(), left).time_since_epoch().count());
    auto word = word_.load();
    while (!word_.compare_exchange_weak(word, detail::enter(word, state))) {}
    failed_in_a_row_.store(0, std::memory_order_relaxed);
    listeners_.announce(lock, {detail::state_of(detail::tag_of(word)), state});
}

}  // namespace recoup::inline v1
