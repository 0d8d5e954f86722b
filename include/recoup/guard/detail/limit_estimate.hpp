// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/guard/concurrency_limit_options.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace recoup::inline v1::detail {

/// How an attempt ended, as an estimate of a limit sees it.
struct limit_sample {
    steady_time began{};
    steady_time ended{};
    std::uint32_t running = 0;  ///< when it began, itself included
    bool overloaded = false;
};

/// What a dependency bears, learnt from attempts: arithmetic alone, without a clock or a thread.
///
/// Sources: for aimd, Netflix concurrency-limits 0.4 (2023), AIMDLimit; for the gradient, Envoy's adaptive
/// concurrency filter (2019), with means in place of percentiles. An overload lowers the limit once for all
/// attempts that were under way then, as a congestion window falls once a round trip (RFC 5681, section
/// 3.1), for they all tell of the same moment.
class limit_estimate {
  public:
    explicit limit_estimate(concurrency_limit_options const& options) noexcept
        : options_{options}, limit_{static_cast<double>(options.initial)} {}

    /// Returns: the new limit.
    std::uint32_t learn(limit_sample const& sample) noexcept {
        auto const took = std::max(saturating_between(sample.began, sample.ended), duration{1});
        auto const by_gradient =
            options_.found_by == concurrency_limit_options::algorithm::gradient;
        if (sample.overloaded || (!by_gradient && took > options_.slow_after)) {
            if (sample.began >= lowered_) {
                limit_ *= options_.decrease;
                lowered_ = sample.ended;
            }
        } else if (by_gradient) {
            follow_gradient(sample, static_cast<double>(took.count()));
        } else if (std::uint64_t{sample.running} * 2 >= limit()) {
            limit_ += 1;  // it grows only where it is made use of
        }
        limit_ = std::clamp(limit_, static_cast<double>(options_.least),
                            static_cast<double>(options_.most));
        return limit();
    }

    /// Goes on from where it is, within other bounds. Another algorithm measures anew.
    ///
    /// Returns: the new limit.
    std::uint32_t change(concurrency_limit_options const& to) noexcept {
        if (to.found_by != options_.found_by) {
            base_ = 0;
            measuring_ = true;
            now_ = {};
        }
        options_ = to;
        limit_ = std::clamp(limit_, static_cast<double>(to.least), static_cast<double>(to.most));
        return limit();
    }

    [[nodiscard]] std::uint32_t limit() const noexcept {
        auto const found = static_cast<std::uint32_t>(limit_);
        return measuring_ && base_ != 0 ? std::min(found, std::max(options_.least, few)) : found;
    }

  private:
    static constexpr std::uint32_t few = 3;
    static constexpr std::uint32_t samples_of_few = 20;
    static constexpr std::uint32_t window_samples = 10;
    static constexpr duration window_length = std::chrono::milliseconds{100};

    /// How long attempts take on average.
    struct mean {
        double sum = 0;
        std::uint32_t count = 0;
        steady_time since = steady_time::min();
        bool felt = false;  ///< whether one of them ran with half of the limit or more

        void add(double took, bool at_limit) noexcept {
            sum += took;
            ++count;
            felt = felt || at_limit;
        }
        [[nodiscard]] double value() const noexcept { return sum / count; }
    };

    void follow_gradient(limit_sample const& sample, double took) noexcept {
        if (sample.began < now_.since) return;  // it tells of other circumstances
        now_.add(took, std::uint64_t{sample.running} * 2 >= limit());
        if (measuring_) {
            if (now_.count < samples_of_few) return;
            base_ = now_.value();
            measuring_ = false;
            measured_ = sample.ended;
        } else {
            if (now_.count == 1) window_end_ = saturating_add(sample.ended, window_length);
            if (now_.count < window_samples || sample.ended < window_end_) return;
            auto const gradient = std::clamp(options_.tolerance * base_ / now_.value(), 0.5, 2.0);
            // Room to grow; but where few attempts run it is not this limit that is felt.
            if (gradient < 1 || now_.felt) limit_ = limit_ * gradient + std::sqrt(limit_);
            measuring_ = sample.ended >= saturating_add(measured_, options_.remeasure_every);
        }
        now_ = mean{.since = sample.ended};
    }

    concurrency_limit_options options_;
    double limit_;
    double base_ = 0;  ///< nanoseconds that an attempt takes where few are under way
    bool measuring_ = true;
    mean now_{};
    steady_time window_end_{};
    steady_time measured_{};
    steady_time lowered_ = steady_time::min();
};

}  // namespace recoup::inline v1::detail
