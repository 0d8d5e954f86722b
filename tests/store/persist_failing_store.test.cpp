// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/persist.hpp>

#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "store/persist_support.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

// The store fails at the first call, then at the second, … until an operation goes through: once for a
// moment, once for good. Never in silence, never with a wrong result.

namespace {

using namespace std::chrono_literals;
using namespace recoup_test;
using recoup::attempt;
using recoup::category;
using recoup::event_kind;
using recoup::failure;
using recoup::on_store_failure;
using recoup::persist;
using recoup::persist_when;
using recoup::record_status;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::store_errc;
using recoup::testing::event_recorder;
using recoup::testing::manual_clock;
using trace = std::vector<std::string>;

auto const ten_apart = retry{.max_attempts = 3, .backoff = recoup::constant(10ms)};

/// What became of one operation on a store that fails as told.
struct ending {
    result<int> got;
    int attempts_made = 0;
    trace seen{};
    std::size_t store_failures = 0;
};

/// An operation that takes a token and a checkpoint in each attempt, fails twice, then gives 42.
ending run(scripted_store& store, recoup::persist_options options) {
    manual_clock clock;
    event_recorder recorder;
    auto attempts = 0;
    options.name = "op";
    auto const wrapped = recoup::with_recovery(
        [&](attempt& current, int) -> result<int> {
            ++attempts;
            current.save_checkpoint(attempts);
            static_cast<void>(current.idempotency_token());
            if (attempts < 3) return reset;
            return 42;
        },
        ten_apart, persist(store, options, one_key), recoup::on(clock), std::ref(recorder));
    auto got = wrapped(7);
    return {std::move(got), attempts, recorder.trace(), recorder.count(event_kind::store_failed)};
}

}  // namespace

TEST_CASE("A store that fails at any call is never silent, and never changes a result") {
    auto const when = GENERATE(persist_when::failure, persist_when::start);
    auto const then = GENERATE(on_store_failure::stop, on_store_failure::proceed);
    auto const retain = GENERATE(recoup::duration{0}, recoup::duration{1h});
    auto const for_good = GENERATE(false, true);
    auto const filters = GENERATE(true, false);
    auto const left_before = GENERATE(false, true);
    auto const options =
        recoup::persist_options{.when = when, .retain = retain, .on_store_failure = then};

    auto calls_without_failure = std::size_t{0};
    for (std::size_t at = 1; at != 100; ++at) {
        scripted_store store{.filters = filters};
        if (left_before) {  // a process died in its first attempt
            auto const kept = [&] {
                scripted_store first;
                auto left = std::vector<recoup::record>{};
                first.fails = [&](std::size_t call) -> std::optional<store_errc> {
                    if (call == 2) left = records(first);
                    return std::nullopt;
                };
                static_cast<void>(run(first, {.when = persist_when::start}));
                return left.at(0);
            }();
            auto what = kept;
            what.revision = 0;
            store.inner.save(what).value();
        }
        auto failed = false;
        store.fails = [&](std::size_t call) -> std::optional<store_errc> {
            if (call != at && !(for_good && call > at)) return std::nullopt;
            failed = true;
            return store_errc::unavailable;
        };
        auto const end = run(store, options);
        INFO("at call " << at << (for_good ? " and after" : "") << ", start "
                        << (when == persist_when::start) << ", stop "
                        << (then == on_store_failure::stop) << ", left " << left_before);
        for (auto const& line : end.seen) UNSCOPED_INFO(line);
        for (auto const& line : store.calls) UNSCOPED_INFO(line);
        CHECK((end.store_failures != 0) == failed);
        CHECK(end.seen.front() == "operation_started");
        CHECK(end.seen.back().starts_with(end.got.has_value() ? "operation_succeeded"
                                                              : "operation_failed"));
        if (end.got.has_value()) {
            CHECK(end.got.value() == 42);
            CHECK(end.attempts_made == 3);
        }
        if (!failed) {
            calls_without_failure = store.calls.size();
            CHECK(end.got.has_value() == !left_before);  // one attempt is used up by the crash
            break;
        }
        if (then == on_store_failure::proceed) {
            // As if there were no store: what was left behind may be unknown, and the budget whole.
            if (!left_before) CHECK(end.got.has_value());
            if (!end.got.has_value())
                CHECK(end.got.error().stopped() == stop_reason::attempts_exhausted);
        } else if (for_good || !end.got.has_value()) {
            CHECK_FALSE(end.got.has_value());
            auto const why = end.got.error().stopped();
            // Where only the end of a failure could not be written, the failure is what counts.
            CHECK((why == stop_reason::store_failed ||
                   (left_before && why == stop_reason::attempts_exhausted)));
        }
    }
    CHECK(calls_without_failure >= 7);
}

TEST_CASE("With stop no attempt is made where the intent cannot be written") {
    scripted_store store;
    store.fails = [](std::size_t) { return std::optional{store_errc::full}; };
    auto const end = run(store, {.when = persist_when::start});
    CHECK(end.got.error().stopped() == stop_reason::store_failed);
    CHECK(end.got.error().code() == store_errc::full);
    CHECK(end.got.error().attempts() == 0);
    CHECK(end.attempts_made == 0);
    CHECK(end.seen == trace{"operation_started", "store_failed disk_full",
                            "operation_failed disk_full store_failed"});
}

TEST_CASE(
    "The default is to stop with persist_when::start and to proceed with persist_when::failure") {
    recoup::memory_store store;
    using options = recoup::persist_options;
    CHECK(persist(store, options{.name = "a"}, one_key).when_store_fails() ==
          on_store_failure::proceed);
    CHECK(persist(store, options{.name = "a", .when = persist_when::start}, one_key)
              .when_store_fails() == on_store_failure::stop);
    CHECK(persist(store, options{.name = "a", .on_store_failure = on_store_failure::stop}, one_key)
              .when_store_fails() == on_store_failure::stop);
}

TEST_CASE("With stop a token that could not be recorded is not shown") {
    scripted_store store;
    store.fails = [](std::size_t call) {
        return call == 2 ? std::optional{store_errc::unavailable} : std::nullopt;
    };
    manual_clock clock;
    auto shown = trace{};
    auto const wrapped = recoup::with_recovery(
        [&](attempt& current, int) {
            shown.push_back(current.idempotency_token());
            CHECK(recoup::detail::token_text(only_record(store).token) == shown.back());
            return static_cast<int>(current.number());
        },
        ten_apart, persist(store, {.name = "op", .when = persist_when::start}, one_key),
        recoup::on(clock));
    CHECK(wrapped(1).value() ==
          2);  // the first attempt ended with the store's failure, and was retried
    CHECK(shown.size() == 1);
}

TEST_CASE("checkpoint_saved is told only where the store has it") {
    scripted_store store;
    store.fails = [](std::size_t call) {
        return call == 1 ? std::optional{store_errc::unavailable} : std::nullopt;
    };
    event_recorder recorder;
    auto const wrapped = recoup::with_recovery(
        [&](attempt& current, int) {
            current.save_checkpoint(1);
            current.save_checkpoint(2);
        },
        persist(store, "op", one_key), std::ref(recorder));
    CHECK(wrapped(1).has_value());
    CHECK(recorder.trace() == trace{"operation_started", "attempt_started 1",
                                    "store_failed 1 service_unavailable", "recorded 1",
                                    "checkpoint_saved 1", "operation_succeeded 1"});
}

TEST_CASE("One whose record was taken over stops as busy, and leaves it alone") {
    // Another process claims the record, which raises its revision.
    for (auto const then : {on_store_failure::stop, on_store_failure::proceed}) {
        scripted_store store;
        manual_clock clock;
        event_recorder recorder;
        auto calls = 0;
        auto const wrapped = recoup::with_recovery(
            [&](int) -> result<int> {
                ++calls;
                auto theirs = only_record(store);
                theirs.attempts = 77;
                store.inner.save(theirs).value();
                return reset;
            },
            ten_apart,
            persist(store, {.name = "op", .when = persist_when::start, .on_store_failure = then},
                    one_key),
            recoup::on(clock), std::ref(recorder));
        auto const end = wrapped(1);
        CHECK(end.error().stopped() == stop_reason::busy);
        CHECK(end.error().code() == reset);
        CHECK(calls == 1);
        CHECK(only_record(store).attempts == 77);
        CHECK(only_record(store).status == record_status::running);
        CHECK(recorder.trace() == trace{"operation_started", "recorded", "attempt_started 1",
                                        "attempt_failed 1 network_connection",
                                        "store_failed 1 service_unavailable",
                                        "operation_failed 1 network_connection busy"});
        CHECK(store.calls == trace{"save", "save"});
    }
}

TEST_CASE("One whose record was taken over gets no token, and saves no checkpoint") {
    scripted_store store;
    event_recorder recorder;
    auto refused = 0;
    auto const wrapped = recoup::with_recovery(
        [&](attempt& current, int) -> result<int> {
            auto theirs = only_record(store);
            store.inner.save(theirs).value();
            current.save_checkpoint(1);
            try {
                static_cast<void>(current.idempotency_token());
            } catch (recoup::recovery_error const& caught) {
                CHECK(caught.code() == store_errc::conflict);
                ++refused;
            }
            return 5;
        },
        persist(store, {.name = "op", .when = persist_when::start}, one_key), std::ref(recorder));
    auto const end = wrapped(1);
    CHECK(refused == 1);
    CHECK(end.error().stopped() ==
          stop_reason::busy);  // the other one's result is the one that counts
    CHECK(end.error().code() == store_errc::conflict);
    CHECK_FALSE(only_record(store).checkpoint);
    CHECK(store.calls == trace{"save", "save"});
    CHECK(recorder.count(event_kind::store_failed) == 1);
}

TEST_CASE(
    "With proceed a success whose record was taken over is still a success, and the event tells") {
    for (auto const retain : {recoup::duration{0}, recoup::duration{1h}}) {
        scripted_store store;
        event_recorder recorder;
        auto const wrapped = recoup::with_recovery(
            [&](int) {
                store.inner.save(only_record(store)).value();
                return 5;
            },
            persist(store,
                    {.name = "op",
                     .when = persist_when::start,
                     .retain = retain,
                     .on_store_failure = on_store_failure::proceed},
                    one_key),
            std::ref(recorder));
        CHECK(wrapped(1).value() == 5);
        CHECK(recorder.count(event_kind::store_failed) == 1);
        CHECK(only_record(store).status == record_status::running);
    }
}

TEST_CASE("A store in which every first save loses a race ends as busy, not in a loop") {
    scripted_store store{.filters = false};
    store.fails = [&](std::size_t) {
        return store.calls.back() == "save" ? std::optional{store_errc::conflict} : std::nullopt;
    };
    auto const end = run(store, {.when = persist_when::start});
    CHECK(end.got.error().stopped() == stop_reason::busy);
    CHECK(end.attempts_made == 0);
    CHECK(store.calls.size() == 128);
}

TEST_CASE("One who loses the race for the first save does as the winner's record says") {
    scripted_store store;
    manual_clock clock;
    event_recorder recorder;
    // Between our look and our save another process begins, and dies in its wait.
    store.fails = [&](std::size_t call) -> std::optional<store_errc> {
        if (call != 1) return std::nullopt;
        auto theirs = recoup::record{};
        theirs.id = {"", "op", "1"};
        theirs.fingerprint = recoup::detail::fingerprint_of(7);
        theirs.attempts = 3;
        theirs.active = 20s;
        theirs.delay = 5s;
        theirs.due = clock.system_now() + 4s;
        theirs.checkpoint = recoup::encoding<int>::encode(11);
        store.inner.save(theirs).value();
        return std::nullopt;
    };
    auto remaining = recoup::duration{};
    auto const wrapped = recoup::with_recovery(
        [&](attempt& current, int) {
            remaining = current.remaining();
            return current.checkpoint<int>().value() + static_cast<int>(current.number());
        },
        ten_apart, persist(store, {.name = "op", .when = persist_when::start}, one_key),
        recoup::on(clock), recoup::deadline{60s}, std::ref(recorder));
    CHECK(wrapped(7).value() == 14);
    CHECK(clock.waits() == std::vector<recoup::duration>{4s});
    CHECK(remaining == 36s);
    CHECK(recorder.trace() == trace{"operation_started", "operation_resumed 2", "recorded 2",
                                    "attempt_started 3", "operation_succeeded 3"});
}

TEST_CASE("One who loses the race to continue a record starts from what is there then") {
    scripted_store store;
    manual_clock clock;
    auto left = recoup::record{};
    left.id = {"", "op", "1"};
    left.fingerprint = recoup::detail::fingerprint_of(7);
    left.attempts = 2;
    left.active = 20s;
    left.checkpoint = recoup::encoding<int>::encode(11);
    left.token = recoup::detail::make_token();
    store.inner.save(left).value();
    // The other one ends with success, and its record is dropped: between our look and our claim, or
    // between our second look and our save.
    auto const at = GENERATE(std::size_t{2}, std::size_t{3});
    store.fails = [&](std::size_t call) -> std::optional<store_errc> {
        if (call == at) {
            auto const theirs = only_record(store);
            store.inner.erase(theirs.id, theirs.revision).value();
        }
        return std::nullopt;
    };
    auto const wrapped = recoup::with_recovery(
        [&](attempt& current, int) {
            CHECK(current.number() == 1);
            CHECK_FALSE(current.resumed());
            CHECK_FALSE(current.checkpoint<int>());
            CHECK(current.remaining() == 60s);
            CHECK(current.idempotency_token() != recoup::detail::token_text(left.token));
            return 5;
        },
        ten_apart, persist(store, {.name = "op", .when = persist_when::start}, one_key),
        recoup::on(clock), recoup::deadline{60s});
    CHECK(wrapped(7).value() == 5);
}

TEST_CASE(
    "A damaged record is a failure of the store: stop refuses, proceed goes on and leaves it") {
    auto const corrupt = [](std::size_t call) {
        return call == 1 ? std::optional{store_errc::corrupt} : std::nullopt;
    };
    for (auto const then : {on_store_failure::stop, on_store_failure::proceed}) {
        scripted_store store{.filters = false};
        auto damaged = recoup::record{};
        damaged.id = {"", "op", "1"};
        store.inner.save(damaged).value();
        store.fails = corrupt;
        auto const end = run(store, {.when = persist_when::start, .on_store_failure = then});
        if (then == on_store_failure::stop) {
            CHECK(end.got.error().code() == store_errc::corrupt);
            CHECK(end.got.error().stopped() == stop_reason::store_failed);
            CHECK(end.attempts_made == 0);
        } else {
            CHECK(end.got.value() == 42);
        }
        CHECK(end.store_failures >= 1);
        CHECK(only_record(store) == [&] {
            auto same = damaged;
            same.revision = only_record(store).revision;
            return same;
        }());
    }
}
