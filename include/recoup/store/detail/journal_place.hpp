// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

namespace recoup::inline v1::detail {

/// Where something encoded is, in either of two generations: a compaction fills in the one that is to come.
struct journal_place {
    std::uint64_t at[2] = {0, 0};
    std::uint32_t size = 0;
};

}  // namespace recoup::inline v1::detail
