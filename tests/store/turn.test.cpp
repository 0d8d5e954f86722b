// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/turn.hpp>

#include <recoup/core/clock.hpp>

#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using recoup::real_clock;
using recoup::steady_time;
using recoup::detail::turn;

TEST_CASE("A turn that is taken is not given to a second one, and its wait ends in time") {
    turn lock;
    REQUIRE(lock.try_lock());
    CHECK_FALSE(lock.try_lock());
    auto const until = real_clock::now() + 5ms;
    CHECK_FALSE(lock.try_lock_until(until));
    CHECK(real_clock::now() >= until);
    lock.unlock();
    CHECK(lock.try_lock_until(steady_time::min()));
    lock.unlock();
}

TEST_CASE("What a turn guards is seen whole by each of many threads", "[concurrent]") {
    turn lock;
    auto counted = 0;
    std::atomic<int> refused{0};
    {
        std::vector<std::jthread> threads;
        for (auto i = 0; i != 4; ++i)
            threads.emplace_back([&] {
                for (auto k = 0; k != 2000; ++k) {
                    std::unique_lock mine{lock, std::try_to_lock};
                    if (!mine.owns_lock() && !mine.try_lock_until(steady_time::max()))
                        ++refused;
                    else
                        ++counted;
                }
            });
    }
    CHECK(refused == 0);
    CHECK(counted == 8000);
}
