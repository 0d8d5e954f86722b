// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "simulation/watched_store.hpp"

#include <cstdint>
#include <string>

namespace simulation {

struct day_options {
    std::uint64_t seed = 1;
    std::string store{};  ///< empty: the seed says
    mistake planted = mistake::none;
    bool aloud = false;  ///< prints each event
};

/// What became of a day in which no promise was broken.
struct day_report {
    std::uint64_t events = 0;
    std::uint64_t fingerprint = 0;  ///< of all events
    std::uint64_t calls = 0;
    std::uint64_t retries = 0;
    std::uint64_t crashes = 0;
    std::uint64_t power_cuts = 0;
    std::uint64_t freezes = 0;
    std::uint64_t shutdowns = 0;
    std::uint64_t breakers_opened = 0;
    std::uint64_t complete = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t impossible = 0;
    std::uint64_t dead = 0;
    std::string store{};

    day_report& operator+=(day_report const& other);
};

/// A day of a launcher's users, its mirrors, its disk and its crashes, on a clock of its own.
///
/// Where a promise is broken it tells so, and ends the program with status 1.
day_report live_through(day_options const& options);

}  // namespace simulation
