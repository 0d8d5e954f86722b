// SPDX-License-Identifier: BSL-1.0
#include <recoup/retry/backoff.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using recoup::backoff;
using recoup::backoff_step;
using recoup::duration;
using recoup::jitter;

namespace {

using milliseconds = std::vector<std::chrono::milliseconds>;

constexpr auto largest = std::numeric_limits<std::uint64_t>::max();

duration delay_of(backoff const& policy, std::uint32_t retry, std::uint64_t random = largest) {
    return policy.delay({.retry = retry, .random = random});
}

milliseconds first_delays(backoff const& policy, std::uint32_t count) {
    milliseconds delays;
    for (std::uint32_t retry = 1; retry <= count; ++retry)
        delays.push_back(
            std::chrono::duration_cast<std::chrono::milliseconds>(delay_of(policy, retry)));
    return delays;
}

// A user's own model, with state that copies and destroys.
struct listed {
    std::vector<duration> delays;
    [[nodiscard]] duration delay(backoff_step step) const noexcept {
        return delays[step.retry % delays.size()];
    }
    [[nodiscard]] duration longest() const noexcept { return duration::max(); }
};

struct throws_maybe {
    [[nodiscard]] duration delay(backoff_step) const { return {}; }
    [[nodiscard]] duration longest() const noexcept { return {}; }
};

struct has_no_longest {
    [[nodiscard]] duration delay(backoff_step) const noexcept { return {}; }
};

static_assert(recoup::backoff_policy<listed>);
static_assert(recoup::backoff_policy<backoff>);
static_assert(!recoup::backoff_policy<throws_maybe>);
static_assert(!recoup::backoff_policy<has_no_longest>);
static_assert(std::convertible_to<listed, backoff>);
static_assert(std::convertible_to<recoup::exponential_backoff, backoff>);
static_assert(!std::convertible_to<int, backoff>);
static_assert(!std::convertible_to<std::chrono::milliseconds, backoff>);
static_assert(std::is_nothrow_default_constructible_v<backoff>);
static_assert(std::is_nothrow_copy_constructible_v<backoff>);
static_assert(std::is_nothrow_copy_assignable_v<backoff>);
static_assert(std::is_nothrow_constructible_v<backoff, recoup::decorrelated_backoff>);
static_assert(noexcept(std::declval<backoff const&>().delay({})));
static_assert(noexcept(std::declval<backoff const&>().longest()));
static_assert(std::is_trivially_copyable_v<recoup::exponential_backoff>);
static_assert(std::is_trivially_copyable_v<recoup::linear_backoff>);
static_assert(sizeof(backoff) <= 64);

// The models are usable at compile time.
static_assert(recoup::exponential(200ms, 30s).with(jitter::none).delay({.retry = 4}) == 1600ms);
static_assert(recoup::fibonacci(1s, 1h).delay({.retry = 7}) == 13s);

}  // namespace

TEST_CASE("an exponential backoff without jitter doubles up to its cap", "[backoff]") {
    auto const policy = recoup::exponential(200ms, 30s).with(jitter::none);
    CHECK(first_delays(policy, 10) ==
          milliseconds{200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 12800ms, 25600ms, 30s, 30s});
    CHECK(policy.longest() == 30s);
}

TEST_CASE("an exponential backoff grows by any factor", "[backoff]") {
    CHECK(first_delays(recoup::exponential(100ms, 10s, 1.5).with(jitter::none), 6) ==
          milliseconds{100ms, 150ms, 225ms, 337ms, 506ms, 759ms});
    CHECK(first_delays(recoup::exponential(100ms, 10s, 10).with(jitter::none), 4) ==
          milliseconds{100ms, 1s, 10s, 10s});
    CHECK(first_delays(recoup::exponential(100ms, 10s, 3).with(jitter::none), 6) ==
          milliseconds{100ms, 300ms, 900ms, 2700ms, 8100ms, 10s});
    CHECK(first_delays(recoup::exponential(100ms, 10s, 1).with(jitter::none), 3) ==
          milliseconds{100ms, 100ms, 100ms});
}

TEST_CASE("an exponential backoff rounds to the nearest nanosecond", "[backoff]") {
    auto const policy = recoup::exponential(3ns, 1s, 1.5).with(jitter::none);
    CHECK(delay_of(policy, 2) == 5ns);   // 4.5
    CHECK(delay_of(policy, 3) == 7ns);   // 6.75
    CHECK(delay_of(policy, 4) == 10ns);  // 10.125
}

TEST_CASE("the fast path of the factor 2 gives what the general one gives", "[backoff]") {
    for (std::uint32_t retry = 1; retry < 130; ++retry) {
        auto const doubled = recoup::exponential(3ns, 30h).with(jitter::none).delay({retry});
        auto const most = std::int64_t{std::chrono::nanoseconds{30h}.count()};
        CHECK(doubled.count() == recoup::detail::capped_power(3, 2, retry - 1, most));
    }
}

TEST_CASE("a factor below one, or none at all, counts as one", "[backoff]") {
    auto const factor = GENERATE(0.5, 0.0, -3.0, std::numeric_limits<double>::quiet_NaN(),
                                 -std::numeric_limits<double>::infinity());
    CHECK(first_delays(recoup::exponential(100ms, 10s, factor).with(jitter::none), 3) ==
          milliseconds{100ms, 100ms, 100ms});
}

TEST_CASE("an infinite factor goes to the cap at the second retry", "[backoff]") {
    auto const infinite = std::numeric_limits<double>::infinity();
    CHECK(first_delays(recoup::exponential(100ms, 10s, infinite).with(jitter::none), 3) ==
          milliseconds{100ms, 10s, 10s});
    CHECK(first_delays(recoup::exponential(0ms, 10s, infinite).with(jitter::none), 3) ==
          milliseconds{0ms, 0ms, 0ms});
}

TEST_CASE("a constant backoff has no jitter unless asked", "[backoff]") {
    CHECK(first_delays(recoup::constant(1s), 3) == milliseconds{1s, 1s, 1s});
    CHECK(delay_of(recoup::constant(1s), 1, 0) == 1s);
    CHECK(delay_of(recoup::constant(1s).with(jitter::full), 1, 0) == 0s);
    CHECK(delay_of(recoup::constant(1s).with(jitter::equal), 1, 0) == 500ms);
    CHECK(recoup::backoff{recoup::constant(1s)}.longest() == 1s);
}

TEST_CASE("a linear backoff adds the same step", "[backoff]") {
    CHECK(first_delays(recoup::linear(100ms, 350ms), 5) ==
          milliseconds{100ms, 200ms, 300ms, 350ms, 350ms});
    CHECK(first_delays(recoup::linear(1s, 2s, 250ms), 6) ==
          milliseconds{1s, 1250ms, 1500ms, 1750ms, 2s, 2s});
    CHECK(first_delays(recoup::linear(0ms, 2s, 1s), 4) == milliseconds{0ms, 1s, 2s, 2s});
}

TEST_CASE("a Fibonacci backoff adds the two delays before", "[backoff]") {
    CHECK(first_delays(recoup::fibonacci(100ms, 2s), 9) ==
          milliseconds{100ms, 100ms, 200ms, 300ms, 500ms, 800ms, 1300ms, 2s, 2s});
}

TEST_CASE("decorrelated jitter lies between the first delay and three times the one before",
          "[backoff]") {
    auto const policy = recoup::decorrelated(100ms, 10s);
    auto const after = [&](duration previous, std::uint64_t random) {
        return policy.delay({.retry = 2, .previous = previous, .random = random});
    };
    CHECK(after(0ms, 0) == 100ms);
    CHECK(after(0ms, largest) == 300ms);  // before the first retry: as if `first` had been waited
    CHECK(after(50ms, largest) == 300ms);
    CHECK(after(200ms, 0) == 100ms);
    CHECK(after(200ms, largest) == 600ms);
    CHECK(after(200ms, largest / 2 + 1) == 350ms);
    CHECK(after(9s, largest) == 10s);
    CHECK(after(duration::max(), largest) == 10s);
    CHECK(after(duration::min(), largest) == 300ms);
    CHECK(policy.longest() == 10s);
}

TEST_CASE("field pain 18: zero means zero", "[backoff][field]") {
    auto const nothing =
        GENERATE(backoff{recoup::exponential(0ms, 0ms)}, backoff{recoup::exponential(0ms, 30s)},
                 backoff{recoup::exponential(200ms, 0ms)}, backoff{recoup::constant(0ms)},
                 backoff{recoup::linear(0ms, 30s)}, backoff{recoup::fibonacci(0ms, 30s)},
                 backoff{recoup::decorrelated(0ms, 30s)}, backoff{recoup::decorrelated(1s, 0s)});
    for (auto const retry : {0U, 1U, 2U, 64U, 65U, 4'294'967'295U})
        CHECK(nothing.delay({.retry = retry, .previous = 5s, .random = largest}) == 0ns);
}

TEST_CASE("the first delay never exceeds the cap", "[backoff]") {
    CHECK(delay_of(recoup::exponential(1min, 1s), 1) == 1s);
    CHECK(delay_of(recoup::linear(1min, 1s), 1) == 1s);
    CHECK(delay_of(recoup::fibonacci(1min, 1s), 1) == 1s);
    CHECK(delay_of(recoup::decorrelated(1min, 1s), 1) == 1s);
}

TEST_CASE("a span that no duration holds becomes the nearest one", "[backoff]") {
    using days = std::chrono::duration<std::int64_t, std::ratio<86400>>;
    CHECK(recoup::constant(days::max()).every == duration::max());
    CHECK(recoup::constant(days::min()).every == duration::min());
    CHECK(recoup::exponential(1s, std::chrono::hours::max()).cap == duration::max());
    CHECK(recoup::constant(std::chrono::duration<double>{0.25}).every == 250ms);
    CHECK(recoup::constant(std::chrono::duration<double>{1e300}).every == duration::max());
    CHECK(recoup::constant(std::chrono::duration<double>{-1e300}).every == duration::min());
    auto const none = std::numeric_limits<double>::quiet_NaN();
    CHECK(recoup::constant(std::chrono::duration<double>{none}).every == 0ns);
    CHECK(recoup::constant(std::chrono::duration<std::int64_t, std::pico>{1999}).every == 1ns);
}

TEST_CASE("a backoff is exponential with full jitter unless told otherwise", "[backoff]") {
    backoff const usual;
    CHECK(delay_of(usual, 1, largest) == 200ms);
    CHECK(delay_of(usual, 1, 0) == 0ms);
    CHECK(delay_of(usual, 1, largest / 2 + 1) == 100ms);
    CHECK(delay_of(usual, 99, largest) == 30s);
    CHECK(usual.longest() == 30s);
}

TEST_CASE("a user's own model is held, shared by copies, and never gives a negative delay",
          "[backoff]") {
    backoff const mine = listed{{5ms, -7ms, 9ms}};
    CHECK(first_delays(mine, 5) == milliseconds{0ms, 9ms, 5ms, 0ms, 9ms});
    CHECK(mine.longest() == duration::max());

    auto copy = mine;
    CHECK(delay_of(copy, 2) == 9ms);
    auto const taken = std::move(copy);
    CHECK(delay_of(taken, 2) == 9ms);
    CHECK(delay_of(copy, 2) == 0ms);  // NOLINT(bugprone-use-after-move): it is promised
    CHECK(copy.longest() == 0ms);     // NOLINT(bugprone-use-after-move)

    copy = recoup::constant(3s);
    CHECK(delay_of(copy, 2) == 3s);
}

TEST_CASE("jitter has names", "[backoff]") {
    CHECK(recoup::to_string(jitter::none) == "none");
    CHECK(recoup::to_string(jitter::full) == "full");
    CHECK(recoup::to_string(jitter::equal) == "equal");
}
