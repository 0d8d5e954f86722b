// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/event.hpp>

#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// An observer made of a function. Made by `on_event`.
template <class F>
struct event_function {
    mutable F function;
    void operator()(event const& what) const { function(what); }
};

/// An observer of retries only. Made by `on_retry`.
template <class F>
struct retry_function {
    mutable F function;
    void operator()(event const& what) const {
        if (what.kind == event_kind::retry_scheduled) function(what);
    }
};

/// Calls `function(event)` at every event. Thread safety: that of the function.
template <class F>
[[nodiscard]] event_function<std::decay_t<F>> on_event(F&& function) {
    static_assert(std::is_invocable_v<std::decay_t<F>&, event const&>,
                  "recoup: the function of on_event takes a recoup::event const&");
    return {std::forward<F>(function)};
}

/// Calls `function(event)` before every wait for another attempt: `event.attempt` is the attempt that
/// failed, `event.failure` why, `event.delay` how long the wait will be.
template <class F>
[[nodiscard]] retry_function<std::decay_t<F>> on_retry(F&& function) {
    static_assert(std::is_invocable_v<std::decay_t<F>&, event const&>,
                  "recoup: the function of on_retry takes a recoup::event const&");
    return {std::forward<F>(function)};
}

}  // namespace recoup::inline v1
