// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

namespace recoup::inline v1 {

/// Bounds each attempt: one that takes longer is cancelled, and has failed with `errc::attempt_timed_out`, which
/// is tried again. A `deadline` bounds the whole operation.
///
/// For coroutines alone, which can be cancelled. A plain call cannot be: give its callable a timeout of its own,
/// such as that of a socket, and let it look at `attempt::remaining()` and `attempt::stop_token()`.
/// Example: `with_recovery(fetch_async, recoup::attempt_timeout{5s}, recoup::deadline{1min})`.
struct attempt_timeout {
    duration each = unlimited;

    friend bool operator==(attempt_timeout const&, attempt_timeout const&) = default;
};

}  // namespace recoup::inline v1
