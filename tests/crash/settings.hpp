// SPDX-License-Identifier: BSL-1.0
#pragma once

// How much is run: a bounded sample, or with RECOUP_CRASH_LONG=1 all (`tests/run --long`); and from which
// seed: RECOUP_CRASH_SEED, else a fixed one in the short run and a new one in the long.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace recoup_test {

inline bool long_run() {
    auto const* const set = std::getenv("RECOUP_CRASH_LONG");
    return set != nullptr && std::string{set} == "1";
}

inline std::uint64_t crash_seed() {
    static auto const seed = [] {
        if (auto const* const given = std::getenv("RECOUP_CRASH_SEED"); given != nullptr)
            return static_cast<std::uint64_t>(std::strtoull(given, nullptr, 10));
        return long_run() ? static_cast<std::uint64_t>(
                                std::chrono::system_clock::now().time_since_epoch().count())
                          : std::uint64_t{20260214};
    }();
    return seed;
}

/// Of the numbers below `count` all in the long run, else `most` of them drawn from the seed, in order.
inline std::vector<std::size_t> sample(std::size_t count, std::size_t most, std::uint64_t seed) {
    std::vector<std::size_t> all(count);
    std::iota(all.begin(), all.end(), std::size_t{0});
    if (long_run() || count <= most) return all;
    std::mt19937_64 random{seed};
    std::shuffle(all.begin(), all.end(), random);
    all.resize(most);
    std::sort(all.begin(), all.end());
    return all;
}

/// The line that a test prints at its end.
inline void summarise(std::string const& test, std::string const& figures) {
    std::cout << "crash: " << test << ": " << figures << ", seed " << crash_seed()
              << (long_run() ? " (all)" : " (sample)") << std::endl;
}

}  // namespace recoup_test
