// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <cstdio>
#include <optional>
#include <string>
#include <utility>

// Figures as a reader wants them: few digits.

namespace recoup::inline v1::detail {

/// A span for a reader: three digits and a unit.
inline std::string short_span(duration span) {
    auto const all = static_cast<double>(span.count());
    auto const [value, unit] = all < 1e3    ? std::pair{all, "ns"}
                               : all < 1e6  ? std::pair{all / 1e3, "us"}
                               : all < 1e9  ? std::pair{all / 1e6, "ms"}
                               : all < 6e10 ? std::pair{all / 1e9, "s"}
                                            : std::pair{all / 6e10, "min"};
    char buffer[48];
    std::snprintf(buffer, sizeof buffer, "%.3g %s", value, unit);
    return buffer;
}

inline std::string short_share(std::optional<double> share) {
    if (!share) return "-";
    char buffer[48];
    std::snprintf(buffer, sizeof buffer, "%.4g %%", *share * 100);
    return buffer;
}

inline std::string short_number(double value) {
    char buffer[48];
    std::snprintf(buffer, sizeof buffer, "%.12g", value);
    return buffer;
}

}  // namespace recoup::inline v1::detail
