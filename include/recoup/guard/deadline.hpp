// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

namespace recoup::inline v1 {

/// The most active time that an operation may take, all attempts and waits together.
///
/// It is measured on the steady clock and summed over restarts; the time between a crash and the
/// restart does not count. A running attempt is not interrupted: it sees `attempt::remaining()`.
/// A wait that would end behind the deadline is not begun.
/// Example: `deadline{2min}`; zero or less allows no attempt at all.
struct deadline {
    duration total{};

    friend bool operator==(deadline const&, deadline const&) = default;
};

}  // namespace recoup::inline v1
