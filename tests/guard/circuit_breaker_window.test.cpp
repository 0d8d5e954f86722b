// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/random.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>

#include "support/catch.hpp"

using recoup::breaker_state;
using recoup::category;
using recoup::circuit_breaker;
using recoup::last_calls;
using recoup::testing::manual_clock;

namespace {

// The window as one would write it where nothing has to be fast.
struct model {
    std::size_t size;
    std::size_t minimum;
    double rate;
    std::deque<bool> failed{};

    [[nodiscard]] std::size_t failures() const {
        return static_cast<std::size_t>(std::count(failed.begin(), failed.end(), true));
    }
    // Returns: whether it opens.
    bool record(bool failure) {
        failed.push_back(failure);
        if (failed.size() > size) failed.pop_front();
        return failed.size() >= std::min(minimum, size) &&
               static_cast<double>(failures()) / static_cast<double>(failed.size()) >= rate;
    }
};

}  // namespace

TEST_CASE("from one thread the window is exactly a queue of the last outcomes",
          "[circuit_breaker][property]") {
    recoup::splitmix64 random{5};
    auto const below = [&](std::uint64_t limit) {
        return static_cast<std::uint32_t>(random() % limit);
    };
    manual_clock clock;
    int opened = 0;
    int stayed = 0;
    for (int round = 0; round < 400; ++round) {
        auto const sizes = std::uint32_t{below(4) == 0 ? 1 + below(300) : 1 + below(70)};
        auto const minimum = below(sizes + 10);
        auto const rate = static_cast<double>(1 + below(100)) / 100.0;
        auto reference = model{.size = sizes, .minimum = std::max(minimum, 1U), .rate = rate};
        circuit_breaker breaker{
            {.failure_rate = rate, .window = last_calls(sizes), .minimum_calls = minimum}};
        auto one_in = 1 + below(12);
        bool opens = false;
        for (std::uint32_t i = 0; i < 5 * sizes + 50 && !opens; ++i) {
            // Runs of good and of bad weather, so that the window becomes clean and dirty again.
            if (i % (sizes + 3) == 0) one_in = below(3) == 0 ? 1'000'000 : 1 + below(12);
            auto const failure = below(one_in) == 0;
            CAPTURE(round, sizes, minimum, rate, i, failure);
            auto permit = breaker.try_acquire(clock);
            REQUIRE(permit);
            if (failure)
                permit.failed(category::unknown, true, clock);
            else
                permit.succeeded(clock);
            opens = reference.record(failure);
            REQUIRE((breaker.state() == breaker_state::open) == opens);
            if (opens) break;
            auto const seen = breaker.snapshot();
            REQUIRE(seen.calls == reference.failed.size());
            REQUIRE(seen.failures == reference.failures());
        }
        (opens ? opened : stayed) += 1;
    }
    // Both ends were met often enough to mean something.
    CHECK(opened > 50);
    CHECK(stayed > 50);
}

TEST_CASE("the largest window works to its last place", "[circuit_breaker]") {
    manual_clock clock;
    circuit_breaker breaker{
        {.failure_rate = 1, .window = last_calls(32'768), .minimum_calls = 32'768}};
    for (int i = 0; i < 32'767; ++i)
        breaker.try_acquire(clock).failed(category::unknown, true, clock);
    CHECK(breaker.snapshot().failures == 32'767);
    breaker.try_acquire(clock).succeeded(clock);
    CHECK(breaker.snapshot().calls == 32'768);
    for (int i = 0; i < 32'768; ++i) breaker.try_acquire(clock).succeeded(clock);
    CHECK(breaker.snapshot().failures == 0);
    for (int i = 0; i < 32'767; ++i)
        breaker.try_acquire(clock).failed(category::unknown, true, clock);
    CHECK(breaker.state() == breaker_state::closed);
    breaker.try_acquire(clock).failed(category::unknown, true, clock);
    CHECK(breaker.state() == breaker_state::open);
}

TEST_CASE("what an earlier generation left in the window is not counted", "[circuit_breaker]") {
    manual_clock clock;
    circuit_breaker breaker{{.failure_rate = 0.9, .window = last_calls(100), .minimum_calls = 10}};
    for (int generation = 0; generation < 5; ++generation) {
        for (int i = 0; i < 9; ++i)
            breaker.try_acquire(clock).failed(category::unknown, true, clock);
        CHECK(breaker.snapshot().failures == 9);
        CHECK(breaker.state() == breaker_state::closed);
        breaker.reset();
        CHECK(breaker.snapshot().calls == 0);
        CHECK(breaker.snapshot().failures == 0);
        for (int i = 0; i < 5; ++i) breaker.try_acquire(clock).succeeded(clock);
        CHECK(breaker.snapshot().failures == 0);
        breaker.reset();
    }
}
