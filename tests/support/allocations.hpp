// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

// Link recoup_allocations to have `operator new` replaced by one that counts.

namespace support {

/// How often this thread has called `operator new`.
std::uint64_t allocations() noexcept;

}  // namespace support
