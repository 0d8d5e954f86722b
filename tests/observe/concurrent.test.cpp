// SPDX-License-Identifier: BSL-1.0
#include <recoup/observe/detail/thread_place.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/with_recovery.hpp>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "observe/observe_support.hpp"
#include "support/catch.hpp"

using namespace std::chrono_literals;
using namespace observe_test;
using recoup::metrics;
using recoup::with_recovery;
using recoup::detail::thread_place;

namespace {

template <class Work>
void in_many_threads(int count, Work work) {
    std::barrier start{count};
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i)
        threads.emplace_back([&, i] {
            start.arrive_and_wait();
            work(i);
        });
}

}  // namespace

TEST_CASE("nothing is lost or counted twice, however many threads there are",
          "[metrics][concurrent]") {
    constexpr auto calls = 2'000;
    for (auto const shards : {0U, 1U, 8U}) {
        for (auto const threads : {2, 20}) {
            CAPTURE(shards, threads);
            metrics counted{{.time_one_in = 4, .shards = shards}};
            counted.alert({.success_below = 0.99, .minimum_calls = 1}, [](recoup::alert const&) {});
            auto const call = with_recovery(succeed_if, counted.watch("call"));
            in_many_threads(threads, [&](int) {
                for (auto i = 0; i != calls; ++i) static_cast<void>(call(i % 4 != 0));
            });
            auto const all = static_cast<std::uint64_t>(calls * threads);
            auto const seen = look_at(counted, "call");
            CHECK(seen.operations == all);
            CHECK(seen.attempts == all);
            CHECK(seen.succeeded == all / 4 * 3);
            CHECK(seen.failed == all / 4);
            CHECK(seen.count(recoup::category::permission) == all / 4);
            CHECK(seen.count(recoup::stop_reason::not_retryable) == all / 4);
            CHECK(seen.abandoned == 0);
        }
    }
}

TEST_CASE("threads that come and go lose no count", "[metrics][concurrent]") {
    metrics counted{{.shards = 2}};
    auto const call = with_recovery(succeed_if, counted.watch("call"));
    for (auto round = 0; round != 50; ++round)
        in_many_threads(4, [&](int) {
            for (auto i = 0; i != 10; ++i) static_cast<void>(call(true));
        });
    CHECK(look_at(counted, "call").succeeded == 50 * 4 * 10);
}

TEST_CASE("snapshots, names and alerts may come while calls run", "[metrics][concurrent]") {
    metrics counted{{.time_one_in = 2, .names_most = 8}};
    std::atomic<bool> over{false};
    std::atomic<int> told{0};
    std::atomic<int> wrong{0};
    {
        std::jthread const looking{[&] {
            while (!over) {
                auto const seen = counted.snapshot();
                for (auto const& one : seen.watched)
                    if (one.succeeded + one.failed > one.operations) ++wrong;
            }
        }};
        in_many_threads(4, [&](int number) {
            for (auto i = 0; i != 200; ++i) {
                auto const call =
                    with_recovery(succeed_if, counted.watch(std::to_string((i + number) % 12)));
                for (auto j = 0; j != 20; ++j) static_cast<void>(call(j % 2 == 0));
                if (i % 50 == 0 && number < 4)
                    counted.alert({.success_below = 0.9, .minimum_calls = 1},
                                  [&](recoup::alert const&) { ++told; });
            }
        });
        over = true;
    }
    auto const seen = counted.snapshot();
    std::uint64_t all = 0;
    for (auto const& one : seen.watched) all += one.operations;
    CHECK(all == 4 * 200 * 20);
    CHECK(seen.watched.size() == 9);
    CHECK(told > 0);
    CHECK(wrong == 0);
}

TEST_CASE("one alert is raised for all threads together", "[metrics][concurrent]") {
    metrics counted{time_all};
    std::atomic<int> told{0};
    std::atomic<int> telling{0};
    std::atomic<bool> together{false};
    counted.alert({.success_below = 0.9, .window = 1h, .minimum_calls = 1},
                  [&](recoup::alert const&) {
                      if (++telling != 1) together = true;
                      ++told;
                      std::this_thread::yield();
                      --telling;
                  });
    auto const call = with_recovery(succeed_if, counted.watch("call"));
    in_many_threads(4, [&](int) {
        for (auto i = 0; i != 100; ++i) {
            static_cast<void>(call(false));
            static_cast<void>(counted.snapshot());
        }
    });
    CHECK(told == 1);
    CHECK_FALSE(together);
}

TEST_CASE("no two threads that run have one place", "[metrics][concurrent]") {
    constexpr auto threads = 80;
    std::vector<std::uint32_t> places(threads);
    in_many_threads(threads, [&, end = std::make_shared<std::barrier<>>(threads)](int i) {
        places[static_cast<std::size_t>(i)] = thread_place::current();
        REQUIRE(thread_place::current() == places[static_cast<std::size_t>(i)]);
        end->arrive_and_wait();
    });
    std::vector<int> taken(thread_place::most + 1);
    for (auto const one : places) ++taken.at(one);
    for (std::uint32_t i = 0; i != thread_place::most; ++i) CHECK(taken[i] <= 1);
    CHECK(taken[thread_place::most] >= threads - static_cast<int>(thread_place::most));
    // They were given back.
    std::uint32_t later = thread_place::most;
    std::jthread{[&] { later = thread_place::current(); }}.join();
    CHECK(later < thread_place::most);
}

TEST_CASE("a call from the end of a thread is counted, too", "[metrics][concurrent]") {
    struct last_words {
        metrics* counted = nullptr;
        std::uint32_t* place = nullptr;
        ~last_words() {
            if (counted == nullptr) return;
            *place = thread_place::current();
            static_cast<void>(with_recovery(succeed_if, counted->watch("call"))(true));
        }
    };
    std::uint32_t place = 0;
    metrics counted;
    std::jthread{[&] {
        // Made before the thread has its place, and so destroyed after it has lost it.
        thread_local last_words words;
        words.counted = &counted;
        words.place = &place;
        static_cast<void>(with_recovery(succeed_if, counted.watch("call"))(true));
    }}.join();
    CHECK(look_at(counted, "call").succeeded == 2);
    CHECK(place == thread_place::most);  // its own may be another thread's by now
}
