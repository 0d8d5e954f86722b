// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

namespace bench::regression {

/// What generated and supplied the code that is counted: each of these alone changes counts by more than what
/// a gate must catch. Example: `g++ 12, libstdc++ 12, glibc 2.36, Boost 1.81, x86_64`.
std::string toolchain();

}  // namespace bench::regression
