// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/time.hpp>

#include "support/catch.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>

namespace {

using recoup::duration;
using recoup::saturating_add;
using recoup::saturating_between;
using recoup::steady_time;
using recoup::system_time;

constexpr auto top = std::numeric_limits<std::int64_t>::max();
constexpr auto bottom = std::numeric_limits<std::int64_t>::min();
constexpr std::array<std::int64_t, 13> samples{
    bottom, bottom + 1, bottom / 2,    -1'000'000'000, -2,      -1, 0,
    1,      2,          1'000'000'000, top / 2,        top - 1, top};

/// What would be right if the range had no end, cut to the range.
std::int64_t cut(long double exact) {
    if (exact >= static_cast<long double>(top)) return top;
    if (exact <= static_cast<long double>(bottom)) return bottom;
    return static_cast<std::int64_t>(exact);
}

static_assert(sizeof(duration::rep) == 8);
static_assert(noexcept(saturating_add(duration{}, duration{})));
static_assert(saturating_add(duration::max(), duration{1}) == duration::max());

}  // namespace

TEST_CASE("Sums and differences of times are exact, or stop at the end of the range") {
    // 64 bits of mantissa hold every sum of two samples that is within the range.
    static_assert(std::numeric_limits<long double>::digits >= 64);
    for (auto const left : samples) {
        for (auto const right : samples) {
            INFO(left << " and " << right);
            auto const sum = static_cast<long double>(left) + static_cast<long double>(right);
            auto const gap = static_cast<long double>(right) - static_cast<long double>(left);
            CHECK(saturating_add(duration{left}, duration{right}).count() == cut(sum));
            CHECK(saturating_add(steady_time{duration{left}}, duration{right})
                      .time_since_epoch()
                      .count() == cut(sum));
            CHECK(saturating_add(system_time{duration{left}}, duration{right})
                      .time_since_epoch()
                      .count() == cut(sum));
            CHECK(saturating_between(steady_time{duration{left}}, steady_time{duration{right}})
                      .count() == cut(gap));
        }
    }
}
