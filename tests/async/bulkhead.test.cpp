// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include "async/async_support.hpp"
#include "support/catch.hpp"

#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/retry/retry.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

// Coroutines in the line of a bulkhead, some of which do not stay.

namespace async_bulkhead {

using namespace std::chrono_literals;
using namespace async_test;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;

/// A bulkhead for each of two keys.
class two_rooms {
  public:
    using is_keyed_guard = void;
    using permit = recoup::bulkhead::permit;
    static constexpr auto stage = recoup::bulkhead::stage;

    recoup::bulkhead& guard_for(int key) noexcept { return rooms_[key % 2]; }

  private:
    recoup::bulkhead rooms_[2]{recoup::bulkhead{{.at_once = 1, .waiting = 10}},
                               recoup::bulkhead{{.at_once = 1, .waiting = 10}}};
};

}  // namespace async_bulkhead

using namespace async_bulkhead;

TEST_CASE("a cancelled coroutine leaves the line of a bulkhead, and those behind it move up",
          "[async][bulkhead]") {
    asio::io_context context;
    recoup::bulkhead pool{{.at_once = 1, .waiting = 10}};
    auto let_go = false;
    auto order = std::string{};
    auto const call = with_recovery(
        [&](char name) -> asio::awaitable<char> {
            while (!let_go) co_await sleep(1us);
            order += name;
            co_return name;
        },
        retry{.max_attempts = 1}, pool);
    std::deque<asio::cancellation_signal> signals(5);
    auto cancelled = std::string{};
    for (auto const name : {'a', 'b', 'c', 'd', 'e'})
        spawn(
            context, call(name),
            [&, name](recoup::result<char> const& got) {
                if (got) return;
                CHECK(got.error().stopped() == stop_reason::cancelled);
                CHECK(got.error().attempts() == 0);
                cancelled += name;
            },
            asio::bind_cancellation_slot(signals[static_cast<std::size_t>(name - 'a')].slot(),
                                         asio::detached));
    while (pool.snapshot().waiting != 4) context.run_one();
    // From the middle of the line, and its head.
    asio::post(context, [&] { signals[2].emit(asio::cancellation_type::terminal); });
    asio::post(context, [&] { signals[1].emit(asio::cancellation_type::terminal); });
    while (cancelled.size() != 2) context.run_one();
    CHECK(cancelled == "cb");
    CHECK(pool.snapshot().waiting == 2);
    let_go = true;
    context.run();
    CHECK(order == "ade");
    CHECK(pool.snapshot().running == 0);
    CHECK(pool.snapshot().waiting == 0);
}

TEST_CASE("a coroutine that waited at one guard asks those behind it, and may wait there, too",
          "[async][bulkhead]") {
    asio::io_context context;
    recoup::bulkhead outer{{.at_once = 2, .waiting = 10}};
    recoup::bulkhead inner{{.at_once = 1, .waiting = 10}};
    recoup::circuit_breaker breaker;
    auto running = 0;
    auto ended = 0;
    auto const call = with_recovery(
        [&]() -> asio::awaitable<int> {
            CHECK(++running == 1);
            co_await sleep(1us);
            --running;
            co_return 1;
        },
        retry{.max_attempts = 1}, breaker, outer, inner);
    for (auto i = 0; i != 6; ++i)
        spawn(context, call(), [&](recoup::result<int> const& got) {
            CHECK(got);
            ++ended;
        });
    while (outer.snapshot().waiting != 4 || inner.snapshot().waiting != 1) context.run_one();
    context.run();
    CHECK(ended == 6);
    for (auto const* one : {&outer, &inner}) {
        CHECK(one->snapshot().running == 0);
        CHECK(one->snapshot().waiting == 0);
    }
}

TEST_CASE("a coroutine waits at the guard that its key has, and blocks no thread",
          "[async][bulkhead]") {
    asio::io_context context;
    two_rooms rooms;
    int running[2]{};
    auto ended = 0;
    auto const call = with_recovery(
        [&](int key) -> asio::awaitable<int> {
            CHECK(++running[key % 2] == 1);
            co_await sleep(1us);
            --running[key % 2];
            co_return key;
        },
        retry{.max_attempts = 1}, rooms);
    for (auto key = 0; key != 6; ++key)
        spawn(context, call(key), [&](recoup::result<int> const& got) {
            CHECK(got);
            ++ended;
        });
    context.run();
    CHECK(ended == 6);
    for (auto const key : {0, 1}) {
        CHECK(rooms.guard_for(key).snapshot().running == 0);
        CHECK(rooms.guard_for(key).snapshot().waiting == 0);
    }
}

TEST_CASE("on many threads no place of a bulkhead is lost to those who are cancelled in its line",
          "[async][bulkhead][concurrent]") {
    struct one_call {
        explicit one_call(asio::thread_pool& threads) : strand{asio::make_strand(threads)} {}
        asio::strand<asio::thread_pool::executor_type> strand;
        asio::cancellation_signal signal{};
    };
    for (auto round = 0; round != 20; ++round) {
        constexpr auto count = 60;
        asio::thread_pool threads{4};
        recoup::bulkhead pool{{.at_once = 2, .waiting = count}};
        std::atomic<int> running = 0;
        std::atomic<int> most = 0;
        std::atomic<int> ended = 0;
        std::atomic<int> given = 0;
        auto const call = with_recovery(
            [&](int number) -> asio::awaitable<int> {
                auto const here = ++running;
                for (auto seen = most.load();
                     seen < here && !most.compare_exchange_weak(seen, here);) {}
                struct leave {
                    std::atomic<int>& running;
                    ~leave() { --running; }
                } const left{running};
                co_await sleep(1us);
                co_return number;
            },
            retry{.max_attempts = 1}, pool);
        auto calls = std::vector<std::unique_ptr<one_call>>{};
        for (auto i = 0; i != count; ++i) {
            calls.push_back(std::make_unique<one_call>(threads));
            auto& one = *calls.back();
            // One that is cancelled before it begins ends without a result.
            spawn(
                one.strand, call(i),
                [&](recoup::result<int> const& got) {
                    if (got) ++given;
                },
                asio::bind_cancellation_slot(
                    one.signal.slot(),
                    asio::bind_executor(one.strand, [&](std::exception_ptr const&) { ++ended; })));
            if (i % 2 == 1)
                asio::post(one.strand,
                           [&one] { one.signal.emit(asio::cancellation_type::terminal); });
        }
        threads.join();
        REQUIRE(ended == count);
        CHECK(given >= count / 2);
        CHECK(most <= 2);
        CHECK(pool.snapshot().running == 0);
        CHECK(pool.snapshot().waiting == 0);
    }
}
