// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/trace_context.hpp>

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// Whose calls are part of a trace. Made by `trace`.
template <class Source>
struct trace_choice {
    using is_trace = void;
    using kept = std::optional<trace_context>;

    mutable Source source;

    /// Effects: sets `into` where there is a trace, and it is valid.
    void ask(kept& into) const noexcept {
        try {
            if constexpr (std::is_invocable_v<Source&>)
                take(source(), into);
            else
                take(source, into);
        } catch (...) {
            // A call is not to fail because it cannot be followed.
            into.reset();
        }
        if (into && !into->valid()) into.reset();
    }

  private:
    static void take(trace_context const* found, kept& into) {
        if (found != nullptr) into = *found;
    }
    static void take(kept const& found, kept& into) { into = found; }
};

/// What gives a trace: a function of nothing that returns a `trace_context`, an optional one, or a pointer to one.
template <class F>
concept trace_source =
    std::is_invocable_v<F&> &&
    (std::convertible_to<std::invoke_result_t<F&>, std::optional<trace_context>> ||
     std::convertible_to<std::invoke_result_t<F&>, trace_context const*>);

/// Makes calls part of a trace: observers see it in each event, the callable as `attempt.trace()`, and so do wrapped
/// calls within it that have none of their own, where they are made on its thread.
///
/// One that is not valid is none. Within a coroutine, and on a thread of one's own, hand it on by hand:
/// `inner.with(recoup::trace(attempt.trace()))(…)`; a null pointer is none.
/// Example: `fetch.with(recoup::trace(context))(url)`, with `context` from `trace_context::parse(header)`.
[[nodiscard]] inline trace_choice<std::optional<trace_context>> trace(
    trace_context const& context) noexcept {
    return {context};
}
[[nodiscard]] inline trace_choice<std::optional<trace_context>> trace(
    trace_context const* context) noexcept {
    if (context == nullptr) return {std::nullopt};
    return {*context};
}

/// The same, by a function that is asked at the start of each call, on its thread, and once more where a fallback
/// stands in for its failure. Where it throws, the call has none.
///
/// Example: `with_recovery(fetch_page, recoup::trace([] { return span_of_this_thread(); }))`.
template <class F>
    requires trace_source<std::decay_t<F>>
[[nodiscard]] trace_choice<std::decay_t<F>> trace(F&& source) {
    return {std::forward<F>(source)};
}

}  // namespace recoup::inline v1
