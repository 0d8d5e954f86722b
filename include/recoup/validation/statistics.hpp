// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

// What measurements are worth, without a guess at how they are distributed.

namespace recoup::inline v1::validation {

/// What a figure is worth: the least, the middle and the greatest of what was measured.
struct spread {
    double least = 0;
    double median = 0;
    double greatest = 0;
    std::size_t samples = 0;

    friend bool operator==(spread const&, spread const&) = default;
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

/// Where a figure lies that is known only from samples.
struct interval {
    double low = 0;
    double high = 0;

    friend bool operator==(interval const&, interval const&) = default;
};

/// How sure the intervals here are.
inline constexpr double confidence = 0.95;

/// Where the median lies of what the samples were taken from: between two of them, which are counted off and need
/// no distribution. Nothing where there are fewer than six, for then no two of them say so surely enough.
///
/// Source: order statistics, David and Nagaraja, "Order Statistics", 2003, section 7.1: how many samples fall
/// below the median is binomial, with a half.
inline std::optional<interval> median_interval(std::vector<double> samples) {
    auto const count = samples.size();
    // How likely it is that at most `rank` samples fall below the median, in logarithms: 2^-count may be too small.
    auto log_of_one = -static_cast<double>(count) * std::log(2.0);
    auto tail = std::exp(log_of_one);
    std::size_t rank = 0;  // so many samples can be left out at either end
    while (rank < count / 2 && 2 * tail <= 1 - confidence) {
        log_of_one += std::log(static_cast<double>(count - rank) / static_cast<double>(rank + 1));
        ++rank;
        tail += std::exp(log_of_one);
    }
    if (rank == 0) return std::nullopt;
    std::sort(samples.begin(), samples.end());
    return interval{samples[rank - 1], samples[count - rank]};
}

/// Where the share lies of which `hits` of `count` are a sample. Nothing where there is no sample.
///
/// Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927: it holds at
/// shares of 0 and 1 as well.
inline std::optional<interval> share_interval(std::uint64_t hits, std::uint64_t count) {
    if (count == 0) return std::nullopt;
    constexpr auto deviations = 1.959963985;  // of `confidence`
    auto const samples = static_cast<double>(count);
    auto const share = static_cast<double>(hits) / samples;
    auto const square = deviations * deviations / samples;
    auto const middle = (share + square / 2) / (1 + square);
    auto const reach = deviations / (1 + square) *
                       std::sqrt(share * (1 - share) / samples + square / (4 * samples));
    return interval{std::max(middle - reach, 0.0), std::min(middle + reach, 1.0)};
}

}  // namespace recoup::inline v1::validation
