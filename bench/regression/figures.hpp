// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cmath>
#include <cstdio>
#include <string>

namespace bench::regression {

/// With at most two digits behind the point: `22.02`, `22`.
inline std::string shown(double figure) {
    char buffer[400];
    std::snprintf(buffer, sizeof buffer, "%.2f", figure);
    std::string made{buffer};
    made.erase(made.find_last_not_of('0') + 1);
    if (made.back() == '.') made.pop_back();
    return made;
}

/// `+9.1 %`.
inline std::string change_text(double from, double to) {
    if (from == 0) return "from 0";
    auto const percent = (to - from) / from * 100;
    if (std::abs(percent) < 0.05) return "0.0 %";
    char buffer[400];
    std::snprintf(buffer, sizeof buffer, "%+.1f %%", percent);
    return buffer;
}

}  // namespace bench::regression
