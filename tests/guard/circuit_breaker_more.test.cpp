// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/circuit_breaker.hpp>

#include <recoup/guard/per_key.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/breaker_keeper.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <rapidcheck.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;
using recoup::breaker_keeper;
using recoup::breaker_memory;
using recoup::breaker_state;
using recoup::category;
using recoup::circuit_breaker;
using recoup::circuit_breaker_options;
using recoup::duration;
using recoup::steady_time;
using recoup::testing::manual_clock;

/// An attempt that takes so long, and ends so.
void attempt_of(circuit_breaker& breaker, manual_clock& clock, duration takes, bool succeeds) {
    auto permit = breaker.try_acquire(clock);
    REQUIRE(permit);
    clock.advance(takes);
    if (succeeds)
        permit.succeeded(clock);
    else
        permit.failed(category::service_unavailable, true, clock);
}

std::string complaint(circuit_breaker_options options) {
    try {
        circuit_breaker const made{std::move(options)};
        return "none";
    } catch (std::invalid_argument const& refused) {
        return refused.what();
    }
}

}  // namespace

TEST_CASE("it opens for failures in a row, however few there were", "[circuit_breaker]") {
    manual_clock clock;
    circuit_breaker breaker{{.consecutive_failures = 3}};
    attempt_of(breaker, clock, 0s, false);
    attempt_of(breaker, clock, 0s, false);
    attempt_of(breaker, clock, 0s, true);
    attempt_of(breaker, clock, 0s, false);
    attempt_of(breaker, clock, 0s, false);
    CHECK(breaker.state() == breaker_state::closed);
    breaker.try_acquire(clock).failed(category::not_found, true, clock);  // says nothing
    CHECK(breaker.state() == breaker_state::closed);
    attempt_of(breaker, clock, 0s, false);
    CHECK(breaker.state() == breaker_state::open);
}

TEST_CASE("it opens for slow attempts, be they successes", "[circuit_breaker]") {
    auto const window = GENERATE(recoup::last_calls(10), recoup::last(1h));
    manual_clock clock;
    circuit_breaker breaker{
        {.window = window, .minimum_calls = 10, .slow_after = 1s, .slow_rate = 0.5}};
    for (auto i = 0; i < 20; ++i) attempt_of(breaker, clock, 1s, true);  // not longer than that
    CHECK(breaker.snapshot(clock).slow == 0);
    for (auto i = 0; i < 4; ++i) attempt_of(breaker, clock, 2s, true);
    CHECK(breaker.state() == breaker_state::closed);
    CHECK(breaker.snapshot(clock).slow == 4);
    CHECK(breaker.snapshot(clock).failures == 0);
    for (auto i = 0; i < 16 && breaker.state() == breaker_state::closed; ++i)
        attempt_of(breaker, clock, 2s, true);
    CHECK(breaker.state() == breaker_state::open);
}

TEST_CASE("a slow probe counts as a failed one", "[circuit_breaker]") {
    manual_clock clock;
    circuit_breaker breaker{
        {.open_for = 1s, .half_open_permits = 1, .consecutive_failures = 1, .slow_after = 1s}};
    attempt_of(breaker, clock, 0s, false);
    clock.advance(1s);
    attempt_of(breaker, clock, 2s, true);
    CHECK(breaker.state() == breaker_state::open);
    clock.advance(1s);
    attempt_of(breaker, clock, 1s, true);
    CHECK(breaker.state() == breaker_state::closed);
}

TEST_CASE("each time that its probes fail it stays open longer, up to a limit",
          "[circuit_breaker]") {
    manual_clock clock;
    circuit_breaker breaker{{.open_for = 10s,
                             .half_open_permits = 1,
                             .consecutive_failures = 1,
                             .open_growth = 2,
                             .open_for_max = 35s}};
    attempt_of(breaker, clock, 0s, false);
    for (auto const span : {10s, 20s, 35s, 35s}) {
        CHECK(breaker.retry_in(clock) == span);
        clock.advance(span - 1ns);
        CHECK_FALSE(breaker.try_acquire(clock));
        clock.advance(1ns);
        attempt_of(breaker, clock, 0s, false);
    }
    clock.advance(35s);
    attempt_of(breaker, clock, 0s, true);
    CHECK(breaker.state() == breaker_state::closed);
    attempt_of(breaker, clock, 0s, false);
    CHECK(breaker.retry_in(clock) == 10s);
}

TEST_CASE("a window of time forgets what is older", "[circuit_breaker]") {
    manual_clock clock;
    circuit_breaker breaker{{.failure_rate = 0.5, .window = recoup::last(16s), .minimum_calls = 4}};
    for (auto i = 0; i < 3; ++i) attempt_of(breaker, clock, 0s, false);
    clock.advance(16s);
    CHECK(breaker.snapshot(clock).calls == 0);
    for (auto i = 0; i < 3; ++i) attempt_of(breaker, clock, 0s, true);
    attempt_of(breaker, clock, 0s, false);
    CHECK(breaker.state() == breaker_state::closed);
    CHECK(breaker.snapshot(clock).calls == 4);
    attempt_of(breaker, clock, 0s, false);
    CHECK(breaker.state() == breaker_state::closed);  // 2 of 5
    attempt_of(breaker, clock, 0s, false);
    CHECK(breaker.state() == breaker_state::open);
    breaker.reset();
    CHECK(breaker.snapshot(clock).calls == 0);  // what was before a change of state counts no more
}

TEST_CASE("a window of time is its model, whatever the calls", "[circuit_breaker][property]") {
    auto const holds = rc::check("window of time", [] {
        auto const part = *rc::gen::inRange<std::int64_t>(1, 1'000);
        manual_clock clock;
        circuit_breaker breaker{{.failure_rate = 1,
                                 .window = recoup::last(duration{16 * part}),
                                 .minimum_calls = 1'000'000}};
        std::deque<std::pair<std::int64_t, bool>> model;  // the part of time, and whether it failed
        auto const steps = *rc::gen::container<std::vector<std::pair<std::int64_t, bool>>>(
            rc::gen::pair(rc::gen::weightedOneOf<std::int64_t>(
                              {{6, rc::gen::inRange<std::int64_t>(0, part + 1)},
                               {1, rc::gen::inRange<std::int64_t>(0, 40 * part)}}),
                          rc::gen::arbitrary<bool>()));
        for (auto const& [gap, succeeds] : steps) {
            clock.advance(duration{gap});
            auto const now = clock.now().time_since_epoch().count() / part;
            attempt_of(breaker, clock, 0s, succeeds);
            model.emplace_back(now, !succeeds);
            while (now - model.front().first >= 16) model.pop_front();
            auto failures = std::uint32_t{0};
            for (auto const& [when, failed] : model) failures += failed ? 1 : 0;
            auto const seen = breaker.snapshot(clock);
            RC_ASSERT(seen.calls == model.size());
            RC_ASSERT(seen.failures == failures);
        }
    });
    CHECK(holds);
}

TEST_CASE("from many threads a window of time counts each outcome once",
          "[circuit_breaker][concurrent]") {
    manual_clock clock;
    circuit_breaker breaker{
        {.failure_rate = 1, .window = recoup::last(1h), .minimum_calls = 1'000'000}};
    {
        std::vector<std::jthread> threads;
        for (auto t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                for (auto i = 0; i < 5'000; ++i) {
                    auto permit = breaker.try_acquire(clock);
                    if (i % 5 == 0)
                        permit.failed(category::unknown, true, clock);
                    else
                        permit.succeeded(clock);
                }
            });
    }
    auto const seen = breaker.snapshot(clock);
    CHECK(seen.calls == 20'000);
    CHECK(seen.failures == 4'000);
}

TEST_CASE("what cannot be is refused with what is wrong", "[circuit_breaker]") {
    CHECK(complaint({.window = recoup::last(-1s)}) ==
          "recoup: circuit_breaker: window is -1000000000 ns, expected above 0");
    CHECK(complaint({.slow_after = 0s}) ==
          "recoup: circuit_breaker: slow_after is 0 ns, expected above 0");
    CHECK(complaint({.slow_rate = 0}) ==
          "recoup: circuit_breaker: slow_rate is 0.000000, expected a share above 0 and up to 1");
    CHECK(complaint({.open_growth = 0.5}) ==
          "recoup: circuit_breaker: open_growth is 0.500000, expected 1 to 1000");
}

TEST_CASE("field pain 2: a process that starts anew goes on rejecting what is down",
          "[circuit_breaker][field]") {
    recoup::memory_store store;
    auto const options = circuit_breaker_options{.open_for = 1min, .consecutive_failures = 1};
    manual_clock before;
    circuit_breaker first{options};
    breaker_keeper keeper{store, first, "models.example", before};
    attempt_of(first, before, 0s, false);
    REQUIRE(first.state() == breaker_state::open);
    CHECK_FALSE(keeper.failed());

    SECTION("for the rest of the time") {
        manual_clock after{{.start = steady_time{5h}, .system_start = before.system_now() + 20s}};
        circuit_breaker second{options};
        breaker_keeper const kept{store, second, "models.example", after};
        CHECK_FALSE(second.try_acquire(after));
        CHECK(second.retry_in(after) == 40s);
        after.advance(40s);
        CHECK(second.try_acquire(after));
        CHECK(second.state() == breaker_state::half_open);
    }
    SECTION("never longer than it would have been open, whatever the wall clock says") {
        manual_clock after{{.system_start = before.system_now() - 24h}};
        circuit_breaker second{options};
        breaker_keeper const kept{store, second, "models.example", after};
        CHECK(second.retry_in(after) == 1min);
    }
    SECTION("not once that time is over") {
        manual_clock after{{.system_start = before.system_now() + 2min}};
        circuit_breaker second{options};
        breaker_keeper const kept{store, second, "models.example", after};
        CHECK(second.try_acquire(after));
    }
    SECTION("not under another name, and not once it is closed again") {
        manual_clock after{{.system_start = before.system_now()}};
        circuit_breaker other{options};
        breaker_keeper const kept{store, other, "images.example", after};
        CHECK(other.state() == breaker_state::closed);
        first.reset();
        circuit_breaker second{options};
        breaker_keeper const again{store, second, "models.example", after};
        CHECK(second.state() == breaker_state::closed);
    }
    SECTION("also where somebody has isolated it") {
        first.isolate();
        circuit_breaker second{options};
        breaker_keeper const kept{store, second, "models.example", before};
        CHECK(second.state() == breaker_state::isolated);
    }
}

TEST_CASE("what is kept of a breaker and is no state of one is reported, and not believed",
          "[circuit_breaker]") {
    for (std::string const text :
         {"", "1", "9 0 0", "1 0", "1 0 0 0", "1 x 0", "-1 0 0", "1 0 99999999999"}) {
        CHECK_FALSE(recoup::detail::breaker_from_text(text));
        recoup::memory_store store;
        recoup::record what;
        what.id = {"", "recoup.circuit_breaker", "x"};
        what.status = recoup::record_status::succeeded;
        what.result = text;
        REQUIRE(store.save(what));
        manual_clock clock;
        circuit_breaker breaker;
        breaker_keeper const keeper{store, breaker, "x", clock};
        CHECK(breaker.state() == breaker_state::closed);
        REQUIRE(keeper.failed());
        CHECK(keeper.failed()->category() == category::corruption);
    }
    auto const memory = breaker_memory{breaker_state::open, recoup::system_time{duration{-5}}, 7};
    CHECK(recoup::detail::breaker_from_text(recoup::detail::breaker_text(memory)) == memory);
}

TEST_CASE("per_key: a host that is down does not stop the calls of the others", "[per_key]") {
    manual_clock clock;
    auto per_host =
        recoup::per_key<circuit_breaker>(circuit_breaker_options{.consecutive_failures = 2},
                                         [](std::string const& host) { return host; });
    auto calls = 0;
    auto const fetch = recoup::with_recovery(
        [&](std::string const& host) -> recoup::result<int> {
            ++calls;
            if (host == "down") return recoup::failure{category::network_connection};
            return 1;
        },
        per_host, recoup::retry{.max_attempts = 1}, recoup::on(clock));
    for (auto i = 0; i < 5; ++i) {
        CHECK_FALSE(fetch("down"));
        CHECK(fetch("up"));
    }
    CHECK(calls == 7);
    CHECK(per_host.guard_for("down").state() == breaker_state::open);
    CHECK(per_host.guard_for("up").state() == breaker_state::closed);
    CHECK(fetch("down").error().stopped() == recoup::stop_reason::breaker_open);
    CHECK(per_host.size() == 2);

    // Waiting for it is waiting for this one.
    auto const patient = fetch.with(recoup::retry{.wait_when_rejected = true});
    CHECK_FALSE(patient("down"));
    CHECK(clock.waits().front() == 30s);
}

TEST_CASE("per_key: memory is bounded; what is open stays, and what was not used goes",
          "[per_key]") {
    manual_clock clock;
    auto table =
        recoup::per_key<circuit_breaker>(circuit_breaker_options{.consecutive_failures = 1},
                                         [](int key) { return key; }, {.most = 64});
    for (auto key = 0; key < 4; ++key)
        table.guard_for(key).try_acquire(clock).failed(category::unknown, true, clock);
    for (auto key = 100; key < 10'000; ++key)
        CHECK(table.guard_for(key).state() == breaker_state::closed);  // each begins closed
    CHECK(table.size() <= 64);
    auto still_open = 0;
    for (auto key = 0; key < 4; ++key)
        still_open += table.guard_for(key).state() == breaker_state::open ? 1 : 0;
    CHECK(still_open == 4);
    CHECK_THROWS_WITH(recoup::per_key<circuit_breaker>(circuit_breaker_options{},
                                                       [](int key) { return key; }, {.most = 0}),
                      "recoup: per_key: most is 0, expected 1 to 1000000");
}

TEST_CASE("per_key: many threads with many keys find a guard each, and none twice at the end",
          "[per_key][concurrent]") {
    manual_clock clock;
    auto table =
        recoup::per_key<circuit_breaker>(circuit_breaker_options{.consecutive_failures = 1'000'000},
                                         [](int key) { return key; }, {.most = 256});
    {
        std::vector<std::jthread> threads;
        for (auto t = 0; t < 4; ++t)
            threads.emplace_back([&, t] {
                for (auto i = 0; i < 4'000; ++i) {
                    auto permit = table.guard_for((i * 7 + t) % 400).try_acquire(clock);
                    if (!permit) continue;
                    if (i % 3 == 0)
                        permit.failed(category::unknown, true, clock);
                    else
                        permit.succeeded(clock);
                }
            });
    }
    CHECK(table.size() <= 256);
    std::set<circuit_breaker const*> seen;
    for (auto key = 0; key < 20; ++key) {
        auto const* const found = &table.guard_for(key);
        CHECK(found == &table.guard_for(key));
        seen.insert(found);
    }
    CHECK(seen.size() == 20);
}
