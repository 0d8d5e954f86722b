// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/random.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using recoup::breaker_change;
using recoup::breaker_state;
using recoup::category;
using recoup::circuit_breaker;
using recoup::last_calls;
using recoup::testing::manual_clock;

namespace {

constexpr int thread_count = 4;

template <class Work>
void in_threads(Work work) {
    std::barrier start{thread_count};
    std::vector<std::jthread> threads;
    for (int i = 0; i < thread_count; ++i)
        threads.emplace_back([&, i] {
            start.arrive_and_wait();
            work(i);
        });
}

}  // namespace

TEST_CASE("however many ask, no more probes run than there are permits",
          "[circuit_breaker][concurrent]") {
    manual_clock clock;
    std::atomic<int> most = 0;
    std::atomic<int> admitted = 0;
    for (int round = 0; round < 50; ++round) {
        circuit_breaker breaker{{.window = last_calls(1), .open_for = 1s, .half_open_permits = 3}};
        breaker.try_acquire(clock).failed(category::unknown, true, clock);
        clock.advance(1s);
        std::atomic<int> running = 0;
        in_threads([&](int) {
            for (int i = 0; i < 100; ++i) {
                auto const permit = breaker.try_acquire(clock);
                if (!permit) continue;
                auto const now = ++running;
                ++admitted;
                for (auto seen = most.load();
                     seen < now && !most.compare_exchange_weak(seen, now);) {}
                std::this_thread::yield();
                --running;  // and the permit is lost: it goes back
            }
        });
        REQUIRE(breaker.state() == breaker_state::half_open);
        // None was lost for good: all three are there, and no fourth.
        auto const first = breaker.try_acquire(clock);
        auto const second = breaker.try_acquire(clock);
        auto const third = breaker.try_acquire(clock);
        REQUIRE((first && second && third));
        REQUIRE_FALSE(breaker.try_acquire(clock));
    }
    CHECK(most <= 3);
    CHECK(admitted > 0);
}

TEST_CASE("at total failure from many threads a breaker opens once, and in time",
          "[circuit_breaker][concurrent]") {
    manual_clock clock;
    for (int round = 0; round < 100; ++round) {
        circuit_breaker breaker{{.window = last_calls(100)}};
        std::atomic<int> admitted = 0;
        std::atomic<int> changes = 0;
        breaker.on_state_change([&](breaker_change const&) { ++changes; });
        in_threads([&](int) {
            for (int i = 0; i < 100; ++i) {
                auto permit = breaker.try_acquire(clock);
                if (!permit) continue;
                ++admitted;
                permit.failed(category::unknown, true, clock);
            }
        });
        REQUIRE(breaker.state() == breaker_state::open);
        REQUIRE(breaker.snapshot().opened == 1);
        REQUIRE(changes == 1);
        // A hundred failures open it; each other thread may have been admitted just before.
        REQUIRE(admitted >= 100);
        REQUIRE(admitted < 100 + thread_count);
    }
}

TEST_CASE("the failure that reaches the rate is not overlooked", "[circuit_breaker][concurrent]") {
    manual_clock clock;
    for (int round = 0; round < 300; ++round) {
        // Each thread records one failure and one success; the minimum is complete with the last of
        // them, whichever that is.
        circuit_breaker breaker{
            {.failure_rate = 0.5, .window = last_calls(100), .minimum_calls = 2 * thread_count}};
        in_threads([&](int i) {
            auto one = breaker.try_acquire(clock);
            auto other = breaker.try_acquire(clock);
            if (i % 2 == 0) one.failed(category::unknown, true, clock);
            other.succeeded(clock);
            if (i % 2 != 0) one.failed(category::unknown, true, clock);
        });
        REQUIRE(breaker.state() == breaker_state::open);
    }
}

TEST_CASE("counts are right as soon as nobody is recording", "[circuit_breaker][concurrent]") {
    manual_clock clock;
    for (auto const size : {1U, 7U, 64U, 100U, 1000U}) {
        // All fail, or half of them: never enough to open.
        circuit_breaker breaker{
            {.failure_rate = 1, .window = last_calls(size), .minimum_calls = size}};
        breaker.try_acquire(clock).succeeded(clock);
        in_threads([&](int i) {
            auto random = recoup::splitmix64{static_cast<std::uint64_t>(i)};
            for (int n = 0; n < 2000; ++n) {
                auto permit = breaker.try_acquire(clock);
                if (permit && size > 16 && random() % 2 == 0)
                    permit.failed(category::unknown, true, clock);
                else
                    permit.succeeded(clock);
            }
        });
        CAPTURE(size);
        REQUIRE(breaker.state() == breaker_state::closed);
        REQUIRE(breaker.snapshot().calls == size);
        REQUIRE(breaker.snapshot().failures <= size);
        // One lap later nothing of it is left, whatever overtook whatever.
        for (std::uint32_t n = 0; n < size; ++n) breaker.try_acquire(clock).succeeded(clock);
        REQUIRE(breaker.snapshot().failures == 0);
        for (std::uint32_t n = 1; n < size; ++n)
            breaker.try_acquire(clock).failed(category::unknown, true, clock);
        REQUIRE(breaker.snapshot().failures == size - 1);
    }
}

TEST_CASE("in any weather changes are told in order and the breaker never wedges",
          "[circuit_breaker][concurrent]") {
    manual_clock clock;
    circuit_breaker breaker{
        {.failure_rate = 0.3, .window = last_calls(10), .open_for = 1ms, .half_open_permits = 3}};
    auto last = breaker_state::closed;  // listeners are called one at a time
    bool in_order = true;
    int changes = 0;
    breaker.on_state_change([&](breaker_change const& change) {
        in_order = in_order && change.from == last;
        last = change.to;
        ++changes;
    });
    in_threads([&](int i) {
        auto random = recoup::splitmix64{static_cast<std::uint64_t>(i) + 99};
        for (int n = 0; n < 5000; ++n) {
            auto permit = breaker.try_acquire(clock);
            switch (random() % 8) {
                case 0:
                case 1: permit.failed(category::unknown, true, clock); break;
                case 2: permit.failed(category::unknown, false, clock); break;
                case 3: permit.failed(category::cancelled, true, clock); break;
                case 4: break;
                default: permit.succeeded(clock);
            }
            if (random() % 16 == 0) clock.advance(1ms);
            if (random() % 512 == 0) breaker.isolate();
            if (random() % 64 == 0) breaker.reset();
            static_cast<void>(breaker.snapshot());
            static_cast<void>(breaker.retry_in(clock));
        }
    });
    CHECK(in_order);
    CHECK(changes > 10);
    breaker.reset();
    CHECK(last == breaker_state::closed);
    for (int i = 0; i < 10; ++i) breaker.try_acquire(clock).failed(category::unknown, true, clock);
    CHECK(breaker.state() == breaker_state::open);
    clock.advance(1ms);
    for (int i = 0; i < 3; ++i) breaker.try_acquire(clock).succeeded(clock);
    CHECK(breaker.state() == breaker_state::closed);
}
