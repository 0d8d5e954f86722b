// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include "async/async_support.hpp"
#include "support/catch.hpp"

#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/system/system_error.hpp>

#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>

namespace {

using namespace std::chrono_literals;
using namespace async_test;
using recoup::retry;
using recoup::with_recovery;

}  // namespace

TEST_CASE("on many threads each operation is whole, and a bulkhead never holds too many",
          "[async][concurrent]") {
    constexpr auto operations = 400;
    asio::thread_pool threads{4};
    recoup::bulkhead pool{{.at_once = 3, .waiting = operations}};
    recoup::circuit_breaker breaker;
    std::atomic<int> running = 0;
    std::atomic<int> most = 0;
    std::atomic<int> succeeded = 0;
    std::atomic<int> calls = 0;
    auto const call = with_recovery(
        [&](int number) -> asio::awaitable<int> {
            auto const now = ++running;
            for (auto seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {}
            co_await sleep(100us);
            --running;
            if (calls++ % 3 == 0) throw boost::system::system_error{asio::error::connection_reset};
            co_return number;
        },
        retry{.max_attempts = 50, .backoff = recoup::constant(200us)}, pool, breaker);
    for (auto i = 0; i < operations; ++i)
        spawn(threads, call(i), [&, i](recoup::result<int> got) {
            if (got && got.value() == i) ++succeeded;
        });
    threads.join();
    CHECK(succeeded == operations);
    CHECK(most <= 3);
    CHECK(pool.snapshot().running == 0);
    CHECK(pool.snapshot().waiting == 0);
    CHECK(breaker.state() == recoup::breaker_state::closed);
}

TEST_CASE("on a strand of many threads, stops from elsewhere end every wait",
          "[async][concurrent]") {
    for (auto round = 0; round < 30; ++round) {
        asio::thread_pool threads{4};
        std::stop_source stop;
        std::atomic<int> ended = 0;
        std::atomic<int> begun = 0;
        auto const call = with_recovery(
            [&]() -> asio::awaitable<int> {
                ++begun;
                co_await sleep(0ms);
                throw boost::system::system_error{asio::error::connection_reset};
            },
            retry{.max_attempts = 1'000'000, .backoff = recoup::constant(50us)}, stop.get_token());
        for (auto i = 0; i < 20; ++i)
            spawn(asio::make_strand(threads), call(), [&](recoup::result<int> got) {
                if (got.error().stopped() == recoup::stop_reason::cancelled) ++ended;
            });
        while (begun < 60) std::this_thread::yield();
        stop.request_stop();
        threads.join();
        REQUIRE(ended == 20);
    }
}

TEST_CASE("coroutines wait for a token without blocking the one thread that they have",
          "[async][concurrent]") {
    asio::io_context context;
    recoup::rate_limiter limiter{recoup::token_bucket(200, 1s, 1).waiting(10s)};
    auto const call = with_recovery([]() -> asio::awaitable<int> { co_return 1; }, limiter);
    auto done = 0;
    auto const begun = std::chrono::steady_clock::now();
    for (auto i = 0; i < 11; ++i)
        spawn(context, call(), [&](recoup::result<int> got) {
            if (got) ++done;
        });
    context.run();
    CHECK(done == 11);
    CHECK(std::chrono::steady_clock::now() - begun >= 50ms);
}
