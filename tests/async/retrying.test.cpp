// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include "async/async_support.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/fallback.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/retry/not_idempotent.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/retry/retry_budget.hpp>
#include <recoup/retry/retry_if.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace async_test;
using recoup::attempt;
using recoup::category;
using recoup::failure;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::manual_clock;

auto const soon = retry{.max_attempts = 3, .backoff = recoup::constant(1ms)};
auto const at_once = retry{.max_attempts = 3, .backoff = recoup::constant(0ms)};

/// Fails so often with a reset connection, and then gives the text.
struct flaky {
    std::shared_ptr<int> failures;
    asio::awaitable<std::string> operator()(std::string text) const {
        co_await sleep(0ms);
        if (*failures > 0) {
            --*failures;
            throw boost::system::system_error{asio::error::connection_reset};
        }
        co_return "got " + text;
    }
};

flaky fails(int times) { return {std::make_shared<int>(times)}; }

/// Goes on for an hour, unless it is cancelled; counts both.
struct endless {
    int& begun;
    int& cancelled;
    asio::awaitable<int> operator()() const {
        ++begun;
        try {
            co_await sleep(1h);
        } catch (boost::system::system_error const&) {
            ++cancelled;
            throw;
        }
        co_return 1;
    }
};

}  // namespace

TEST_CASE("a coroutine is tried again, and its last failure is whole", "[async]") {
    static_assert(std::is_same_v<decltype(with_recovery(fails(1))("x")),
                                 asio::awaitable<result<std::string>>>);
    CHECK(run(with_recovery(fails(2), soon)("x")).value() == "got x");
    auto const ended = run(with_recovery(fails(9), soon)("x"));
    REQUIRE_FALSE(ended);
    CHECK(ended.error().category() == category::network_connection);
    CHECK(ended.error().code() == std::errc::connection_reset);
    CHECK(ended.error().attempts() == 3);
    CHECK(ended.error().stopped() == stop_reason::attempts_exhausted);
    CHECK_THROWS_AS(ended.value(), boost::system::system_error);
}

TEST_CASE("what a coroutine gives is flattened, as of a plain call", "[async]") {
    auto const nothing = with_recovery([]() -> asio::awaitable<void> { co_return; });
    static_assert(std::is_same_v<decltype(nothing()), asio::awaitable<result<void>>>);
    CHECK(run(nothing()));
    auto const gives_result = with_recovery(
        []() -> asio::awaitable<result<int>> { co_return failure{category::permission}; });
    static_assert(std::is_same_v<decltype(gives_result()), asio::awaitable<result<int>>>);
    CHECK(run(gives_result()).error().stopped() == stop_reason::not_retryable);
    auto const moves = with_recovery(
        [](std::unique_ptr<int> what) -> asio::awaitable<std::unique_ptr<int>> { co_return what; });
    CHECK(*run(moves(std::make_unique<int>(3))).value() == 3);
}

TEST_CASE("the coroutine owns what it needs: the wrapper and the arguments may be gone",
          "[async]") {
    asio::io_context context;
    auto found = std::string{};
    auto body = [&] {
        auto const text = std::string(100, 'x');
        return with_recovery(fails(1), soon)(text);
    }();
    spawn(context, std::move(body), [&](result<std::string> got) { found = got.value(); });
    context.run();
    CHECK(found == "got " + std::string(100, 'x'));
}

TEST_CASE("each attempt gets the attempt and the arguments as they were", "[async]") {
    std::vector<std::string> seen;
    auto const call = with_recovery(
        [&](attempt& current, std::string& text) -> asio::awaitable<int> {
            seen.push_back(std::to_string(current.number()) + text);
            if (current.previous_failure())
                seen.push_back(std::string{to_string(current.previous_failure()->category())});
            co_await sleep(0ms);
            if (current.number() < 2) throw boost::system::system_error{asio::error::timed_out};
            co_return 1;
        },
        soon);
    CHECK(run(call(std::string{"a"})));
    CHECK(seen == std::vector<std::string>{"1a", "2a", "network_timeout"});
}

TEST_CASE("waits are timers: other coroutines of the thread go on meanwhile", "[async]") {
    asio::io_context context;
    auto ticks = 0;
    auto done = false;
    auto const slow = with_recovery(fails(1), retry{.backoff = recoup::constant(50ms)});
    spawn(context, slow("x"), [&](auto&&...) { done = true; });
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            while (!done) {
                co_await sleep(1ms);
                ++ticks;
            }
        },
        asio::detached);
    context.run();
    CHECK(ticks > 5);
}

TEST_CASE("on a manual clock nothing waits, and events are as of a plain call", "[async]") {
    manual_clock clock;
    recoup::testing::event_recorder events;
    auto const call =
        with_recovery(fails(1), retry{.backoff = recoup::constant(1h)}, events, recoup::on(clock));
    CHECK(run(call("x")));
    CHECK(clock.waits() == std::vector<recoup::duration>{1h});
    CHECK(events.trace() == std::vector<std::string>{"operation_started", "attempt_started 1",
                                                     "attempt_failed 1 network_connection",
                                                     "retry_scheduled 1 network_connection 3600s",
                                                     "attempt_started 2", "operation_succeeded 2"});
}

TEST_CASE("the deadline ends it where the next attempt would begin behind it", "[async]") {
    manual_clock clock;
    auto const call =
        with_recovery(fails(9), retry{.max_attempts = 9, .backoff = recoup::constant(10s)},
                      recoup::deadline{25s}, recoup::on(clock));
    auto const ended = run(call("x"));
    CHECK(ended.error().stopped() == stop_reason::deadline);
    CHECK(ended.error().attempts() == 3);
}

TEST_CASE("the guards of a later attempt go by the time of that attempt", "[async]") {
    manual_clock clock;
    recoup::rate_limiter window{recoup::sliding_window(1, 10s)};
    auto const call = with_recovery(fails(1), retry{.backoff = recoup::constant(11s)},
                                    recoup::deadline{1h}, window, recoup::on(clock));
    CHECK(run(call("x")).has_value());
    CHECK(clock.waits() == std::vector<recoup::duration>{11s});  // and none for a rejection
}

TEST_CASE("guards, budgets, fallbacks and value checks hold for coroutines, too", "[async]") {
    recoup::circuit_breaker breaker{{.consecutive_failures = 1}};
    auto const call = with_recovery(fails(9), at_once, breaker);
    CHECK_FALSE(run(call("x")));
    CHECK(breaker.state() == recoup::breaker_state::open);
    CHECK(run(call("x")).error().stopped() == stop_reason::breaker_open);

    recoup::retry_budget budget{{.ratio = 0, .per_second = 0, .reserve = 1, .at_most = 1}};
    auto const poor = run(with_recovery(fails(9), at_once, budget)("x"));
    CHECK(poor.error().stopped() == stop_reason::budget_empty);
    CHECK(poor.error().attempts() == 2);

    CHECK(run(with_recovery(fails(9), at_once, recoup::fallback("none"))("x")).value() == "none");
    CHECK(run(with_recovery(fails(9), at_once, recoup::not_idempotent{})("x")).error().attempts() ==
          1);
    auto const picky =
        with_recovery(fails(0), at_once, recoup::retry_if([](std::string const&) { return true; }));
    CHECK(run(picky("x")).error().code() == recoup::errc::value_rejected);
}

TEST_CASE("fallbacks of coroutines may be coroutines, and are asked one after the other",
          "[async]") {
    recoup::testing::event_recorder seen;
    auto asked = std::vector<std::string>{};
    auto const cached = [&](failure const& what,
                            std::string const& text) -> asio::awaitable<std::string> {
        co_await sleep(0ms);
        asked.push_back("cached " + text);
        CHECK(what.attempts() == 3);
        throw boost::system::system_error{asio::error::connection_refused};
    };
    auto const other = [&](std::string const& text) -> asio::awaitable<result<std::string>> {
        co_await sleep(0ms);
        asked.push_back("other " + text);
        co_return "instead of " + text;
    };
    auto const call =
        with_recovery(fails(99), at_once, recoup::fallback(cached), recoup::fallback(other),
                      recoup::fallback("none"), std::ref(seen));
    CHECK(run(call(std::string{"x"})).value() == "instead of x");
    CHECK(asked == std::vector<std::string>{"cached x", "other x"});
    CHECK(seen.count(recoup::event_kind::fell_back) == 2);
    CHECK(run(with_recovery(fails(0), recoup::fallback(other))(std::string{"y"})).value() ==
          "got y");
    // Where none has anything it is the failure that they were asked about.
    auto const none =
        run(with_recovery(fails(99), at_once, recoup::fallback(cached))(std::string{"z"}));
    CHECK(none.error().attempts() == 3);
    CHECK(none.error().code() == std::error_code{make_error_code(asio::error::connection_reset)});
    auto const unit = with_recovery(
        []() -> asio::awaitable<void> {
            throw boost::system::system_error{asio::error::connection_reset};
            co_return;
        },
        at_once, recoup::fallback([]() -> asio::awaitable<void> { co_return; }));
    CHECK(run(unit()));
}

TEST_CASE("a fallback stands in where nothing of a coroutine was called, too", "[async]") {
    auto const none = recoup::fallback("none");
    CHECK(run(with_recovery(fails(0), recoup::deadline{0s}, none)("x")).value() == "none");
    recoup::circuit_breaker breaker{{.consecutive_failures = 1}};
    auto const call = with_recovery(fails(9), at_once, breaker, none);
    CHECK(run(call("x")).value() == "none");
    REQUIRE(breaker.state() == recoup::breaker_state::open);
    CHECK(run(call("x")).value() == "none");
    auto const outside =
        with_recovery(fails(9), recoup::in_order(none, std::ref(breaker), at_once));
    CHECK(run(outside("x")).value() == "none");
}

TEST_CASE("a coroutine owns its callable and its policies, once they have gone as well",
          "[async]") {
    auto held = std::make_shared<std::string>("held");
    auto first = std::make_unique<asio::awaitable<result<std::string>>>();
    {
        auto const call = with_recovery(
            [held](std::string const& text) -> asio::awaitable<std::string> {
                co_await sleep(0ms);
                co_return *held + text;
            },
            retry{.backoff = recoup::constant(0ms),
                  .per_category = {{category::permission, recoup::never}}});
        *first = call(std::string(100, 'x'));
    }
    CHECK(held.use_count() == 2);
    CHECK(run(std::move(*first)).value() == "held" + std::string(100, 'x'));
    CHECK(held.use_count() == 1);
}

namespace {

asio::awaitable<std::string> by_reference(std::string const& text) {
    co_await sleep(0ms);
    co_return "got " + text;
}

struct speaker {
    std::string name;
    asio::awaitable<std::string> say(std::string const& text) const {
        co_await sleep(0ms);
        co_return name + text;
    }
};

}  // namespace

TEST_CASE("a parameter by reference refers to what the frame holds, and to no temporary",
          "[async]") {
    auto const* const text = "longer than what a string holds without memory";
    CHECK(run(with_recovery(by_reference)(text)).value() == std::string{"got "} + text);
    CHECK(run(with_recovery(by_reference).with(at_once)(text)).value() ==
          std::string{"got "} + text);
    // Each attempt, one that takes the attempt, and fallbacks see it.
    auto seen = std::vector<std::string>{};
    auto const call = with_recovery(
        [&](attempt&, std::string const& given, std::string&& moved) -> asio::awaitable<int> {
            co_await sleep(0ms);
            seen.push_back(given + moved);
            throw boost::system::system_error{asio::error::connection_reset};
        },
        at_once);
    CHECK_FALSE(run(call(text, "moved, and longer than what fits")));
    CHECK(seen == std::vector<std::string>{std::string{text} + "moved, and longer than what fits"});
    // What refers already is not copied, nor what fits.
    auto outside = std::string{text};
    std::string const* found = nullptr;
    auto const look = [&](std::string const& given) -> asio::awaitable<void> {
        co_await sleep(0ms);
        found = &given;
    };
    CHECK(run(with_recovery(look)(std::ref(outside))));
    CHECK(found == &outside);
    CHECK(run(with_recovery(&speaker::say)(speaker{"I say "}, text)).value() ==
          std::string{"I say "} + text);
}

TEST_CASE("fallback_to calls a coroutine with one candidate after the other", "[async]") {
    recoup::testing::event_recorder seen;
    auto asked = std::vector<std::string>{};
    auto const fetch = [&](std::string const& where, int what) -> asio::awaitable<int> {
        co_await sleep(0ms);
        asked.push_back(where);
        if (where != "third") throw boost::system::system_error{asio::error::connection_reset};
        co_return what;
    };
    auto const twice = retry{.max_attempts = 2, .backoff = recoup::constant(0ms)};
    auto const call = with_recovery(
        fetch, twice, recoup::fallback_to({"second", "third", "fourth"}), std::ref(seen));
    CHECK(run(call(std::string{"first"}, 5)).value() == 5);
    CHECK(asked == std::vector<std::string>{"first", "first", "second", "second", "third"});
    CHECK(seen.count(recoup::event_kind::fell_back) == 2);
    asked.clear();
    auto const none = run(with_recovery(fetch, twice, recoup::fallback_to({"second"}),
                                        recoup::fallback(7))(std::string{"first"}, 5));
    CHECK(none.value() == 7);
    CHECK(asked.size() == 4);
}

TEST_CASE("a call that is cancelled goes to no further candidate, and ends the one that runs",
          "[async]") {
    asio::io_context context;
    asio::cancellation_signal signal;
    auto asked = std::vector<std::string>{};
    auto went_on = false;
    auto last = std::string{};
    auto const fetch = [&](std::string const& where) -> asio::awaitable<int> {
        asked.push_back(where);
        if (where == last) {
            asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
            // Which cannot be cancelled: what comes behind it is.
            co_await asio::post(context, asio::use_awaitable);
            co_await sleep(0ms);
            went_on = true;
        }
        throw boost::system::system_error{asio::error::connection_reset};
        co_return 1;
    };
    auto const call =
        with_recovery(fetch, retry{.max_attempts = 1}, recoup::fallback_to({"second", "third"}));
    auto expected = std::vector<std::string>{"first"};
    SECTION("before the first of them") { last = "first"; }
    SECTION("within one") {
        last = "second";
        expected.emplace_back("second");
    }
    auto found = std::optional<recoup::result<int>>{};
    spawn(
        context, call(std::string{"first"}),
        [&](recoup::result<int> got) { found.emplace(std::move(got)); },
        asio::bind_cancellation_slot(signal.slot(), asio::detached));
    context.run();
    CHECK(asked == expected);
    CHECK_FALSE(went_on);
    REQUIRE(found);
    CHECK(found->error().stopped() == recoup::stop_reason::cancelled);
}

TEST_CASE("a call that was cancelled wants no fallback, before it or within it", "[async]") {
    asio::io_context context;
    asio::cancellation_signal signal;
    auto begun = 0;
    auto cancelled = 0;
    auto asked = 0;
    auto found = std::optional<result<int>>{};
    auto const last = recoup::fallback([&] { return ++asked; });
    SECTION("in an attempt") {
        spawn(
            context, with_recovery(endless{begun, cancelled}, soon, last)(),
            [&](result<int> got) { found.emplace(std::move(got)); },
            asio::bind_cancellation_slot(signal.slot(), asio::detached));
    }
    SECTION("in a fallback") {
        auto const fails_at_once = []() -> asio::awaitable<int> {
            throw boost::system::system_error{asio::error::connection_reset};
            co_return 1;
        };
        spawn(
            context,
            with_recovery(fails_at_once, at_once, recoup::fallback(endless{begun, cancelled}),
                          last)(),
            [&](result<int> got) { found.emplace(std::move(got)); },
            asio::bind_cancellation_slot(signal.slot(), asio::detached));
    }
    asio::post(context, [&] {
        asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
    });
    context.run();
    REQUIRE(found);
    CHECK_FALSE(*found);
    CHECK(begun == 1);
    CHECK(cancelled == 1);
    CHECK(asked == 0);
}

TEST_CASE("nested retries of coroutines do not multiply", "[async][field]") {
    auto calls = 0;
    auto const inner = with_recovery(
        [&]() -> asio::awaitable<int> {
            ++calls;
            co_await sleep(0ms);
            throw boost::system::system_error{asio::error::connection_refused};
        },
        at_once);
    auto const outer = with_recovery(
        [&]() -> asio::awaitable<result<int>> { co_return co_await inner(); }, at_once);
    CHECK(run(outer()).error().stopped() == stop_reason::retried_within);
    CHECK(calls == 3);
}

TEST_CASE("an attempt timeout really cancels the attempt, and it is tried again", "[async]") {
    auto begun = 0;
    auto cancelled = 0;
    auto const call = with_recovery(endless{begun, cancelled}, soon, recoup::attempt_timeout{5ms});
    auto const ended = run(call());
    REQUIRE_FALSE(ended);
    CHECK(ended.error().code() == recoup::errc::attempt_timed_out);
    CHECK(ended.error().category() == category::network_timeout);
    CHECK(ended.error().attempts() == 3);
    CHECK(begun == 3);
    CHECK(cancelled == 3);
    CHECK(run(with_recovery(fails(1), soon, recoup::attempt_timeout{1h})("x")).value() == "got x");
}

TEST_CASE("a cancellation reaches the attempt, and ends the operation as cancelled", "[async]") {
    asio::io_context context;
    asio::cancellation_signal signal;
    auto begun = 0;
    auto cancelled = 0;
    auto found = std::optional<result<int>>{};
    SECTION("in an attempt") {
        spawn(
            context, with_recovery(endless{begun, cancelled}, soon)(),
            [&](result<int> got) { found.emplace(std::move(got)); },
            asio::bind_cancellation_slot(signal.slot(), asio::detached));
    }
    SECTION("in an attempt with a timeout") {
        spawn(
            context, with_recovery(endless{begun, cancelled}, soon, recoup::attempt_timeout{1h})(),
            [&](result<int> got) { found.emplace(std::move(got)); },
            asio::bind_cancellation_slot(signal.slot(), asio::detached));
    }
    asio::steady_timer timer{context, 5ms};
    timer.async_wait([&](auto) { signal.emit(asio::cancellation_type::terminal); });
    context.run();
    REQUIRE(found);
    REQUIRE_FALSE(*found);
    CHECK(found->error().stopped() == stop_reason::cancelled);
    CHECK(begun == 1);
    CHECK(cancelled == 1);
}

TEST_CASE("field pain 8: a cancellation and a stop request end a wait at once", "[async][field]") {
    auto const patient = retry{.backoff = recoup::constant(1h)};
    asio::io_context context;
    auto found = std::optional<result<std::string>>{};
    auto const keep = [&](result<std::string> got) { found.emplace(std::move(got)); };
    SECTION("by the cancellation slot") {
        asio::cancellation_signal signal;
        spawn(context, with_recovery(fails(1), patient)("x"), keep,
              asio::bind_cancellation_slot(signal.slot(), asio::detached));
        asio::steady_timer timer{context, 5ms};
        timer.async_wait([&](auto) { signal.emit(asio::cancellation_type::terminal); });
        context.run();
    }
    SECTION("by a stop token, from another thread") {
        std::stop_source stop;
        std::atomic<bool> waits = false;
        auto const told = recoup::on_retry([&](recoup::event const&) { waits = true; });
        spawn(context, with_recovery(fails(1), patient, told, stop.get_token())("x"), keep);
        std::jthread const stopper{[&] {
            while (!waits) std::this_thread::yield();
            stop.request_stop();
        }};
        context.run();
    }
    SECTION("by a stop token that was triggered before") {
        std::stop_source stop;
        stop.request_stop();
        spawn(context, with_recovery(fails(1), patient, stop.get_token())("x"), keep);
        context.run();
    }
    SECTION("on a clock of its own") {
        manual_clock clock{{.auto_advance = false}};
        asio::cancellation_signal signal;
        spawn(context, with_recovery(fails(1), patient, recoup::on(clock))("x"), keep,
              asio::bind_cancellation_slot(signal.slot(), asio::detached));
        std::jthread const stopper{[&] {
            clock.await_waiting(1);
            asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
        }};
        context.run();
    }
    REQUIRE(found);
    CHECK(found->error().stopped() == stop_reason::cancelled);
}

TEST_CASE("a success needs no memory beyond its frame and that of the coroutine", "[async]") {
    auto const bare = [](int x) -> asio::awaitable<int> { co_return x; };
    auto const wrapped = with_recovery(bare, retry{});
    auto const allocated = [](auto const& call) {
        return run([](auto what) -> asio::awaitable<std::uint64_t> {
            static_cast<void>(co_await what(1));  // Asio keeps frames for the next one
            auto const before = support::allocations();
            for (auto i = 0; i < 100; ++i) static_cast<void>(co_await what(i));
            co_return support::allocations() - before;
        }(call));
    };
    CHECK(allocated(bare) == 0);
    CHECK(allocated(wrapped) <= 100);  // one frame, where Asio has no other to use again
}
