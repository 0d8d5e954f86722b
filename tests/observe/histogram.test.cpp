// SPDX-License-Identifier: BSL-1.0
#include <recoup/observe/histogram.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/catch.hpp"

#include <rapidcheck.h>

using recoup::duration;
using recoup::histogram_error;
using recoup::histogram_longest;
using recoup::latency_histogram;

namespace {

latency_histogram histogram_of(std::vector<std::int64_t> const& spans) {
    recoup::detail::shared_histogram counts;
    for (auto const one : spans) counts.record(duration{one});
    return counts.read();
}

/// Spans of all sizes: as many below a microsecond as above a minute.
rc::Gen<std::int64_t> any_span() {
    return rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 43), rc::gen::arbitrary<std::uint64_t>()),
                        [](auto const& drawn) {
                            auto const [bits, random] = drawn;
                            auto const below = std::uint64_t{1} << bits;
                            return static_cast<std::int64_t>(below + random % below);
                        });
}

}  // namespace

TEST_CASE("no quantile is further from the truth than the histogram's error", "[metrics]") {
    auto const holds = rc::check("quantile", [] {
        auto spans = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::int64_t>>(any_span()));
        auto const share =
            *rc::gen::map(rc::gen::inRange(0, 1001), [](int of) { return of / 1e3; });
        auto const shown = histogram_of(spans);
        std::sort(spans.begin(), spans.end());
        auto const rank = std::max(1.0, std::ceil(share * static_cast<double>(spans.size())));
        auto const truth = static_cast<double>(spans[static_cast<std::size_t>(rank) - 1]);
        auto const found = static_cast<double>(shown.quantile(share).count());
        RC_LOG() << found << " instead of " << truth << '\n';
        RC_ASSERT(std::abs(found - truth) <= truth * histogram_error);
    });
    CHECK(holds);
}

TEST_CASE(
    "the counts up to an edge are exact, and it is at most 1/16 beyond what it is the edge of",
    "[metrics]") {
    auto const holds = rc::check("edges", [] {
        auto const spans = *rc::gen::container<std::vector<std::int64_t>>(any_span());
        auto const asked = *any_span();
        auto const edge = recoup::histogram_edge(duration{asked});
        RC_ASSERT(edge.count() >= asked);
        RC_ASSERT(edge.count() - asked <= asked / 16);
        RC_PRE(edge < histogram_longest);
        auto const shown = histogram_of(spans);
        auto const truth = std::count_if(spans.begin(), spans.end(),
                                         [&](auto span) { return duration{span} <= edge; });
        RC_ASSERT(shown.count_to(edge) == static_cast<std::uint64_t>(truth));
    });
    CHECK(holds);
    auto const shown = histogram_of({0, 1, 15, 16, 17, 31, 32, 33, 34});
    CHECK(shown.count_to(duration{-1}) == 0);
    CHECK(shown.count_to(duration{0}) == 1);
    CHECK(shown.count_to(duration{16}) == 4);
    CHECK(recoup::histogram_edge(duration{32}) == duration{33});
    CHECK(shown.count_to(duration{32}) == 6);  // 33 is counted together with it
    CHECK(shown.count_to(duration{33}) == 8);
    CHECK(latency_histogram{}.count_to(histogram_longest) == 0);
}

TEST_CASE("count, mean and longest are exact", "[metrics]") {
    auto const holds = rc::check("exact", [] {
        auto const spans = *rc::gen::container<std::vector<std::int64_t>>(any_span());
        auto const shown = histogram_of(spans);
        std::int64_t sum = 0;
        std::int64_t longest = 0;
        for (auto const one : spans) {
            sum += one;
            longest = std::max(longest, one);
        }
        RC_ASSERT(shown.count() == spans.size());
        RC_ASSERT(shown.longest() == duration{longest});
        auto const count = static_cast<std::int64_t>(spans.size());
        RC_ASSERT(shown.mean() == duration{count == 0 ? 0 : sum / count});
    });
    CHECK(holds);
}

TEST_CASE("spans below 32 ns are told apart exactly", "[metrics]") {
    for (std::int64_t span = 0; span != 32; ++span)
        CHECK(histogram_of({span}).quantile(1) == duration{span});
}

TEST_CASE("each bucket begins where the one before ends", "[metrics]") {
    using recoup::detail::histogram_bucket;
    auto at = std::uint64_t{0};
    for (std::size_t bucket = 0; bucket != recoup::detail::histogram_buckets; ++bucket) {
        REQUIRE(histogram_bucket(at) == bucket);
        REQUIRE(histogram_bucket(recoup::detail::histogram_value(bucket)) == bucket);
        auto const width = std::uint64_t{1} << (bucket < 32 ? 0 : bucket / 16 - 1);
        REQUIRE(histogram_bucket(at + width - 1) == bucket);
        at += width;
    }
    CHECK(at == static_cast<std::uint64_t>(histogram_longest.count()) + 1);
}

TEST_CASE("what is longer than the longest, or below zero, is counted at the ends", "[metrics]") {
    auto const shown = histogram_of({-5, INT64_MAX});
    CHECK(shown.count() == 2);
    CHECK(shown.quantile(0.5) == duration{0});
    CHECK(shown.quantile(1) >= histogram_longest - histogram_longest / 32);
    CHECK(shown.longest() == duration{INT64_MAX});
    CHECK(histogram_of({}).quantile(0.5) == duration{});
    CHECK(histogram_of({3}).quantile(-1) == duration{3});
}
