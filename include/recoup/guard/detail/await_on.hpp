// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/alarm.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/detail/alarm_thread.hpp>

#include <concepts>
#include <stop_token>

namespace recoup::inline v1::detail {

/// Waits by `await(until, stop)`, which knows the machine's clock alone, until `until` on `clock`, or a stop.
template <class Clock, class Await>
auto await_on(Clock& clock, steady_time until, std::stop_token const& stop, Await&& await) {
    static_assert(
        has_alarms<Clock>,
        "recoup: abandon_after, and a hedge of a plain call, need a clock that has alarms: "
        "set(alarm&) and forget(alarm&)");
    if constexpr (std::same_as<Clock, real_clock>) {
        return await(until, stop);
    } else {
        struct set_until_here {
            Clock& port;
            alarm end;
            ~set_until_here() { forget_alarm(port, end); }
        } set{clock, alarm{until}};
        auto const request = [&]() noexcept { std::stop_source{set.end.source()}.request_stop(); };
        std::stop_callback const stopped{stop, request};
        if (until != steady_time::max()) set_alarm(clock, set.end);
        return await(steady_time::max(), set.end.source().get_token());
    }
}

}  // namespace recoup::inline v1::detail
