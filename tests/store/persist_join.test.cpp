// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/persist.hpp>

#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "store/persist_support.hpp"
#include "support/catch.hpp"
#include "support/gate.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

// Calls of one key at the same time.

namespace {

using namespace std::chrono_literals;
using namespace recoup_test;
using recoup::attempt;
using recoup::category;
using recoup::event_kind;
using recoup::failure;
using recoup::memory_store;
using recoup::persist;
using recoup::persist_when;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::testing::event_recorder;
using recoup::testing::manual_clock;
using recoup_test::gate;

auto const from_start = recoup::persist_options{.name = "op", .when = persist_when::start};
auto const once = retry{.max_attempts = 1};

/// How many calls wait for the one that runs `id` on `store`.
std::size_t waiting_for(void const* store, recoup::operation_ref id) {
    auto const key = recoup::detail::running_registry::key{store, id.space, id.name, id.key};
    auto const [entry, is_new] = recoup::detail::running_registry::instance().enter(key);
    if (is_new) {
        recoup::detail::running_registry::instance().leave(key);
        return 0;
    }
    std::scoped_lock const lock{entry->mutex};
    return entry->waiting;
}

void await_waiting(void const* store, std::size_t count) {
    while (waiting_for(store, {"", "op", "1"}) != count) std::this_thread::yield();
}

}  // namespace

TEST_CASE("Calls of one key and input share one run and its value", "[concurrent]") {
    memory_store store;
    event_recorder seen;
    gate started;
    gate finish;
    auto runs = std::atomic<int>{0};
    auto const wrapped = recoup::with_recovery(
        [&](std::string const& text) {
            ++runs;
            started.open();
            finish.pass();
            return text + "!";
        },
        persist(store, from_start, one_key), std::ref(seen));
    std::vector<std::optional<result<std::string>>> got(5);
    {
        std::vector<std::jthread> callers;
        callers.emplace_back([&] { got[0] = wrapped(std::string{"x"}); });
        started.pass();
        for (std::size_t i = 1; i != got.size(); ++i)
            callers.emplace_back([&, i] { got[i] = wrapped(std::string{"x"}); });
        await_waiting(&store, 4);
        finish.open();
    }
    CHECK(runs == 1);
    for (auto const& one : got) CHECK(one->value() == "x!");
    CHECK(seen.count(event_kind::operation_joined) == 4);
    CHECK(seen.count(event_kind::operation_succeeded) == 5);
    CHECK(seen.count(event_kind::attempt_started) == 1);
    CHECK(store.size() == 0);
}

TEST_CASE("Those who joined get the failure, too, whole", "[concurrent]") {
    memory_store store;
    gate started;
    gate finish;
    auto const wrapped = recoup::with_recovery(
        [&](int) -> int {
            started.open();
            finish.pass();
            throw std::runtime_error{"mine"};
        },
        once, persist(store, from_start, one_key));
    auto got = std::optional<result<int>>{};
    {
        std::jthread runner{[&] { static_cast<void>(wrapped(1)); }};
        started.pass();
        std::jthread joiner{[&] { got = wrapped(1); }};
        await_waiting(&store, 1);
        finish.open();
    }
    CHECK_THROWS_WITH(got->value(), "mine");
    CHECK(got->error().attempts() == 1);
    CHECK(got->error().stopped() == stop_reason::attempts_exhausted);
}

TEST_CASE("A call with another input does not join but is refused", "[concurrent]") {
    memory_store store;
    gate started;
    gate finish;
    auto const wrapped = recoup::with_recovery(
        [&](int x) {
            started.open();
            finish.pass();
            return x;
        },
        persist(store, from_start, one_key));
    std::jthread runner{[&] { CHECK(wrapped(1).value() == 1); }};
    started.pass();
    auto const other = wrapped(2);
    CHECK(other.error().code() == recoup::errc::input_mismatch);
    finish.open();
}

TEST_CASE("An operation that would wait for itself is told so") {
    memory_store store;
    std::function<result<int>(int)> wrapped;
    wrapped = recoup::with_recovery([&](int x) -> result<int> { return wrapped(x); }, once,
                                    persist(store, from_start, one_key));
    auto const end = wrapped(1);
    CHECK(end.error().code() == recoup::errc::joins_itself);
    CHECK(end.error().category() == category::defect);
    CHECK(end.error().stopped() == stop_reason::not_retryable);
}

TEST_CASE("A stop request ends the wait for another call, which goes on", "[concurrent]") {
    memory_store store;
    gate started;
    gate finish;
    std::stop_source stop;
    auto const wrapped = recoup::with_recovery(
        [&](int x) {
            started.open();
            finish.pass();
            return x;
        },
        persist(store, from_start, one_key));
    std::jthread runner{[&] { CHECK(wrapped(1).value() == 1); }};
    started.pass();
    auto joined = std::optional<result<int>>{};
    {
        std::jthread joiner{[&] { joined = wrapped.with(stop.get_token())(1); }};
        await_waiting(&store, 1);
        stop.request_stop();
    }
    CHECK(joined->error().stopped() == stop_reason::cancelled);
    CHECK(joined->error().attempts() == 0);
    finish.open();
}

TEST_CASE("A deadline ends the wait for another call", "[concurrent]") {
    memory_store store;
    gate started;
    gate finish;
    auto const wrapped = recoup::with_recovery(
        [&](int x) {
            started.open();
            finish.pass();
            return x;
        },
        persist(store, from_start, one_key));
    std::jthread runner{[&] { CHECK(wrapped(1).value() == 1); }};
    started.pass();
    // The one place where time really passes: the wait for another thread is in its time, not in ours.
    auto const joined = wrapped.with(recoup::deadline{2ms})(1);
    CHECK(joined.error().stopped() == stop_reason::deadline);
    finish.open();
}

TEST_CASE("Where the runner's value cannot be copied, or is of another type, one who joins is told",
          "[concurrent]") {
    memory_store store;
    gate started;
    gate finish;
    auto const unique = recoup::with_recovery(
        [&](int x) {
            started.open();
            finish.pass();
            return std::make_unique<int>(x);
        },
        persist(store, from_start, one_key));
    auto const plain =
        recoup::with_recovery([](int x) { return x; }, persist(store, from_start, one_key));
    auto got = std::optional<result<std::unique_ptr<int>>>{};
    {
        std::jthread runner{[&] { CHECK(*unique(1).value() == 1); }};
        started.pass();
        std::jthread joiner{[&] { got = unique(1); }};
        await_waiting(&store, 1);
        finish.open();
    }
    CHECK(got->error().code() == recoup::errc::already_running);
    CHECK(got->error().stopped() == stop_reason::busy);
    CHECK(plain(1).value() == 1);
}

TEST_CASE("With persist_when::failure only an operation that has a record is joined",
          "[concurrent]") {
    memory_store store;
    gate in_wait;
    gate finish;
    manual_clock clock{{.on_wait = [&](recoup::duration) {
        in_wait.open();
        finish.pass();
    }}};
    auto runs = std::atomic<int>{0};
    auto const wrapped = recoup::with_recovery(
        [&](int x) -> result<int> {
            if (++runs == 1) return std::make_error_code(std::errc::connection_reset);
            return x;
        },
        retry{.max_attempts = 2, .backoff = recoup::constant(1s)}, persist(store, "op", one_key),
        recoup::on(clock));
    auto joined = std::optional<result<int>>{};
    {
        std::jthread runner{[&] { CHECK(wrapped(1).value() == 1); }};
        in_wait.pass();
        std::jthread joiner{[&] { joined = wrapped(1); }};
        await_waiting(&store, 1);
        finish.open();
    }
    CHECK(joined->value() == 1);
    CHECK(runs == 2);
}

TEST_CASE("Many calls of few keys run each operation once at a time, and leave nothing behind",
          "[concurrent]") {
    memory_store store;
    std::array<std::atomic<int>, 3> inside{};
    auto overlaps = std::atomic<int>{0};
    auto failures = std::atomic<int>{0};
    auto draws = std::atomic<unsigned>{0};
    auto const wrapped = recoup::with_recovery(
        [&](unsigned key) -> result<unsigned> {
            if (inside[key].fetch_add(1) != 0) ++overlaps;
            std::this_thread::yield();
            auto const fails = draws++ % 5 == 0;
            inside[key].fetch_sub(1);
            if (fails) return std::make_error_code(std::errc::connection_reset);
            return key;
        },
        retry{.max_attempts = 20, .backoff = recoup::constant(0ms)},
        persist(store, from_start, [](unsigned key) { return key; }));
    {
        std::vector<std::jthread> callers;
        for (unsigned i = 0; i != 4; ++i)
            callers.emplace_back([&, i] {
                for (unsigned n = 0; n != 500; ++n) {
                    auto const key = (i + n) % 3;
                    auto const got = wrapped(key);
                    if (!got.has_value() || got.value() != key) ++failures;
                }
            });
    }
    CHECK(overlaps == 0);
    CHECK(failures == 0);
    CHECK(store.size() == 0);
}
