// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/guard/abandon_pool_options.hpp>
#include <recoup/guard/detail/abandon_core.hpp>
#include <recoup/guard/detail/abandonable_call.hpp>
#include <recoup/guard/detail/await_on.hpp>
#include <recoup/reloadable.hpp>

#include <cstdint>
#include <memory>
#include <stop_token>

namespace recoup::inline v1 {

/// Bounds each attempt of a callable that cannot be told to end: it runs on a thread of `pool`, and is let go
/// when it takes longer. It has then failed with `errc::attempt_timed_out`, which is tried again.
///
/// **The work goes on.** What it does still happens, beside the next attempt, too: say `not_idempotent` where
/// that must not be. It owns what it needs: every attempt gets a copy of the callable and of the arguments
/// (which cannot be filled in by reference, therefore); what those refer to has to live for as long.
/// It is never unnoticed: observers of the call see `attempt_abandoned`, `pool.abandoned()` counts it, the
/// pool's observer is told of its end, and the pool waits for it when it ends.
/// The caller waits no longer than the deadline, and no longer than until a stop is requested; either lets go.
/// A callable that can end by itself takes `recoup::attempt&`, and `attempt_timeout`; a coroutine, too.
/// It costs two changes of threads for each attempt.
/// Example: `with_recovery(parse_file, recoup::abandon_after{10s, parsers})`.
struct abandon_after : detail::abandonable_calls {
    abandon_after(duration longest, abandon_pool& on) : abandon_after{abandon_limit{longest}, on} {}
    abandon_after(abandon_limit const& longest, abandon_pool& on)
        : abandon_after{reloadable{longest}, on} {}
    /// Each attempt is waited for as long as `longest` says when it begins.
    abandon_after(reloadable<abandon_limit> const& longest, abandon_pool& on)
        : longest_{longest}, pool_{on.core_} {}

    /// How long an attempt that begins now is waited for.
    [[nodiscard]] duration each() const noexcept { return longest_.current().each; }

    /// How many attempts may run at a time.
    [[nodiscard]] std::uint32_t threads() const noexcept { return pool_->threads(); }

    // ---- for the engine

    /// Returns: null, or why `work` does not run.
    [[nodiscard]] failure const* begin(std::shared_ptr<detail::abandonable> const& work) const {
        return pool_->begin(work);
    }

    /// Returns: whether it has ended.
    template <class Clock>
    [[nodiscard]] bool await(detail::abandonable& work, Clock& clock, steady_time until,
                             std::stop_token const& stop) const {
        return detail::await_on(
            clock, until, stop,
            [&](steady_time machine_until, std::stop_token const& machine_stop) {
                return pool_->await(work, machine_until, machine_stop);
            });
    }

  private:
    reloadable<abandon_limit> longest_;
    std::shared_ptr<detail::abandon_core> pool_;
};

}  // namespace recoup::inline v1
