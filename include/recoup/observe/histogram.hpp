// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

/// How far a quantile of a `latency_histogram` may be from the truth, as a share of it.
inline constexpr double histogram_error = 1.0 / 32;

/// The longest span that a histogram tells from longer ones: some 2.4 hours.
inline constexpr duration histogram_longest{(std::int64_t{1} << 43) - 1};

namespace detail {

// Buckets as in an HDR histogram: each power of two is cut into 16 of one width. A value is shown as the
// middle of its bucket, which is off by half a width: by one part in 32 of the value at most.
inline constexpr unsigned histogram_cut_bits = 4;
inline constexpr unsigned histogram_value_bits = 43;
inline constexpr std::size_t histogram_buckets =
    std::size_t{histogram_value_bits - histogram_cut_bits + 1} << histogram_cut_bits;

/// Where `nanoseconds` is counted; what is longer than the longest counts as that.
constexpr std::size_t histogram_bucket(std::uint64_t nanoseconds) noexcept {
    constexpr auto cuts = std::uint64_t{1} << histogram_cut_bits;
    auto const value = std::min(nanoseconds, static_cast<std::uint64_t>(histogram_longest.count()));
    if (value < cuts) return static_cast<std::size_t>(value);
    auto const shift = static_cast<unsigned>(std::bit_width(value)) - 1 - histogram_cut_bits;
    return (std::size_t{shift} << histogram_cut_bits) + static_cast<std::size_t>(value >> shift);
}

/// The shortest span of a bucket and how many there are, in nanoseconds.
struct histogram_range {
    std::uint64_t lowest;
    std::uint64_t width;
};
constexpr histogram_range histogram_range_of(std::size_t bucket) noexcept {
    constexpr auto cuts = std::size_t{1} << histogram_cut_bits;
    if (bucket < cuts) return {bucket, 1};
    auto const shift = (bucket >> histogram_cut_bits) - 1;
    return {std::uint64_t{cuts + (bucket & (cuts - 1))} << shift, std::uint64_t{1} << shift};
}

/// The middle of a bucket, in nanoseconds.
constexpr std::uint64_t histogram_value(std::size_t bucket) noexcept {
    auto const range = histogram_range_of(bucket);
    return range.lowest + (range.width >> 1U);
}

static_assert(histogram_bucket(UINT64_MAX) == histogram_buckets - 1);

}  // namespace detail

/// The longest span that a histogram counts together with `span`, which is longer by 1/16 at most.
constexpr duration histogram_edge(duration span) noexcept {
    auto const range = detail::histogram_range_of(
        detail::histogram_bucket(static_cast<std::uint64_t>(std::max(span, duration{}).count())));
    return duration{static_cast<duration::rep>(range.lowest + range.width - 1)};
}

static_assert(histogram_edge(histogram_longest) == histogram_longest);

/// How long things took: counts in buckets, whose width grows with the span.
class latency_histogram {
  public:
    latency_histogram() = default;
    latency_histogram(std::vector<std::uint64_t> counts, duration sum, duration longest)
        : counts_{std::move(counts)}, sum_{sum}, longest_{longest} {
        for (auto const one : counts_) count_ += one;
    }

    /// How many were measured.
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

    /// How many were not longer than `edge`. Exact where that is a `histogram_edge` and shorter than
    /// `histogram_longest`; else those that are certain not to have been.
    [[nodiscard]] std::uint64_t count_to(duration edge) const noexcept {
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i != counts_.size(); ++i) {
            auto const range = detail::histogram_range_of(i);
            if (duration{static_cast<duration::rep>(range.lowest + range.width - 1)} > edge) break;
            seen += counts_[i];
        }
        return seen;
    }

    /// All together, exactly.
    [[nodiscard]] duration sum() const noexcept { return sum_; }

    /// The longest, exactly; zero where there is none.
    [[nodiscard]] duration longest() const noexcept { return longest_; }

    /// The mean, exactly; zero where there is none.
    [[nodiscard]] duration mean() const noexcept {
        return count_ == 0 ? duration{} : sum_ / static_cast<duration::rep>(count_);
    }

    /// What a share of all is not above: `quantile(0.5)` is the median. Off by `histogram_error` of it at
    /// most, where it is not above `histogram_longest`; zero where nothing was measured.
    [[nodiscard]] duration quantile(double share) const noexcept {
        if (count_ == 0) return {};
        auto const wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
        auto const rank = std::clamp(static_cast<std::uint64_t>(wanted), std::uint64_t{1}, count_);
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i != counts_.size(); ++i) {
            seen += counts_[i];
            if (seen >= rank)
                return std::min(longest_,
                                duration{static_cast<duration::rep>(detail::histogram_value(i))});
        }
        return longest_;
    }

  private:
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    duration sum_{};
    duration longest_{};
};

namespace detail {

/// A histogram that threads write together. Its size is fixed.
class shared_histogram {
  public:
    /// A span below zero counts as zero.
    void record(duration span) noexcept {
        auto const value = std::max(span, duration{}).count();
        counts_[histogram_bucket(static_cast<std::uint64_t>(value))].fetch_add(
            1, std::memory_order_relaxed);
        sum_.fetch_add(value, std::memory_order_relaxed);
        auto longest = longest_.load(std::memory_order_relaxed);
        while (value > longest &&
               !longest_.compare_exchange_weak(longest, value, std::memory_order_relaxed)) {}
    }

    /// All spans together.
    [[nodiscard]] duration sum() const noexcept {
        return duration{sum_.load(std::memory_order_relaxed)};
    }

    /// This and another, as one. Throws: std::bad_alloc.
    [[nodiscard]] latency_histogram read_with(shared_histogram const& other) const {
        std::vector<std::uint64_t> counts(histogram_buckets);
        for (std::size_t i = 0; i != histogram_buckets; ++i)
            counts[i] = counts_[i].load(std::memory_order_relaxed) +
                        other.counts_[i].load(std::memory_order_relaxed);
        return {std::move(counts), sum() + other.sum(),
                duration{std::max(longest_.load(std::memory_order_relaxed),
                                  other.longest_.load(std::memory_order_relaxed))}};
    }

    /// Throws: std::bad_alloc.
    [[nodiscard]] latency_histogram read() const {
        std::vector<std::uint64_t> counts(histogram_buckets);
        for (std::size_t i = 0; i != histogram_buckets; ++i)
            counts[i] = counts_[i].load(std::memory_order_relaxed);
        return {std::move(counts), sum(), duration{longest_.load(std::memory_order_relaxed)}};
    }

  private:
    std::array<std::atomic<std::uint64_t>, histogram_buckets> counts_{};
    std::atomic<duration::rep> sum_{0};
    std::atomic<duration::rep> longest_{0};
};

}  // namespace detail

}  // namespace recoup::inline v1
