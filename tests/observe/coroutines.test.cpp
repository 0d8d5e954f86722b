// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>
#include <recoup/observe/metrics.hpp>

#include <recoup/core/on.hpp>
#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/hedge.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <system_error>

#include "observe/observe_support.hpp"
#include "support/catch.hpp"

using namespace std::chrono_literals;
using namespace observe_test;
namespace asio = boost::asio;

namespace observe_coroutines {

/// Lets others run on the thread.
asio::awaitable<void> give_way() {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

/// Takes `turns` turns of 1 ms each, and fails as often as it is told to.
asio::awaitable<int> in_turns(recoup::testing::manual_clock& clock, int turns, int& failures) {
    for (auto i = 0; i != turns; ++i) {
        co_await give_way();
        clock.advance(1ms);
    }
    if (failures-- > 0) throw std::system_error{std::make_error_code(std::errc::connection_reset)};
    co_return 1;
}

/// Never ends.
asio::awaitable<int> for_ever() {
    while (true) co_await give_way();
}

asio::awaitable<int> some_work() {
    for (auto i = 0; i != 3; ++i) co_await give_way();
    co_return 1;
}

/// Counts the moments at which a callable has ended.
struct returns {
    struct per_operation {};
    int* seen;
    void operator()(recoup::event const&) const {}
    void operator()(recoup::event const&, per_operation&) const {}
    void attempt_returned(per_operation&) const noexcept { ++*seen; }
    void waits(per_operation&) const noexcept {}
};

}  // namespace observe_coroutines

TEST_CASE("each attempt of a coroutine is told of when it has ended, however it runs",
          "[metrics]") {
    using namespace observe_coroutines;
    recoup::testing::manual_clock clock;
    auto seen = 0;
    auto const ended_of = [&](auto const&... policies) {
        seen = 0;
        auto failures = 2;
        asio::io_context context;
        asio::co_spawn(
            context,
            [&]() -> asio::awaitable<void> {
                auto const call =
                    recoup::with_recovery(in_turns, at_once, returns{&seen}, policies...);
                auto const got = co_await call(std::ref(clock), 2, std::ref(failures));
                CHECK(got);
            },
            asio::detached);
        context.run();
        return seen;
    };
    CHECK(ended_of() == 3);
    CHECK(ended_of(recoup::attempt_timeout{1h}) == 3);
    auto const hedges = std::make_shared<recoup::hedge>(recoup::hedge_options{.delay = 1h});
    CHECK(ended_of(hedges) == 3);
}

TEST_CASE("coroutines on one thread are timed each by itself", "[metrics]") {
    using namespace observe_coroutines;
    recoup::testing::manual_clock clock;
    recoup::metrics counted{time_all, recoup::on(clock)};
    asio::io_context context;
    auto const call = recoup::with_recovery(in_turns, at_once, counted.watch("call"));
    auto failures = 0;
    auto const spawn = [&](int turns) {
        asio::co_spawn(
            context,
            [&, turns]() -> asio::awaitable<void> {
                // g++ 12 evaluates a co_await within CHECK more than once.
                auto const got = co_await call(std::ref(clock), turns, std::ref(failures));
                CHECK(got);
            },
            asio::detached);
    };
    spawn(2);
    spawn(10);
    context.run();
    auto seen = look_at(counted, "call");
    CHECK(seen.operations == 2);
    CHECK(seen.latency.count() == 2);
    // The one ended while the other ran on, in whose time its own lies.
    CHECK(seen.latency.longest() >= 12ms);
    CHECK(seen.latency.quantile(0.5) <= 5ms);
    CHECK(seen.abandoned == 0);
    CHECK(seen.own <= 4ms);
    CHECK(seen.callable >= 12ms);

    failures = 2;
    context.restart();
    spawn(5);
    context.run();
    seen = look_at(counted, "call");
    CHECK(seen.attempts == 5);
    CHECK(seen.retries == 2);
    CHECK(seen.recovery.longest() == 10ms);
}

TEST_CASE("a coroutine that is destroyed halfway is counted as abandoned", "[metrics]") {
    using namespace observe_coroutines;
    recoup::metrics counted;
    auto const call = recoup::with_recovery(for_ever, counted.watch("call"));
    {
        asio::io_context context;
        asio::co_spawn(
            context, [&]() -> asio::awaitable<void> { static_cast<void>(co_await call()); },
            asio::detached);
        for (auto i = 0; i != 10; ++i) context.run_one();
    }
    auto const seen = look_at(counted, "call");
    CHECK(seen.operations == 1);
    CHECK(seen.attempts == 1);
    CHECK(seen.succeeded + seen.failed == 0);
    CHECK(seen.abandoned == 1);
}

TEST_CASE("coroutines that go from thread to thread lose no count", "[metrics][concurrent]") {
    using namespace observe_coroutines;
    recoup::metrics counted{{.time_one_in = 2, .shards = 2}};
    auto const call = recoup::with_recovery(some_work, counted.watch("call"));
    constexpr auto coroutines = 40;
    constexpr auto calls = 25;
    asio::thread_pool pool{4};
    for (auto i = 0; i != coroutines; ++i)
        asio::co_spawn(
            pool,
            [&]() -> asio::awaitable<void> {
                for (auto j = 0; j != calls; ++j) static_cast<void>(co_await call());
            },
            asio::detached);
    pool.join();
    auto const seen = look_at(counted, "call");
    CHECK(seen.operations == coroutines * calls);
    CHECK(seen.attempts == coroutines * calls);
    CHECK(seen.succeeded == coroutines * calls);
    CHECK(seen.abandoned == 0);
}
