// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/clock.hpp>

#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

namespace {

using namespace std::chrono_literals;
using recoup::real_clock;
using recoup::steady_time;

static_assert(recoup::clock<real_clock>);
static_assert(std::is_empty_v<real_clock>);
static_assert(noexcept(real_clock::now()) && noexcept(real_clock::coarse_now()));
static_assert(noexcept(real_clock::system_now()) && noexcept(real_clock::random()));

struct no_wait {
    steady_time now() noexcept;
    steady_time coarse_now() noexcept;
    recoup::system_time system_now() noexcept;
    std::uint64_t random() noexcept;
};
static_assert(!recoup::clock<no_wait>);

}  // namespace

TEST_CASE("The coarse clock lags behind the exact one, and never leads it") {
    for (int i = 0; i != 1000; ++i) {
        auto const coarse = real_clock::coarse_now();
        auto const exact = real_clock::now();
        REQUIRE(coarse <= exact);
        // A tick of the slowest kernel is 10 ms; a machine under load may pause between the two.
        REQUIRE(exact - coarse < 10s);
    }
}

TEST_CASE("The exact clock never goes back, and the wall clock is after this was written") {
    auto last = real_clock::now();
    for (int i = 0; i != 1000; ++i) {
        auto const next = real_clock::now();
        REQUIRE(next >= last);
        last = next;
    }
    CHECK(real_clock::system_now().time_since_epoch() > 24h * 365 * 50);
}

TEST_CASE("A wait that is over before it begins returns at once") {
    CHECK(real_clock::wait_until(steady_time::min(), std::stop_token{}));
    CHECK(real_clock::wait_until(real_clock::now() - 1s, std::stop_token{}));
    CHECK(real_clock::wait_until(real_clock::now(), std::stop_token{}));
}

TEST_CASE("A wait lasts at least as long as it should") {
    auto const when = real_clock::now() + 1ms;
    CHECK(real_clock::wait_until(when, std::stop_token{}));
    CHECK(real_clock::now() >= when);
}

TEST_CASE(
    "A stop that was requested before the wait ends it at once, even where nothing is to wait "
    "for") {
    std::stop_source stop;
    stop.request_stop();
    CHECK_FALSE(real_clock::wait_until(steady_time::max(), stop.get_token()));
    CHECK_FALSE(real_clock::wait_until(steady_time::min(), stop.get_token()));
}

TEST_CASE("A stop request wakes an endless wait at once", "[concurrent]") {
    // Many times, so that the request falls into every moment of the wait's beginning.
    for (int i = 0; i != 200; ++i) {
        std::stop_source stop;
        std::atomic<bool> waits = false;
        std::optional<bool> reached;
        std::thread waiter{[&] {
            waits = true;
            reached = real_clock::wait_until(steady_time::max(), stop.get_token());
        }};
        while (!waits) std::this_thread::yield();
        stop.request_stop();
        waiter.join();
        REQUIRE(reached == false);
    }
}

TEST_CASE("Waits of several threads on one token all end with it", "[concurrent]") {
    std::stop_source stop;
    std::atomic<int> cut_short = 0;
    {
        std::vector<std::jthread> waiters;
        for (int i = 0; i != 4; ++i)
            waiters.emplace_back([&] {
                if (!real_clock::wait_until(real_clock::now() + 24h * 365 * 200, stop.get_token()))
                    ++cut_short;
            });
        stop.request_stop();
    }
    CHECK(cut_short == 4);
}
