// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>

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
};

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
    duration delay{};                          ///< of `retry_scheduled`
    std::string_view operation{};              ///< its name, where it has one
    std::string_view key{};                    ///< its key, where it has one
    std::string_view step{};                   ///< the name of the step that it is about
};

/// Sees events. It is called on the thread of the operation, which waits for it: be brief.
///
/// An observer that throws harms nobody: the exception is dropped.
/// Thread safety: called concurrently where the operation is.
template <class O>
concept observer = requires(O& seen_by, event const& what) { seen_by(what); };

}  // namespace recoup::inline v1
