// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/on.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/observe/alert.hpp>
#include <recoup/observe/detail/metrics_core.hpp>
#include <recoup/observe/metrics_options.hpp>
#include <recoup/observe/metrics_snapshot.hpp>
#include <recoup/observe/metrics_watch.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace recoup::inline v1 {

/// Something with the state of a circuit breaker.
template <class B>
concept watchable_breaker = requires(B const& breaker) {
    { breaker.state() } noexcept -> std::same_as<breaker_state>;
};

/// Counts, times and watches operations, by names.
///
/// Counts are exact; times are of operations drawn at random, and their overhead is what lies between their
/// first event and their last without the callable and the waits. Each name takes some 20 KB, and no more over
/// time. It must outlive what it watches for; `watch(shared_ptr, name)` sees to that by itself.
/// Thread safety: all members may be called concurrently, also out of gauges and of those that alerts call.
/// Counting takes no lock and no memory.
/// Example: `with_recovery(fetch, retry{}, metrics.watch("fetch"))`, `std::cout << metrics.snapshot()`.
class metrics {
  public:
    /// Throws: std::invalid_argument that names the option that is wrong.
    explicit metrics(metrics_options const& options = {}) : core_{options, {}} {}

    /// The same by another clock, which has to outlive it: `metrics{{.time_one_in = 1}, on(clock)}`.
    template <clock Clock>
    metrics(metrics_options const& options, clock_choice<Clock> time)
        : core_{options,
                {time.port, [](void* port) noexcept { return static_cast<Clock*>(port)->now(); }}} {
    }
    metrics(metrics const&) = delete;
    metrics& operator=(metrics const&) = delete;

    /// A policy without a stage that counts under `name`. The same name is the same counters.
    ///
    /// Names are shown escaped, without credentials, and cut at 128 bytes. Where there are more than
    /// `names_most`, the rest is counted as `(others)`: a name is of a kind of operation, never of one.
    /// Throws: std::bad_alloc.
    [[nodiscard]] metrics_watch watch(std::string_view name) {
        return metrics_watch{core_.watch(name)};
    }

    /// Shows the state of a breaker, which has to outlive the metrics, and counts it where it is open.
    ///
    /// Throws: std::length_error where there are `gauges_most`; std::bad_alloc.
    template <watchable_breaker Breaker>
    void watch(std::string_view name, Breaker const& breaker) {
        core_.breaker(name, [&breaker] { return breaker.state(); });
    }
    template <watchable_breaker Breaker>
    void watch(std::string_view name, std::shared_ptr<Breaker> breaker) {
        core_.breaker(name, [held = std::move(breaker)] { return held->state(); });
    }

    /// Shows what `read` gives at each snapshot, as the length of a queue. One that throws is shown as failed.
    /// Those in bytes are read for `memory_above` as well.
    ///
    /// Throws: std::length_error where there are `gauges_most`; std::invalid_argument; std::bad_alloc.
    void gauge(std::string_view name, std::function<double()> read,
               gauge_unit unit = gauge_unit::number) {
        core_.gauge(name, std::move(read), unit);
    }

    /// Calls `tell` once where a bound is crossed, and once where it no longer is.
    ///
    /// Looked at by `snapshot()`, and at the end of an operation that is timed, or has had a failure, at most
    /// every 100 ms: on its thread, which waits for `tell`. One that throws harms nobody, and may call
    /// whatever it likes: what happens meanwhile is looked at later. It stays for good.
    /// Throws: std::invalid_argument that names what is wrong; std::length_error where there are
    /// `rules_most`; std::bad_alloc.
    void alert(alert_rule const& rule, std::function<void(recoup::alert const&)> tell) {
        core_.alert(rule, std::move(tell));
    }

    /// What there is to see now, to print or to read. Throws: std::bad_alloc.
    [[nodiscard]] metrics_snapshot snapshot() { return core_.snapshot(); }

    /// Bytes that it takes, without what functions and their like hold.
    [[nodiscard]] std::size_t memory() const noexcept { return core_.memory(); }

  private:
    detail::metrics_core core_;
};

/// The same as `counted->watch(name)`; the metrics live as long as what it is given to.
///
/// Throws: std::bad_alloc.
[[nodiscard]] inline std::shared_ptr<metrics_watch const> watch(std::shared_ptr<metrics> counted,
                                                                std::string_view name) {
    struct owning {
        std::shared_ptr<metrics> owner;
        metrics_watch one;
    };
    auto const one = counted->watch(name);
    auto both = std::make_shared<owning const>(owning{std::move(counted), one});
    return {both, &both->one};
}

}  // namespace recoup::inline v1
