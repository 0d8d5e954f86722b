// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/detail/short_text.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

// Figures of a verdict as a reader wants them.

namespace recoup::inline v1::validation::detail {

inline std::string percent(double share, int digits = 2) {
    char buffer[48];
    std::snprintf(buffer, sizeof buffer, "%.*f %%", digits, share * 100);
    return buffer;
}

inline std::string number_text(double value) {
    char buffer[48];
    std::snprintf(buffer, sizeof buffer, "%.3g", value);
    return buffer;
}

inline std::string megabytes(std::int64_t bytes) {
    return number_text(static_cast<double>(bytes) / 1e6) + " MB";
}

inline std::string span(double nanoseconds) {
    return recoup::detail::short_span(duration{std::llround(nanoseconds)});
}

}  // namespace recoup::inline v1::validation::detail
