// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/detail/attempt_limit.hpp>
#include <recoup/guard/detail/attempt_timed_out.hpp>

namespace recoup::inline v1 {

/// Bounds each attempt: one that takes longer is told to end, and has failed with `errc::attempt_timed_out`,
/// which is tried again. A `deadline` bounds the whole operation.
///
/// A coroutine is cancelled. A plain call has to cooperate: it takes `recoup::attempt&`, and looks at
/// `attempt::remaining()`, which is the lesser of the deadline and this, or at `attempt::stop_token()`, which is
/// triggered when the time has passed; nobody can end one from outside. What cannot cooperate can only be let
/// go: `abandon_after`.
/// Whoever ends late with a failure, whatever it is, has timed out; the message says what it was. Whoever ends
/// late with a value has that: the work is done, and nobody gains by doing it again.
/// It costs a look at the clock for each attempt; the token makes an alarm when it is asked for, and not before.
/// Example: `with_recovery(fetch_async, recoup::attempt_timeout{5s}, recoup::deadline{1min})`.
struct attempt_timeout {
    duration each = unlimited;

    /// What keeps the limit of a plain call.
    template <class Clock>
    using keeper = detail::attempt_limit<Clock>;
    /// What an attempt fails with that ended late, and with `late`.
    [[nodiscard]] static failure failed(failure const& late) {
        return detail::attempt_timed_out(late);
    }

    friend bool operator==(attempt_timeout const&, attempt_timeout const&) = default;
};

}  // namespace recoup::inline v1
