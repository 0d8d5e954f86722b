// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/validation/statistics.hpp>

namespace bench {

using recoup::validation::noise_of;
using recoup::validation::quantile;
using recoup::validation::spread;
using recoup::validation::spread_of;

}  // namespace bench
