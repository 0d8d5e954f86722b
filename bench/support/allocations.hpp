// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

namespace bench {

/// How often this thread has called `operator new`.
std::uint64_t allocations() noexcept;

}  // namespace bench
