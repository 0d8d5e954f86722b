// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include <recoup/chaos.hpp>

#include "async/async_support.hpp"
#include "support/catch.hpp"

#include <recoup/core/on.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

// Coroutines that chaos shakes.

namespace async_chaos {

using namespace std::chrono_literals;
using namespace async_test;
using recoup::chaos;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::manual_clock;

asio::awaitable<int> twice(int number) { co_return number * 2; }
asio::awaitable<void> nothing() { co_return; }

/// What became of one attempt, in a word.
std::string word_of(asio::awaitable<result<int>> attempt) {
    try {
        auto const got = run(std::move(attempt));
        return got ? std::to_string(got.value()) : std::string{to_string(got.error().category())};
    } catch (std::system_error const& thrown) {
        return "thrown " + std::to_string(thrown.code().value());
    }
}

}  // namespace async_chaos

using namespace async_chaos;

TEST_CASE("a coroutine meets the same faults as a plain call with the same seed",
          "[async][chaos]") {
    auto const options =
        recoup::chaos_options{.failure_rate = 0.2, .throw_rate = 0.1, .wrong_rate = 0.2, .seed = 7};
    chaos plain_monkey{options};
    chaos monkey{options};
    auto const plain =
        plain_monkey.wrap([](int number) { return number * 2; }).wrong([](int) { return -1; });
    auto const shaken = monkey.wrap(twice).wrong([](int) { return -1; });
    auto seen = std::vector<std::string>{};
    for (auto i = 0; i != 200; ++i) {
        auto const expected =
            word_of([&]() -> asio::awaitable<result<int>> { co_return plain(i); }());
        auto const got = word_of(shaken(i));
        REQUIRE(got == expected);
    }
    auto const counted = monkey.snapshot();
    CHECK(counted.attempts == 200);
    CHECK(counted.failed == plain_monkey.snapshot().failed);
    CHECK(counted.failed > 20);
    CHECK(counted.wrong > 20);
    CHECK(counted.thrown > 5);
}

TEST_CASE("a coroutine that is shaken to fail is not called", "[async][chaos]") {
    chaos monkey{{.failure_rate = 1}};
    auto calls = 0;
    auto const shaken = monkey.wrap([&](int) -> asio::awaitable<void> {
        ++calls;
        co_return;
    });
    CHECK(run(shaken(1)).has_error());
    CHECK(calls == 0);
    monkey.disable();
    CHECK(run(shaken(1)).has_value());
    CHECK(calls == 1);
    CHECK(monkey.snapshot().attempts == 1);
    CHECK(run(monkey.wrap(nothing)()).has_value());
}

TEST_CASE("a slow coroutine waits on a timer: others of its thread go on meanwhile",
          "[async][chaos]") {
    chaos monkey{{.latency_rate = 1, .latency = 1ms}};
    auto order = std::string{};
    asio::io_context context;
    auto const shaken = monkey.wrap(twice);
    spawn(context, shaken(1), [&](result<int> const& got) {
        if (got.value() == 2) order += "slow";
    });
    asio::post(context, [&] { order += "other "; });
    context.run();
    CHECK(order == "other slow");
    CHECK(monkey.snapshot().slow == 1);
}

TEST_CASE("a slow coroutine waits on the clock that was given", "[async][chaos]") {
    manual_clock clock;
    chaos monkey{{.latency_rate = 1, .latency = 1h}};
    CHECK(run(monkey.wrap(twice, recoup::on(clock))(4)).value() == 8);
    CHECK(clock.waits() == std::vector<recoup::duration>{1h});
}

TEST_CASE("a cancellation and a stop token end the wait of a slow coroutine, and the operation",
          "[async][chaos]") {
    for (auto const by_slot : {true, false}) {
        chaos monkey{{.latency_rate = 1, .latency = 24h}};
        asio::io_context context;
        std::stop_source stop;
        asio::cancellation_signal signal;
        auto calls = 0;
        auto const wrapped = with_recovery(
            monkey.wrap([&](recoup::attempt&, int) -> asio::awaitable<int> {
                ++calls;
                co_return 1;
            }),
            retry{.max_attempts = 3, .backoff = recoup::constant(0s)}, stop.get_token());
        auto got = std::optional<result<int>>{};
        spawn(
            context, wrapped(1), [&](result<int> value) { got = std::move(value); },
            asio::bind_cancellation_slot(signal.slot(), asio::detached));
        while (monkey.snapshot().slow == 0) context.run_one();
        asio::post(context, [&] {
            if (by_slot)
                signal.emit(asio::cancellation_type::terminal);
            else
                stop.request_stop();
        });
        context.run();
        CHECK(got->error().stopped() == stop_reason::cancelled);
        CHECK(calls == 0);
    }
}

TEST_CASE("what shakes a coroutine is cured by retries, and refers to nothing of the wrapper",
          "[async][chaos]") {
    chaos monkey{{.schedule = "fail,throw,wrong"}};
    manual_clock clock;
    auto pending = with_recovery(monkey.wrap(twice).wrong([](int right) { return right + 1; }),
                                 retry{.max_attempts = 5, .backoff = recoup::constant(1s)},
                                 recoup::on(clock))(4);
    CHECK(run(std::move(pending)).value() == 9);
    CHECK(clock.waits() == std::vector<recoup::duration>{1s, 1s});
    auto alone = chaos{{.wrong_rate = 1}}.wrap(twice).wrong([](int right) { return right + 1; })(4);
    CHECK(run(std::move(alone)).value() == 9);
}
