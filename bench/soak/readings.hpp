// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace soak {

/// What this process takes of the machine, by /proc: asked when none of its users runs.
struct resources {
    double resident_mib = 0;
    std::int64_t descriptors = 0;
    std::int64_t threads = 0;
};

/// Throws: std::runtime_error where /proc does not say.
resources read_resources();

/// What one interval came to.
struct interval {
    std::string phase{};  ///< equal phases do the same work: what can be compared
    std::uint64_t operations = 0;
    std::uint64_t failed = 0;
    double expected_to_fail = 0;  ///< by the arithmetic of the faults and the attempts
    bool judged = true;           ///< nothing is expected of one in which all calls fail
    std::uint64_t attempts = 0;
    double seconds = 0;
    double p50_us = 0;
    double p99_us = 0;
    resources after{};
};

/// What a run may differ by from its first third in its last, and still have held.
struct tolerance {
    double resident_mib =
        12;  ///< a journal is mapped, and grows to 4 MiB, twice, before it is compacted
    double resident_share = 0.10;
    std::int64_t descriptors = 2;
    std::int64_t threads = 1;
    double p50_ratio = 1.5;
    double p50_us = 1'000;  ///< less than that apart is no drift, whatever the ratio
    double p99_ratio = 3;
    double p99_us = 20'000;
};

/// Where a third of the intervals is fewer than this, nothing can be said of a drift.
inline constexpr std::size_t intervals_min = 9;

/// Says what did not hold, a sentence each; nothing: all held.
std::vector<std::string> judge(std::vector<interval> const& seen, tolerance const& most = {});

/// `90s`, `30m`, `1.5h`; `m` stands for minutes. Nothing where it is no such time.
std::optional<double> read_seconds(std::string text);

}  // namespace soak
