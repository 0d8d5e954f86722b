// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/abandon_after.hpp>

#include <recoup/explain.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/retry/not_idempotent.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "with_recovery/with_recovery_support.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

// A timeout that returns while the work goes on: it is owned, counted, told of and waited for.

namespace {

using namespace std::chrono_literals;
using namespace with_recovery_test;
using recoup::abandon_after;
using recoup::abandon_pool;
using recoup::event_kind;
using recoup::result;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::event_recorder;
using recoup::testing::manual_clock;
using trace = std::vector<std::string>;

/// Moves the clock by `span` each time that an attempt waits, `times` times.
std::jthread advance_for(manual_clock& clock, recoup::duration span, int times = 1) {
    return std::jthread{[&clock, span, times] {
        for (auto i = 0; i != times; ++i) {
            clock.await_alarms(1);
            clock.advance(span);
        }
    }};
}

/// What a pool tells, and a wait for it.
class pool_log {
  public:
    auto observer() {
        return [this](recoup::event const& what) {
            seen(what);
            // Not between the look and the sleep of who waits, whom nothing would wake then.
            std::scoped_lock const lock{mutex_};
            changed_.notify_all();
        };
    }
    void await(event_kind kind, std::size_t count) {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return seen.count(kind) >= count; });
    }
    event_recorder seen{};

  private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
};

auto const once = recoup::retry{.max_attempts = 1};

}  // namespace

TEST_CASE("An attempt in time gives its value, its failure or its exception", "[concurrent]") {
    abandon_pool pool{{.threads = 1}};
    auto const limit = abandon_after{1h, pool};
    auto const twice = with_recovery([](int const& n) { return 2 * n; }, limit);
    // The thread that has just given a value is free for the next attempt.
    for (auto i = 0; i != 1'000; ++i) CHECK(twice(i).value() == 2 * i);
    CHECK(pool.snapshot().threads == 1);
    CHECK(pool.snapshot().abandoned_ever == 0);
    auto const fails = with_recovery([]() -> result<int> { return reset; }, limit, at_once);
    CHECK(fails().error().code() == reset);
    CHECK(fails().error().attempts() == 3);
    auto const throws = with_recovery([](std::string text) -> int { throw std::logic_error{text}; },
                                      limit, at_once);
    CHECK_THROWS_WITH(throws("bad").value(), "bad");
    CHECK(throws("bad").error().category() == recoup::category::defect);
    auto const nothing = with_recovery([](std::unique_ptr<int> given) { *given = 1; }, limit);
    CHECK(nothing(std::make_unique<int>(5)));
}

TEST_CASE("As many callers as there are threads never find them taken", "[concurrent]") {
    abandon_pool pool{{.threads = 3}};
    std::atomic<int> done = 0;
    auto const next = with_recovery([](int n) { return n + 1; }, once, abandon_after{1h, pool});
    {
        std::vector<std::jthread> threads;
        for (auto i = 0; i != 3; ++i)
            threads.emplace_back([&] {
                for (auto n = 0; n != 5'000; ++n) done += next(n) ? 1 : 0;
            });
    }
    CHECK(done == 15'000);
}

TEST_CASE("field pain 9: work that was let go is counted, and its end is told of",
          "[concurrent][field]") {
    manual_clock clock;
    pool_log log;
    event_recorder seen;
    recoup_test::gate gate;
    abandon_pool pool{{.threads = 2, .name = "parsers"}, log.observer()};
    auto const wrapped = with_recovery(
        [&](int n) -> result<int> {
            if (n != 0) gate.pass();
            return n == 2 ? result<int>{reset} : n;
        },
        once, abandon_after{5s, pool}, recoup::on(clock), std::ref(seen));
    {
        auto const time = advance_for(clock, 5s);
        auto const failed = wrapped(1);
        CHECK(failed.error().code() == recoup::errc::attempt_timed_out);
        CHECK(failed.error().category() == recoup::category::network_timeout);
    }
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1",
                                "attempt_abandoned 1 network_timeout",
                                "attempt_failed 1 network_timeout",
                                "operation_failed 1 network_timeout attempts_exhausted"});
    CHECK(seen.events()[2].delay == 5s);
    CHECK(pool.abandoned() == 1);
    CHECK(log.seen.trace().empty());
    CHECK(wrapped(0).value() == 0);  // on the other thread
    {
        auto const time = advance_for(clock, 5s);
        CHECK_FALSE(wrapped(2));
    }
    CHECK(pool.abandoned() == 2);
    gate.open();
    log.await(event_kind::abandoned_ended, 2);
    auto failures = 0;
    for (auto const& one : log.seen.events()) {
        CHECK(one.kind == event_kind::abandoned_ended);
        CHECK(one.attempt == 1);
        CHECK(one.operation == "parsers");
        if (one.failure) {
            CHECK(one.failure->code() == reset);
            ++failures;
        }
    }
    CHECK(failures == 1);
    CHECK(pool.shutdown(1h) == 0);
    CHECK(pool.abandoned() == 0);
    CHECK(pool.snapshot().abandoned_ever == 2);
    CHECK(log.seen.events().size() == 2);
}

TEST_CASE("An attempt that was let go is tried again beside its own work", "[concurrent]") {
    manual_clock clock;
    recoup_test::gate gate;
    std::atomic<int> calls = 0;
    abandon_pool pool;
    auto const wrapped = with_recovery(
        [&] {
            if (++calls == 1) gate.pass();
            return 7;
        },
        at_once, abandon_after{5s, pool}, recoup::on(clock));
    std::jthread time{[&] {
        gate.await_arrived(1);
        clock.await_alarms(1);
        clock.advance(5s);
    }};
    CHECK(wrapped().value() == 7);
    CHECK(calls == 2);
    CHECK(pool.abandoned() == 1);
    gate.open();
    // What must not happen twice is not.
    recoup_test::gate second;
    calls = 0;
    auto const pay =
        with_recovery([&] { ++calls, second.pass(); }, at_once, abandon_after{5s, pool},
                      recoup::on(clock), recoup::not_idempotent{});
    time = advance_for(clock, 5s);
    CHECK(pay().error().stopped() == stop_reason::not_idempotent);
    second.open();
    CHECK(pool.shutdown(1h) == 0);
    CHECK(calls == 1);
}

TEST_CASE("Work owns its callable and its arguments, whoever has gone", "[concurrent]") {
    manual_clock clock;
    recoup_test::gate gate;
    pool_log log;
    auto held = std::make_shared<std::string>("of the callable");
    std::weak_ptr<std::string> const watched = held;
    auto read = std::string{};
    abandon_pool pool{{}, log.observer()};
    {
        auto const wrapped = with_recovery(
            [&gate, &read, held = std::move(held)](std::string const& argument) {
                gate.pass();
                read = argument + ' ' + *held;
            },
            once, abandon_after{5s, pool}, recoup::on(clock));
        auto const time = advance_for(clock, 5s);
        auto argument = std::string(100, 'a');
        CHECK_FALSE(wrapped.with(recoup::deadline{1h})(argument));
        argument = "changed";
    }
    CHECK_FALSE(watched.expired());
    gate.open();
    log.await(event_kind::abandoned_ended, 1);
    CHECK(watched.expired());  // before its end is told of
    CHECK(read == std::string(100, 'a') + " of the callable");
}

TEST_CASE("Where all threads are stuck an attempt is rejected at once, in words", "[concurrent]") {
    manual_clock clock;
    recoup_test::gate gate;
    abandon_pool pool{{.threads = 2}};
    auto const stuck =
        with_recovery([&] { gate.pass(); }, once, abandon_after{5s, pool}, recoup::on(clock));
    for (auto i = 0; i != 2; ++i) {
        auto const time = advance_for(clock, 5s);
        CHECK_FALSE(stuck());
    }
    auto calls = 0;
    auto const next = with_recovery([&] { ++calls; }, at_once, abandon_after{5s, pool},
                                    recoup::on(clock), recoup::not_idempotent{});
    auto const refused = next();
    CHECK(refused.error().code() == recoup::errc::abandon_pool_full);
    CHECK(refused.error().category() == recoup::category::cpu_exhausted);
    CHECK(refused.error().attempts() == 3);  // it may get better, and nothing has happened
    CHECK(calls == 0);
    CHECK(clock.elapsed() == 10s);  // for the pool nobody waits
    gate.open();
    CHECK(pool.shutdown(1h) == 0);
    CHECK(next().error().code() == recoup::errc::shut_down);
    CHECK(next().error().attempts() == 1);
}

TEST_CASE("A pool goes on with other options while its threads are stuck", "[concurrent]") {
    manual_clock clock;
    recoup_test::gate gate;
    pool_log log;
    abandon_pool pool{{.threads = 1, .name = "small"}, log.observer()};
    auto const stuck =
        with_recovery([&] { gate.pass(); }, once, abandon_after{5s, pool}, recoup::on(clock));
    auto const next = with_recovery([] { return 5; }, once, abandon_after{1h, pool});
    auto const is_full = [&] {
        auto const ended = next();
        return !ended && ended.error().code() == recoup::errc::abandon_pool_full;
    };
    auto const hang = [&] {
        auto const time = advance_for(clock, 5s);
        CHECK_FALSE(stuck());
    };
    hang();
    CHECK(is_full());
    pool.change({.threads = 3, .join_within = 1min, .name = "large"});
    CHECK(pool.options() ==
          recoup::abandon_pool_options{.threads = 3, .join_within = 1min, .name = "large"});
    CHECK(abandon_after{1h, pool}.threads() == 3);
    CHECK(next().value() == 5);
    hang();
    CHECK(next().value() == 5);
    // A thread that rests is not begun again, and one more than may be is left to rest.
    CHECK(pool.snapshot().threads == 3);
    pool.change({.threads = 2, .name = "large"});
    CHECK(is_full());
    CHECK_THROWS_WITH(pool.change({.threads = 0}),
                      "recoup: abandon_pool: threads is 0, expected 1 to 10000");
    CHECK(pool.options().threads == 2);
    gate.open();
    log.await(event_kind::abandoned_ended, 2);
    CHECK(log.seen.events()[0].operation == "large");
    CHECK(log.seen.events()[1].operation == "large");
    CHECK(pool.shutdown(1h) == 0);
}

TEST_CASE("A pool changes while calls run: each runs, or is told that all threads are taken",
          "[concurrent]") {
    abandon_pool pool{{.threads = 1}};
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    std::atomic<int> wrong = 0;
    std::atomic<int> done = 0;
    std::atomic<int> callers = 4;
    auto const call = with_recovery(
        [&] {
            auto const now = ++inside;
            for (auto seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {}
            --inside;
        },
        once, abandon_after{1h, pool});
    {
        std::vector<std::jthread> threads;
        for (auto i = 0; i != 4; ++i)
            threads.emplace_back([&] {
                for (auto n = 0; n != 1'000; ++n) {
                    auto const ended = call();
                    if (ended)
                        ++done;
                    else if (ended.error().code() != recoup::errc::abandon_pool_full)
                        ++wrong;
                }
                --callers;
            });
        for (auto n = 0U; callers != 0; ++n) {
            pool.change({.threads = 1 + n % 3, .name = std::string(40, 'n')});
            if (pool.options().name.size() != 40) ++wrong;
        }
    }
    CHECK(wrong == 0);
    CHECK(done > 0);
    CHECK(most <= 3);
    pool.change({.threads = 1});
    CHECK(call());
}

TEST_CASE("An attempt is waited for as long as is current when it begins", "[concurrent]") {
    manual_clock clock;
    recoup_test::gate gate;
    abandon_pool pool;
    auto limit = recoup::reloadable{recoup::abandon_limit{5s}};
    auto const stuck =
        with_recovery([&] { gate.pass(); }, once, abandon_after{limit, pool}, recoup::on(clock));
    for (auto const span : {5s, 2s}) {
        limit.replace({span});
        event_recorder seen;
        auto const time = advance_for(clock, span);
        CHECK_FALSE(stuck.with(std::ref(seen))());
        CHECK(seen.events()[2].delay == span);
    }
    CHECK(recoup::explain(stuck).stages[1] == "abandon_after: 2 s, on up to 8 threads");
    gate.open();
}

TEST_CASE("A stop request lets go at once, and a deadline when it is over", "[concurrent]") {
    manual_clock clock;
    recoup_test::gate gate;
    std::stop_source source;
    abandon_pool pool;
    auto const stuck = with_recovery([&] { gate.pass(); }, at_once, abandon_after{1h, pool},
                                     recoup::on(clock), source.get_token());
    {
        auto const time = advance_for(clock, 10s);
        auto const late = stuck.with(recoup::deadline{10s})();
        CHECK(late.error().stopped() == stop_reason::deadline);
        CHECK(late.error().attempts() == 1);
        CHECK(clock.elapsed() == 10s);
    }
    {
        std::jthread const stopper{[&] {
            gate.await_arrived(2);
            source.request_stop();
        }};
        CHECK(stuck().error().stopped() == stop_reason::cancelled);
    }
    CHECK(pool.abandoned() == 2);
    CHECK(clock.alarms() == 0);
    gate.open();
}

TEST_CASE("On the machine's clock it is the same", "[concurrent]") {
    recoup_test::gate gate;
    std::stop_source source;
    abandon_pool pool;
    auto const stuck = [&](auto const&... policies) {
        return with_recovery([&] { gate.pass(); }, once, policies...)();
    };
    CHECK(stuck(abandon_after{1ms, pool}).error().code() == recoup::errc::attempt_timed_out);
    CHECK(stuck(abandon_after{1h, pool}, recoup::deadline{1ms}).error().code() ==
          recoup::errc::attempt_timed_out);
    std::jthread const stopper{[&] {
        gate.await_arrived(3);
        source.request_stop();
    }};
    CHECK(stuck(abandon_after{recoup::unlimited, pool}, recoup::stop_on(source.get_token()))
              .error()
              .stopped() == stop_reason::cancelled);
    CHECK(pool.abandoned() == 3);
    gate.open();
}

TEST_CASE("The end of a pool waits for so long, tells of what it loses, and then nothing",
          "[concurrent]") {
    manual_clock clock;
    pool_log log;
    recoup_test::gate gate;
    auto ended = std::make_shared<std::atomic<int>>(0);
    {
        abandon_pool pool{{.join_within = 0s}, log.observer()};
        auto const stuck = with_recovery(
            [&gate, ended] {
                gate.pass();
                ++*ended;
            },
            recoup::retry{.max_attempts = 2, .backoff = recoup::constant(0ms)},
            abandon_after{5s, pool}, recoup::on(clock));
        auto const time = advance_for(clock, 5s, 2);
        CHECK_FALSE(stuck());
        CHECK(pool.shutdown(1ms) == 2);
        CHECK(log.seen.trace() == trace{"abandoned_lost 1", "abandoned_lost 2"});
        CHECK(pool.shutdown(0ms) == 2);
    }
    CHECK(log.seen.events().size() == 2);
    gate.open();
    while (*ended != 2) std::this_thread::yield();
    CHECK(log.seen.events().size() == 2);
}

TEST_CASE("The end of a pool without a word waits for its work", "[concurrent]") {
    manual_clock clock;
    recoup_test::gate gate;
    std::atomic<bool> ended = false;
    auto pool = std::make_optional<abandon_pool>(recoup::abandon_pool_options{.join_within = 1h});
    auto const stuck = with_recovery([&] { gate.pass(), ended = true; }, once,
                                     abandon_after{5s, *pool}, recoup::on(clock));
    {
        auto const time = advance_for(clock, 5s);
        CHECK_FALSE(stuck());
    }
    std::jthread const opener{[&] { gate.open(); }};
    pool.reset();
    CHECK(ended);
    CHECK(stuck().error().code() == recoup::errc::shut_down);  // and wrappers may outlive it
}

TEST_CASE("What was tried again on a thread of the pool is not tried again outside") {
    abandon_pool pool;
    std::atomic<int> calls = 0;
    auto const inner = with_recovery(
        [&]() -> result<int> {
            ++calls;
            return reset;
        },
        at_once);
    auto const outer = with_recovery(
        [&]() -> int {
            if (!inner()) throw std::system_error{reset};
            return 1;
        },
        at_once, abandon_after{1h, pool});
    CHECK(outer().error().stopped() == stop_reason::retried_within);
    CHECK(calls == 3);
}

TEST_CASE("abandon_after is explained, and wrong options are refused by name") {
    abandon_pool pool{{.threads = 4}};
    auto const stages = recoup::explain(with_recovery(five, abandon_after{10s, pool})).stages;
    CHECK(stages[1] == "abandon_after: 10 s, on up to 4 threads");
    CHECK_THROWS_WITH((abandon_pool{{.threads = 0}}),
                      "recoup: abandon_pool: threads is 0, expected 1 to 10000");
    CHECK_THROWS_WITH((abandon_pool{{.join_within = -1ns}}),
                      "recoup: abandon_pool: join_within is -1 ns, expected 0 or more");
}

TEST_CASE("Of many calls on few threads each is told how it ended, and no end is lost",
          "[concurrent]") {
    pool_log log;
    event_recorder seen;
    abandon_pool pool{{.threads = 6}, log.observer()};
    std::atomic<int> begun = 0;
    std::atomic<int> in_time = 0;
    std::atomic<int> timed_out = 0;
    std::atomic<int> full = 0;
    auto const wrapped = with_recovery(
        [&](std::vector<int> const& work) {
            ++begun;
            auto const until = std::chrono::steady_clock::now() + work.size() * 1us;
            while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
            return work.front();
        },
        once, abandon_after{200us, pool}, std::ref(seen));
    {
        std::vector<std::jthread> threads;
        for (auto i = 0; i != 8; ++i)
            threads.emplace_back([&, i] {
                for (auto call = 0; call != 200; ++call) {
                    auto const got = wrapped(
                        std::vector<int>(static_cast<std::size_t>(100 + (call * 37 + i) % 200), i));
                    if (got)
                        in_time += got.value() == i ? 1 : 1'000'000;
                    else if (got.error().code() == recoup::errc::attempt_timed_out)
                        ++timed_out;
                    else
                        full +=
                            got.error().code() == recoup::errc::abandon_pool_full ? 1 : 1'000'000;
                }
            });
    }
    CHECK(in_time + timed_out + full == 1'600);
    CHECK(pool.shutdown(1h) == 0);
    CHECK(begun == in_time + timed_out);
    CHECK(seen.count(event_kind::attempt_abandoned) == static_cast<std::size_t>(timed_out));
    CHECK(log.seen.count(event_kind::abandoned_ended) == static_cast<std::size_t>(timed_out));
    CHECK(pool.snapshot().abandoned_ever == static_cast<std::uint64_t>(timed_out));
    CHECK(pool.snapshot().running == 0);
}
