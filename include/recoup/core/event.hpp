// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/ambient_trace.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string_view>

namespace recoup::inline v1 {

/// What happened: one for each arrow between call and result.
enum class event_kind : std::uint8_t {
    operation_started,    ///< a call came in
    operation_resumed,    ///< a record of an earlier call or process was found and is continued
    operation_joined,     ///< the same operation is running; this call waits for its result
    operation_replayed,   ///< a recorded success is returned, the callable is not called
    attempt_started,      ///< the callable is about to be called
    attempt_failed,       ///< it failed; the failure is classified
    rejected,             ///< a guard did not admit the attempt
    retry_scheduled,      ///< it will be tried again after `delay`
    checkpoint_saved,     ///< progress was saved by the attempt
    recorded,             ///< the store has acknowledged a record
    store_failed,         ///< the store could not read or write; the operation is not protected
    operation_succeeded,  ///< the last event of a call
    operation_failed,     ///< the last event of a call
    operation_parked,     ///< a durable operation is blocked or dead, until somebody decides
    operation_left,       ///< it goes on elsewhere or later: taken over, given back, or not ended
    step_recorded,        ///< a step has run, and its result is recorded
    step_replayed,        ///< a step's recorded result is returned, its callable is not called
    step_failed,          ///< a step ended in failure, or was not begun because it does not fit
    step_unreached,       ///< the body has ended without asking for a step that is recorded
    step_undone,          ///< the compensation of a step has run
    fell_back,            ///< an operation has failed, and a fallback stands in for it
    attempt_abandoned,  ///< it took too long, or longer than a hedge, and was let go; its work goes on
    abandoned_ended,  ///< the work of an attempt that was let go has ended
    hedged,           ///< an attempt takes long, and another one began beside it; after `delay`
    hedge_refused,    ///< it did not: the budget is empty, or the failure says why
    hedge_won,        ///< the value of the attempt is that of a hedge
    racer_failed,    ///< one of several that run for one attempt failed; it goes on with the others
    abandoned_lost,  ///< an attempt still runs where its pool has ended: nobody will tell its end
    served_from_cache,  ///< the result is that of an earlier call, or of one at the same time
    served_stale,  ///< the operation has failed, and a result that has expired stands in for it
};

/// The number of kinds; each is below it.
inline constexpr std::size_t event_kind_count =
    static_cast<std::size_t>(event_kind::served_stale) + 1;

/// The name of `kind`, as in the enumeration.
constexpr std::string_view to_string(event_kind kind) noexcept {
    switch (kind) {
        case event_kind::operation_started: return "operation_started";
        case event_kind::operation_resumed: return "operation_resumed";
        case event_kind::operation_joined: return "operation_joined";
        case event_kind::operation_replayed: return "operation_replayed";
        case event_kind::attempt_started: return "attempt_started";
        case event_kind::attempt_failed: return "attempt_failed";
        case event_kind::rejected: return "rejected";
        case event_kind::retry_scheduled: return "retry_scheduled";
        case event_kind::checkpoint_saved: return "checkpoint_saved";
        case event_kind::recorded: return "recorded";
        case event_kind::store_failed: return "store_failed";
        case event_kind::operation_succeeded: return "operation_succeeded";
        case event_kind::operation_failed: return "operation_failed";
        case event_kind::operation_parked: return "operation_parked";
        case event_kind::operation_left: return "operation_left";
        case event_kind::step_recorded: return "step_recorded";
        case event_kind::step_replayed: return "step_replayed";
        case event_kind::step_failed: return "step_failed";
        case event_kind::step_unreached: return "step_unreached";
        case event_kind::step_undone: return "step_undone";
        case event_kind::fell_back: return "fell_back";
        case event_kind::attempt_abandoned: return "attempt_abandoned";
        case event_kind::abandoned_ended: return "abandoned_ended";
        case event_kind::hedged: return "hedged";
        case event_kind::hedge_refused: return "hedge_refused";
        case event_kind::hedge_won: return "hedge_won";
        case event_kind::racer_failed: return "racer_failed";
        case event_kind::abandoned_lost: return "abandoned_lost";
        case event_kind::served_from_cache: return "served_from_cache";
        case event_kind::served_stale: return "served_stale";
    }
    return "unknown";
}

template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             event_kind kind) {
    return out << to_string(kind);
}

/// One thing that happened to one operation. Valid only during the call of the observer.
struct event {
    event_kind kind{};
    std::uint32_t attempt = 0;                 ///< number of the attempt; 0 before the first
    recoup::failure const* failure = nullptr;  ///< where there is one
    /// Of `retry_scheduled`; for how long the attempt has run of `hedged` and `attempt_abandoned`, and the work of
    /// `abandoned_…`.
    duration delay{};
    std::string_view operation{};  ///< its name, or that of the pool, where it has one
    std::string_view key{};        ///< its key, where it has one
    std::string_view step{};       ///< the name of the step that it is about

    /// What the call is part of, or null: `trace()->traceparent()`, with <recoup/observe/trace.hpp>.
    [[nodiscard]] trace_context const* trace() const noexcept {
        return detail::ambient_trace::current;  // it is set for as long as observers are told
    }
};

/// Sees events. It is called on the thread of the operation, which waits for it: be brief.
///
/// An observer that throws harms nobody: the exception is dropped.
/// Thread safety: called concurrently where the operation is.
template <class O>
concept observer = requires(O& seen_by, event const& what) { seen_by(what); };

/// An observer that keeps something of each operation while that runs: a `per_operation`, which is made
/// before the first event and destroyed at the end, also where a coroutine is given up halfway. It sees the
/// events of `with_recovery` together with that, and two moments that are no events:
///
/// - `attempt_returned`: the callable has ended, with a value or not.
/// - `waits`: the operation stands in the line of a guard until `attempt_started` or its end.
template <class O>
concept remembering_observer =
    observer<O> && requires(O& seen_by, event const& what, typename O::per_operation& kept) {
        seen_by(what, kept);
        { seen_by.attempt_returned(kept) } noexcept;
        { seen_by.waits(kept) } noexcept;
    };

}  // namespace recoup::inline v1
