// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/bulkhead.hpp>

#include <recoup/guard/deadline.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;
using recoup::bulkhead;
using recoup::bulkhead_options;
using recoup::duration;
using recoup::steady_time;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::manual_clock;

std::string complaint_about(bulkhead_options const& options) {
    try {
        bulkhead const made{options};
        return "none";
    } catch (std::invalid_argument const& refused) {
        return refused.what();
    }
}

}  // namespace

TEST_CASE("a bulkhead admits so many at a time, and each end makes room", "[bulkhead]") {
    manual_clock clock;
    bulkhead pool{{.at_once = 2}};
    std::optional first{pool.try_acquire(clock)};
    auto const second = pool.try_acquire(clock);
    CHECK(*first);
    CHECK(second);
    CHECK_FALSE(pool.try_acquire(clock));
    CHECK(pool.snapshot().running == 2);
    first.reset();
    CHECK(pool.snapshot().running == 1);
    CHECK(pool.try_acquire(clock));
}

TEST_CASE("a full bulkhead rejects, and says so; the place comes back however an attempt ends",
          "[bulkhead]") {
    manual_clock clock;
    bulkhead pool{{.at_once = 1}};
    auto inner_error = std::optional<recoup::failure>{};
    auto const inner = with_recovery([] { return 1; }, pool, recoup::on(clock));
    auto const outer = with_recovery(
        [&](bool fails) {
            auto const refused = inner();
            inner_error = refused.error();
            if (fails) throw std::logic_error{"on purpose"};
        },
        pool, recoup::on(clock));
    CHECK(outer(false));
    CHECK(inner_error->code() == recoup::errc::bulkhead_full);
    CHECK(inner_error->stopped() == stop_reason::rejected);
    CHECK(inner_error->attempts() == 0);
    CHECK_FALSE(outer(true));
    CHECK(pool.snapshot().running == 0);
    CHECK(inner());
}

TEST_CASE("those who wait are served in their order, and the rest is rejected", "[bulkhead]") {
    manual_clock clock{{.auto_advance = false}};
    bulkhead pool{{.at_once = 1, .waiting = 3}};
    auto held = std::optional{pool.try_acquire(clock)};
    std::mutex mutex;
    std::vector<int> served;
    std::vector<std::jthread> waiters;
    for (auto i = 0U; i < 3; ++i) {
        waiters.emplace_back([&, i] {
            auto const turn = acquire(pool, clock, steady_time::max(), {});
            std::lock_guard const lock{mutex};
            served.push_back(turn ? static_cast<int>(i) : -1);
        });
        clock.await_waiting(i + 1);
    }
    CHECK(pool.snapshot().waiting == 3);
    CHECK_FALSE(acquire(pool, clock, steady_time::max(), {}));
    CHECK_FALSE(pool.try_acquire(clock));
    held.reset();
    waiters.clear();
    CHECK(served == std::vector{0, 1, 2});
    CHECK(pool.snapshot().running == 0);
    CHECK(pool.snapshot().waiting == 0);
}

TEST_CASE("nobody overtakes those who wait", "[bulkhead]") {
    manual_clock clock{{.auto_advance = false}};
    bulkhead pool{{.at_once = 1, .waiting = 1}};
    auto held = std::optional{pool.try_acquire(clock)};
    std::atomic<bool> go_on = false;
    std::jthread const waiter{[&] {
        auto const turn = acquire(pool, clock, steady_time::max(), {});
        while (!go_on) std::this_thread::yield();
    }};
    clock.await_waiting(1);
    held.reset();
    CHECK_FALSE(pool.try_acquire(clock));  // the place was handed over, not left
    CHECK(pool.snapshot().running == 1);
    go_on = true;
}

TEST_CASE("a wait ends at its limit, at the deadline and at a stop request", "[bulkhead]") {
    manual_clock clock;
    bulkhead pool{{.at_once = 1, .waiting = 1, .wait_at_most = 3s}};
    auto const held = pool.try_acquire(clock);
    auto const call = with_recovery([] { return 1; }, pool, recoup::on(clock));

    auto const late = call();
    REQUIRE_FALSE(late);
    CHECK(late.error().stopped() == stop_reason::rejected);
    CHECK(clock.elapsed() == 3s);

    auto const in_time = call.with(recoup::deadline{1s})();
    REQUIRE_FALSE(in_time);
    CHECK(in_time.error().stopped() == stop_reason::deadline);
    CHECK(in_time.error().code() == recoup::errc::bulkhead_full);
    CHECK(clock.elapsed() == 4s);

    std::stop_source stop;
    stop.request_stop();
    CHECK_FALSE(acquire(pool, clock, steady_time::max(), stop.get_token()));
    CHECK(clock.elapsed() == 4s);
    CHECK(pool.snapshot().waiting == 0);
}

TEST_CASE("a stop request that comes during a wait ends it at once", "[bulkhead]") {
    recoup::real_clock clock;
    bulkhead pool{{.at_once = 1, .waiting = 1}};
    auto const held = pool.try_acquire(clock);
    std::stop_source stop;
    std::jthread const stopper{[&] {
        while (pool.snapshot().waiting == 0) std::this_thread::yield();
        stop.request_stop();
    }};
    auto const call = with_recovery([] { return 1; }, pool, stop.get_token());
    auto const stopped = call();
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().stopped() == stop_reason::cancelled);
    CHECK(pool.snapshot().waiting == 0);
}

TEST_CASE("no permit leaks and no wait is lost, whatever ends it", "[bulkhead][concurrent]") {
    recoup::real_clock clock;
    bulkhead pool{{.at_once = 3, .waiting = 3, .wait_at_most = 2ms}};
    std::atomic<int> running = 0;
    std::atomic<int> most = 0;
    std::atomic<int> admitted = 0;
    std::atomic<int> rejected = 0;
    {
        std::vector<std::jthread> threads;
        for (auto i = 0U; i < 8; ++i)
            threads.emplace_back([&, i] {
                std::minstd_rand random{i + 1};
                for (auto n = 0; n < 1'500; ++n) {
                    std::stop_source stop;
                    if (random() % 8 == 0) stop.request_stop();
                    auto const until = clock.now() + std::chrono::microseconds{random() % 300};
                    auto const turn = acquire(pool, clock, until, stop.get_token());
                    if (!turn) {
                        ++rejected;
                        continue;
                    }
                    ++admitted;
                    auto const now = ++running;
                    for (auto seen = most.load();
                         seen < now && !most.compare_exchange_weak(seen, now);) {}
                    if (random() % 3 == 0) std::this_thread::yield();
                    --running;
                }
            });
    }
    CHECK(most <= 3);
    CHECK(admitted + rejected == 8 * 1'500);
    CHECK(admitted > 0);
    CHECK(pool.snapshot().running == 0);
    CHECK(pool.snapshot().waiting == 0);
}

TEST_CASE("a bulkhead that cannot be is refused with what is wrong", "[bulkhead]") {
    CHECK(complaint_about({.at_once = 0}) ==
          "recoup: bulkhead: at_once is 0, expected 1 to 1000000");
    CHECK(complaint_about({.waiting = 2'000'000}) ==
          "recoup: bulkhead: waiting is 2000000, expected 0 to 1000000");
    CHECK(complaint_about({.wait_at_most = -1ns}) ==
          "recoup: bulkhead: wait_at_most is -1 ns, expected 0 or more");
    CHECK(complaint_about({}) == "none");
}
