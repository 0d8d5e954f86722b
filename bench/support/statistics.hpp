// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace bench {

/// What a figure is worth: the least, the middle and the greatest of what was measured.
struct spread {
    double least = 0;
    double median = 0;
    double greatest = 0;
    std::size_t samples = 0;
};

inline spread spread_of(std::vector<double> samples) {
    if (samples.empty()) return {};
    std::sort(samples.begin(), samples.end());
    auto const count = samples.size();
    auto const middle =
        count % 2 == 1 ? samples[count / 2] : (samples[count / 2 - 1] + samples[count / 2]) / 2;
    return {samples.front(), middle, samples.back(), count};
}

/// The value below which `share` of the samples lie.
inline double quantile(std::vector<double> samples, double share) {
    if (samples.empty()) return 0;
    std::sort(samples.begin(), samples.end());
    auto const last = static_cast<double>(samples.size() - 1);
    return samples[static_cast<std::size_t>(share * last + 0.5)];
}

/// What a figure that should be 0 differs from it by: a quarter of the samples, at least, lie further off.
inline double noise_of(std::vector<double> const& samples) {
    return std::max(std::abs(quantile(samples, 0.25)), std::abs(quantile(samples, 0.75)));
}

}  // namespace bench
