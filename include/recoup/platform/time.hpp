// SPDX-License-Identifier: BSL-1.0
#pragma once

// The seam to the operating system for time and entropy: what is not in the standard library.

#include <recoup/core/time.hpp>

#include <cstddef>
#include <cstdint>

#if defined(__linux__)
#include <sys/random.h>
#include <time.h>
#else
#include <random>
#endif

namespace recoup::inline v1::platform {

/// The steady clock, read cheaply (some 5 ns): late by a few milliseconds, never early.
inline steady_time coarse_steady_now() noexcept {
#if defined(__linux__)
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return steady_time{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
#else
    return std::chrono::time_point_cast<duration>(std::chrono::steady_clock::now());
#endif
}

/// Fills `size` bytes at `to` from the system's source of entropy.
///
/// Returns: false where it has none to give.
inline bool fill_random(void* to, std::size_t size) noexcept {
#if defined(__linux__)
    auto* bytes = static_cast<unsigned char*>(to);
    while (size != 0) {
        auto const got = ::getrandom(bytes, size, 0);
        if (got <= 0) return false;
        bytes += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
#else
    try {
        std::random_device source;
        auto* bytes = static_cast<unsigned char*>(to);
        for (std::size_t i = 0; i != size; ++i) bytes[i] = static_cast<unsigned char>(source());
        return true;
    } catch (...) {
        return false;
    }
#endif
}

}  // namespace recoup::inline v1::platform
