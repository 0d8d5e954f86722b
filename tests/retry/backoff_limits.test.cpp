// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/random.hpp>
#include <recoup/retry/backoff.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using recoup::backoff;
using recoup::duration;
using recoup::jitter;

namespace {

constexpr std::array<std::uint32_t, 14> retries{
    0, 1, 2, 3, 62, 63, 64, 65, 93, 94, 1024, 2'147'483'647, 2'147'483'648, 4'294'967'295};

constexpr auto largest_seed = std::numeric_limits<std::uint64_t>::max();

// A generator of settings, half of them at the edges of what the types hold.
class extremes {
  public:
    explicit extremes(std::uint64_t seed) : next_{seed} {}

    duration span() {
        constexpr auto most = std::numeric_limits<std::int64_t>::max();
        constexpr std::array<std::int64_t, 10> edges{
            0,        1,        -1,
            2,        most,     most - 1,
            most / 2, most / 3, std::numeric_limits<std::int64_t>::min(),
            -most};
        if (next_() % 2 == 0) return duration{edges[next_() % edges.size()]};
        // Every magnitude equally often.
        auto const magnitude = static_cast<std::int64_t>(next_() >> 1U >> (next_() % 63));
        return duration{next_() % 8 == 0 ? -magnitude : magnitude};
    }
    double factor() {
        using limits = std::numeric_limits<double>;
        constexpr std::array<double, 16> edges{0.0,
                                               -0.0,
                                               1.0,
                                               -1.0,
                                               2.0,
                                               0.5,
                                               1e308,
                                               1e-308,
                                               1.0000000001,
                                               limits::infinity(),
                                               -limits::infinity(),
                                               limits::quiet_NaN(),
                                               limits::max(),
                                               limits::lowest(),
                                               limits::denorm_min(),
                                               1.5};
        if (next_() % 2 == 0) return edges[next_() % edges.size()];
        return 1.0 + static_cast<double>(next_() % 4000) / 1000.0;
    }
    jitter spread() { return static_cast<jitter>(next_() % 3); }
    std::uint64_t random() {
        auto const which = next_() % 4;
        return which == 0 ? 0 : which == 1 ? largest_seed : next_();
    }

  private:
    recoup::splitmix64 next_;
};

// Whether every delay of `policy` is from zero to `cap` and to what it calls its longest.
bool within_limits(backoff const& policy, duration cap, extremes& any) {
    auto const most = std::max(cap, duration{});
    if (policy.longest() > most || policy.longest() < 0ns) return false;
    for (auto const retry : retries) {
        auto const delay =
            policy.delay({.retry = retry, .previous = any.span(), .random = any.random()});
        if (delay < 0ns || delay > policy.longest()) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("field pain 14: whatever the settings, no delay is negative or above the cap",
          "[backoff][property][field]") {
    extremes any{20260724};
    for (int round = 0; round < 20'000; ++round) {
        auto const first = any.span();
        auto const cap = any.span();
        auto const factor = any.factor();
        auto const step = any.span();
        auto const how = any.spread();
        CAPTURE(round, first.count(), cap.count(), factor, step.count(), recoup::to_string(how));
        REQUIRE(within_limits(recoup::constant(cap).with(how), cap, any));
        REQUIRE(within_limits(recoup::linear(first, cap, step).with(how), cap, any));
        REQUIRE(within_limits(recoup::exponential(first, cap, factor).with(how), cap, any));
        REQUIRE(within_limits(recoup::exponential(first, cap).with(how), cap, any));
        REQUIRE(within_limits(recoup::fibonacci(first, cap).with(how), cap, any));
        REQUIRE(within_limits(recoup::decorrelated(first, cap), cap, any));
    }
}

TEST_CASE("without jitter no delay is below the one before, up to the cap at last",
          "[backoff][property]") {
    extremes any{7};
    for (int round = 0; round < 5'000; ++round) {
        auto const first = any.span();
        auto const cap = any.span();
        CAPTURE(round, first.count(), cap.count());
        for (auto const& policy :
             {backoff{recoup::linear(first, cap)}, backoff{recoup::fibonacci(first, cap)},
              backoff{recoup::exponential(first, cap).with(jitter::none)},
              backoff{recoup::exponential(first, cap, 3).with(jitter::none)}}) {
            duration before{};
            for (auto const retry : retries) {
                auto const delay = policy.delay({.retry = retry});
                REQUIRE(delay >= before);
                before = delay;
            }
            if (first > 0ns && cap > 0ns && cap < 4'000'000'000ns * std::min(first.count(), 2L))
                CHECK(before == cap);
        }
    }
}

TEST_CASE("retry 0 counts as retry 1", "[backoff]") {
    for (auto const& policy :
         {backoff{recoup::linear(1s, 9s)}, backoff{recoup::fibonacci(1s, 9s)},
          backoff{recoup::constant(1s)}, backoff{recoup::exponential(1s, 9s).with(jitter::none)}})
        CHECK(policy.delay({.retry = 0}) == policy.delay({.retry = 1}));
}

TEST_CASE("field pain 14: the ends of the range are reached and not passed", "[backoff][field]") {
    constexpr auto most = duration::max();
    for (auto const retry : {2U, 64U, 65U, 4'294'967'295U}) {
        CHECK(recoup::exponential(most, most).delay({.retry = retry, .random = largest_seed}) ==
              most);
        CHECK(recoup::linear(most, most).delay({.retry = retry}) == most);
        CHECK(recoup::fibonacci(most, most).delay({.retry = retry}) == most);
    }
    CHECK(recoup::exponential(1ns, most).with(jitter::none).delay({.retry = 63}) ==
          duration{std::int64_t{1} << 62});
    CHECK(recoup::exponential(1ns, most).with(jitter::none).delay({.retry = 64}) == most);
    CHECK(recoup::exponential(1ns, most).with(jitter::none).delay({.retry = 65}) == most);
    CHECK(recoup::fibonacci(1ns, most).delay({.retry = 92}) == duration{7'540'113'804'746'346'429});
    CHECK(recoup::fibonacci(1ns, most).delay({.retry = 93}) == most);
    CHECK(recoup::linear(1ns, most).delay({.retry = 4'294'967'295}) == duration{4'294'967'295});
}

TEST_CASE("full jitter is even over its whole range and stays inside it", "[backoff][property]") {
    constexpr int draws = 100'000;
    constexpr std::size_t bins = 10;
    recoup::splitmix64 random{42};
    auto const check = [&](backoff const& policy, duration low, duration high) {
        std::array<int, bins> seen{};
        auto least = duration::max();
        auto most = duration::min();
        for (int i = 0; i < draws; ++i) {
            auto const delay = policy.delay({.retry = 1, .random = random()});
            least = std::min(least, delay);
            most = std::max(most, delay);
            auto const part = (delay - low) * bins / (high - low + 1ns);
            REQUIRE(delay >= low);
            REQUIRE(delay <= high);
            ++seen[static_cast<std::size_t>(part)];
        }
        CHECK(least - low < (high - low) / 1000);
        CHECK(high - most < (high - low) / 1000);
        // Each bin holds 10,000 of 100,000; five standard deviations of a binomial are 474.
        for (auto const count : seen) CHECK(std::abs(count - draws / 10) < 474);
    };
    check(recoup::exponential(1s, 30s), 0s, 1s);
    check(recoup::exponential(1s, 30s).with(jitter::equal), 500ms, 1s);
    check(recoup::linear(7s, 30s).with(jitter::full), 0s, 7s);
    check(recoup::decorrelated(1s, 30s), 1s, 3s);
}

TEST_CASE("the bounds of a jitter are exact", "[backoff]") {
    auto const at = [](backoff const& policy, std::uint64_t random) {
        return policy.delay({.retry = 1, .random = random});
    };
    // 0 … 3 ns are four values: each has a quarter of all random numbers.
    auto const four = recoup::constant(3ns).with(jitter::full);
    constexpr auto quarter = std::uint64_t{1} << 62U;
    CHECK(at(four, 0) == 0ns);
    CHECK(at(four, quarter - 1) == 0ns);
    CHECK(at(four, quarter) == 1ns);
    CHECK(at(four, 2 * quarter - 1) == 1ns);
    CHECK(at(four, 3 * quarter - 1) == 2ns);
    CHECK(at(four, 3 * quarter) == 3ns);
    CHECK(at(four, largest_seed) == 3ns);
    // The half is rounded down: 2 … 5 ns.
    auto const odd = recoup::constant(5ns).with(jitter::equal);
    CHECK(at(odd, 0) == 2ns);
    CHECK(at(odd, largest_seed) == 5ns);
    CHECK(at(recoup::constant(duration::max()).with(jitter::full), largest_seed) ==
          duration::max());
    CHECK(at(recoup::constant(duration::max()).with(jitter::equal), largest_seed) ==
          duration::max());
}
