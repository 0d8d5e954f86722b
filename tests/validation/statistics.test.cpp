// SPDX-License-Identifier: BSL-1.0
#include <recoup/validation/statistics.hpp>

#include <recoup/core/random.hpp>
#include <recoup/validation/finding.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

namespace validation = recoup::validation;
using validation::finding;
using validation::interval;

namespace {

/// 1, 2, … count: each sample is its own rank.
std::vector<double> ranks(std::size_t count) {
    std::vector<double> made(count);
    std::iota(made.begin(), made.end(), 1.0);
    return made;
}

}  // namespace

TEST_CASE(
    "the interval of a median lies between the samples that the table of order statistics names") {
    for (std::size_t count = 0; count != 6; ++count)
        CHECK(validation::median_interval(ranks(count)) == std::nullopt);
    CHECK(validation::median_interval(ranks(6)) == interval{1, 6});
    CHECK(validation::median_interval(ranks(10)) == interval{2, 9});
    CHECK(validation::median_interval(ranks(20)) == interval{6, 15});
    CHECK(validation::median_interval(ranks(100)) == interval{40, 61});
    // 2^-5000 is no double any more.
    auto const many = validation::median_interval(ranks(5'000));
    REQUIRE(many);
    CHECK(many->low == 2'431);
    CHECK(many->high == 2'570);
}

TEST_CASE(
    "the interval of a median holds it as often as it claims to, however the samples are spread") {
    auto random = recoup::splitmix64{7};
    auto const draws = 2'000;
    auto held = 0;
    for (auto draw = 0; draw != draws; ++draw) {
        std::vector<double> samples;
        for (auto i = 0; i != 15; ++i) {
            auto const even = static_cast<double>(random() >> 11U) * 0x1p-53;
            samples.push_back(even / (1.0001 - even));  // a long tail; the median is that of 0.5
        }
        auto const found = *validation::median_interval(samples);
        auto const median = 0.5 / 0.5001;
        held += found.low <= median && median <= found.high ? 1 : 0;
    }
    CHECK(held >= draws * 95 / 100);
    CHECK(held < draws);
}

TEST_CASE("the interval of a share is Wilson's") {
    CHECK(validation::share_interval(0, 0) == std::nullopt);
    auto const half = *validation::share_interval(5, 10);
    CHECK(half.low == Approx(0.2366).margin(0.0001));
    CHECK(half.high == Approx(0.7634).margin(0.0001));
    auto const all = *validation::share_interval(10, 10);
    CHECK(all.low == Approx(0.7225).margin(0.0001));
    CHECK(all.high == Approx(1.0));
    CHECK(validation::share_interval(0, 10)->low == Approx(0.0).margin(1e-12));
}

TEST_CASE("a figure is met only where its whole interval is, and missed only where none of it is") {
    using validation::judge_below;
    CHECK(judge_below(interval{1, 4}, 5) == finding::met);
    CHECK(judge_below(interval{1, 5}, 5) == finding::too_noisy_to_tell);
    CHECK(judge_below(interval{4, 9}, 5) == finding::too_noisy_to_tell);
    CHECK(judge_below(interval{5, 9}, 5) == finding::missed);
    CHECK(judge_below(std::nullopt, 5) == finding::too_noisy_to_tell);

    using validation::judge_at_least;
    CHECK(judge_at_least(interval{0.9, 1}, 0.9) == finding::met);
    CHECK(judge_at_least(interval{0.8, 1}, 0.9) == finding::too_noisy_to_tell);
    CHECK(judge_at_least(interval{0.7, 0.89}, 0.9) == finding::missed);
    CHECK(judge_at_least(std::nullopt, 0.9) == finding::too_noisy_to_tell);
}

TEST_CASE("a figure that is above is not missed where the noise of the run is as large") {
    using validation::judge_below;
    CHECK(judge_below(interval{7, 9}, 5, 1) == finding::missed);
    CHECK(judge_below(interval{7, 9}, 5, 3) == finding::too_noisy_to_tell);
    // Noise makes nothing worse that lies below.
    CHECK(judge_below(interval{1, 4}, 5, 30) == finding::met);
}
