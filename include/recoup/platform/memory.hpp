// SPDX-License-Identifier: BSL-1.0
#pragma once

// The seam to the operating system for the memory of this process.

#include <cstdint>
#include <cstdio>
#include <optional>

#include <unistd.h>

namespace recoup::inline v1::platform {

/// How much memory of this process is resident, in bytes; nothing where the system does not tell.
inline std::optional<std::int64_t> resident_bytes() noexcept {
    auto* const file = std::fopen("/proc/self/statm", "r");
    if (!file) return std::nullopt;
    long long whole = 0;
    long long resident = 0;
    auto const found = std::fscanf(file, "%lld %lld", &whole, &resident);
    std::fclose(file);
    if (found != 2) return std::nullopt;
    return std::int64_t{resident} * std::int64_t{::sysconf(_SC_PAGESIZE)};
}

}  // namespace recoup::inline v1::platform
