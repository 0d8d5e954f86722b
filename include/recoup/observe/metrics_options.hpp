// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace recoup::inline v1 {

/// How much metrics measures and how much room it may take. Counts are exact, whatever is chosen here.
struct metrics_options {
    /// Of so many operations of a thread one is timed, on average and at random; 0: none is.
    std::uint32_t time_one_in = 16;
    /// Of so many operations that are timed one has its overhead measured, which takes two more readings
    /// of the clock.
    std::uint32_t overhead_one_in = 4;
    /// So many threads at a time have counters of their own, some 512 bytes for each name; others share,
    /// which takes locked instructions. At most 64.
    std::uint32_t shards = 8;
    std::size_t names_most = 256;   ///< further ones are counted together, as `(others)`
    std::size_t gauges_most = 256;  ///< gauges and breakers; a further one is refused
    std::size_t rules_most = 16;    ///< alerts; a further one is refused
};

}  // namespace recoup::inline v1
