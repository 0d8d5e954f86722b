// SPDX-License-Identifier: BSL-1.0
#include <recoup/testing/manual_clock.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using recoup::duration;
using recoup::steady_time;
using recoup::testing::manual_clock;

static_assert(recoup::clock<manual_clock>);
static_assert(!std::is_copy_constructible_v<manual_clock>);

TEST_CASE("a manual clock stands still unless it is moved", "[manual_clock]") {
    manual_clock clock;
    auto const start = clock.now();
    auto const wall = clock.system_now();
    CHECK(clock.now() == start);
    CHECK(clock.coarse_now() == start);
    clock.advance(1500ms);
    CHECK(clock.now() - start == 1500ms);
    CHECK(clock.coarse_now() == clock.now());
    CHECK(clock.system_now() - wall == 1500ms);
    CHECK(clock.elapsed() == 1500ms);
}

TEST_CASE("a manual clock never goes back, and stops at the end of its range", "[manual_clock]") {
    manual_clock clock{{.start = steady_time{5s}}};
    clock.advance(-1s);
    CHECK(clock.now() == steady_time{5s});
    CHECK(clock.wait_until(steady_time{2s}, {}));
    CHECK(clock.now() == steady_time{5s});
    clock.advance(duration::max());
    CHECK(clock.now() == steady_time::max());
    clock.advance(1ns);
    CHECK(clock.now() == steady_time::max());
}

TEST_CASE("field pain 13: a wait on a manual clock advances it and is noted",
          "[manual_clock][field]") {
    manual_clock clock;
    CHECK(clock.wait_until(clock.now() + 200ms, {}));
    CHECK(clock.wait_until(clock.now() + 400ms, {}));
    CHECK(clock.wait_until(clock.now(), {}));
    CHECK(clock.wait_until(clock.now() - 1s, {}));
    CHECK(clock.waits() == std::vector<duration>{200ms, 400ms, 0ms, 0ms});
    CHECK(clock.elapsed() == 600ms);
}

TEST_CASE("time that passes during a wait is part of it", "[manual_clock]") {
    manual_clock* moved = nullptr;
    manual_clock clock{{.on_wait = [&](duration) { moved->advance(400ms); }}};
    moved = &clock;
    CHECK(clock.wait_until(clock.now() + 1s, {}));
    CHECK(clock.elapsed() == 1s);
    CHECK(clock.wait_until(clock.now() + 100ms, {}));
    CHECK(clock.elapsed() == 1400ms);
    CHECK(clock.waits() == std::vector<duration>{1s, 100ms});
}

TEST_CASE("the wall clock jumps by itself", "[manual_clock]") {
    manual_clock clock{{.system_start = recoup::system_time{1000s}}};
    auto const before = clock.now();
    CHECK(clock.system_now() == recoup::system_time{1000s});
    clock.set_system(recoup::system_time{-50s});
    CHECK(clock.system_now() == recoup::system_time{-50s});
    CHECK(clock.now() == before);
    clock.advance(10s);
    CHECK(clock.system_now() == recoup::system_time{-40s});
}

TEST_CASE("a stop that was requested before is no wait", "[manual_clock]") {
    manual_clock clock;
    std::stop_source stop;
    stop.request_stop();
    CHECK_FALSE(clock.wait_until(clock.now() + 1s, stop.get_token()));
    CHECK(clock.waits().empty());
    CHECK(clock.elapsed() == 0s);
}

TEST_CASE("a stop that is requested during a wait ends it where it began", "[manual_clock]") {
    std::stop_source stop;
    std::vector<duration> seen;
    manual_clock clock{{.on_wait = [&](duration length) {
        seen.push_back(length);
        if (seen.size() == 2) stop.request_stop();
    }}};
    CHECK(clock.wait_until(clock.now() + 1s, stop.get_token()));
    CHECK_FALSE(clock.wait_until(clock.now() + 3s, stop.get_token()));
    CHECK(seen == std::vector<duration>{1s, 3s});
    CHECK(clock.waits() == seen);
    CHECK(clock.elapsed() == 1s);
}

TEST_CASE("the numbers of a manual clock are those of its seed, or the fixed one",
          "[manual_clock]") {
    manual_clock first{{.seed = 42}};
    manual_clock second{{.seed = 42}};
    manual_clock other{{.seed = 43}};
    recoup::splitmix64 reference{42};
    bool differs = false;
    for (int i = 0; i < 10; ++i) {
        auto const number = first.random();
        CHECK(number == reference());
        CHECK(number == second.random());
        differs = differs || number != other.random();
    }
    CHECK(differs);

    manual_clock fixed{{.fixed_random = 7}};
    CHECK(fixed.random() == 7);
    CHECK(fixed.random() == 7);
}

TEST_CASE("without auto_advance a wait ends when another thread has advanced far enough",
          "[manual_clock][concurrent]") {
    manual_clock clock{{.auto_advance = false}};
    std::array<bool, 2> over{};
    auto const start = clock.now();
    std::jthread shorter{[&] { over[0] = clock.wait_until(start + 1s, {}); }};
    std::jthread longer{[&] { over[1] = clock.wait_until(start + 3s, {}); }};
    clock.await_waiting(2);
    clock.advance(999ms);
    CHECK(clock.waiting() == 2);
    clock.advance(1ms);
    shorter.join();
    CHECK(over[0]);
    CHECK(clock.waiting() == 1);
    clock.advance(2s);
    longer.join();
    CHECK(over[1]);
    CHECK(clock.waiting() == 0);
}

TEST_CASE("without auto_advance a stop request ends a wait", "[manual_clock][concurrent]") {
    manual_clock clock{{.auto_advance = false}};
    bool over = true;
    std::jthread waiting{
        [&](std::stop_token const& stop) { over = clock.wait_until(clock.now() + 1h, stop); }};
    clock.await_waiting(1);
    waiting.request_stop();
    waiting.join();
    CHECK_FALSE(over);
    CHECK(clock.elapsed() == 0s);
}

TEST_CASE("waits of many threads for one moment move the clock to it once",
          "[manual_clock][concurrent]") {
    manual_clock clock;
    auto const when = clock.now() + 1s;
    std::vector<std::uint64_t> numbers(4);
    {
        std::vector<std::jthread> threads;
        for (auto& number : numbers)
            threads.emplace_back([&] {
                for (int i = 0; i < 1000; ++i) static_cast<void>(clock.wait_until(when, {}));
                number = clock.random();
            });
    }
    CHECK(clock.elapsed() == 1s);
    CHECK(clock.waits().size() == 4000);
    for (std::size_t i = 1; i < numbers.size(); ++i) CHECK(numbers[i] != numbers[0]);
}
