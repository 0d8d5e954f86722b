// SPDX-License-Identifier: BSL-1.0
#include <recoup/reloadable.hpp>

#include <recoup/classify/rules.hpp>
#include <recoup/explain.hpp>
#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/retry/not_idempotent.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "with_recovery/with_recovery_support.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using recoup::reloadable;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::manual_clock;

result<int> always_reset() { return std::make_error_code(std::errc::connection_reset); }

retry retry_up_to(std::uint32_t attempts) {
    return {.max_attempts = attempts, .backoff = recoup::constant(0s)};
}

/// What the operation of this thread has seen so far.
thread_local std::uint64_t seen_version = 0;
thread_local bool saw_another = false;

/// A retry policy that knows which version it is, many times over, and notes who asks it.
struct numbered {
    explicit numbered(std::uint64_t version) : number{version}, copies(64, version) {}

    [[nodiscard]] recoup::verdict decide(recoup::failed_attempt const& seen) const noexcept {
        for (auto const copy : copies) saw_another = saw_another || copy != number;
        if (seen_version == 0) seen_version = number;
        saw_another = saw_another || seen_version != number;
        if (seen.attempt >= attempts()) return {.why = stop_reason::attempts_exhausted};
        return {.retry = true, .why = stop_reason::none};
    }
    [[nodiscard]] std::uint32_t attempts() const noexcept {
        return 2 + static_cast<std::uint32_t>(number % 7);
    }

    std::uint64_t number;
    std::vector<std::uint64_t> copies;
};

static_assert(recoup::retry_policy<reloadable<retry>> &&
              recoup::retry_policy<reloadable<numbered>>);
static_assert(!recoup::error_classifier<reloadable<retry>>);
static_assert(recoup::error_classifier<reloadable<recoup::classifier>>);

}  // namespace

TEST_CASE("a policy that is replaced holds for the operations that begin behind that") {
    auto again = reloadable{retry_up_to(3)};
    auto const call = with_recovery(always_reset, again);
    auto const owned = with_recovery(always_reset, std::make_shared<reloadable<retry>>(again));
    CHECK(call().error().attempts() == 3);
    CHECK(again.replace(retry_up_to(5)) == 2);
    CHECK(again.current() == retry_up_to(5));
    CHECK(call().error().attempts() == 5);
    CHECK(owned().error().attempts() == 5);
    CHECK(call.with(retry_up_to(2))().error().attempts() == 2);
    CHECK(again.version() == 2);
    CHECK(recoup::explain(call).most_attempts == 5);
    CHECK(recoup::explain(call).stages[0] == "retry: up to 5 attempts (version 2)");
}

TEST_CASE("an operation that has failed goes on with the version that it has") {
    auto again = reloadable{retry_up_to(4)};
    auto attempts = 0;
    auto replace_at = 2;
    auto const call = with_recovery(
        [&] {
            // Three times, so that a version which nobody holds would be overwritten.
            if (++attempts == replace_at)
                for (auto const most : {7U, 8U, 9U}) again.replace(retry_up_to(most));
            return always_reset();
        },
        again);
    CHECK(call().error().attempts() == 4);
    CHECK(call().error().attempts() == 9);

    // Its first failure is the first moment at which it needs one.
    again.replace(retry_up_to(4));
    attempts = 0;
    replace_at = 1;
    CHECK(call().error().attempts() == 9);
}

TEST_CASE("whether a rejection is waited for is decided by the version, too") {
    manual_clock clock;
    recoup::circuit_breaker breaker{
        {.window = recoup::last_calls(1), .minimum_calls = 1, .open_for = 30s}};
    auto patient = retry_up_to(3);
    patient.wait_when_rejected = true;
    auto again = reloadable{retry_up_to(1)};
    auto const call = with_recovery(always_reset, again, breaker, recoup::on(clock));
    auto const watched =
        with_recovery(always_reset, again, breaker, recoup::on(clock), [](recoup::event const&) {});
    CHECK(call().error().stopped() == stop_reason::attempts_exhausted);
    CHECK(call().error().stopped() == stop_reason::breaker_open);
    CHECK(watched().error().stopped() == stop_reason::breaker_open);
    CHECK(clock.elapsed() == 0s);

    again.replace(patient);
    CHECK(call().error().attempts() == 2);
    CHECK(clock.elapsed() == 30s);
    breaker.reset();
    CHECK(watched().error().attempts() == 3);
    CHECK(watched().error().attempts() == 2);
    CHECK(clock.elapsed() == 60s);
}

TEST_CASE("a classifier is replaced in the same way") {
    auto rules = reloadable{recoup::default_rules()};
    auto const call = with_recovery(always_reset, retry_up_to(3), rules);
    CHECK(call().error().attempts() == 3);
    rules.replace(rules.current().on(std::make_error_code(std::errc::connection_reset),
                                     recoup::category::defect));
    CHECK(call().error().attempts() == 1);
}

TEST_CASE("an attempt has the timeout that is current when it begins") {
    manual_clock clock;
    auto each = reloadable{recoup::attempt_timeout{1s}};
    auto seen = std::vector<recoup::duration>{};
    auto const call = with_recovery(
        [&](recoup::attempt& attempt) -> result<int> {
            seen.push_back(attempt.remaining());
            each.replace(recoup::attempt_timeout{5s});
            clock.advance(2s);
            seen.push_back(attempt.remaining());
            return always_reset();
        },
        retry_up_to(2), each, recoup::on(clock));
    auto const failed = call().error();
    CHECK(seen == std::vector<recoup::duration>{1s, 0s, 5s, 3s});
    CHECK(failed.code() == std::errc::connection_reset);  // the second was in time
    auto const stages = recoup::explain(call).stages;
    CHECK(stages[stages.size() - 2] == "attempt_timeout: 5 s");
    each.replace(recoup::attempt_timeout{1s});
    CHECK(call().error().attempts() == 2);
    each.replace(recoup::attempt_timeout{});
    seen.clear();
    static_cast<void>(call());
    CHECK(seen[0] == recoup::unlimited);
}

TEST_CASE("what proves that nothing has happened is what is current when an attempt has failed") {
    auto once = reloadable{recoup::not_idempotent{}};
    auto calls = 0;
    auto const call = with_recovery(
        [&]() -> result<int> {
            if (++calls == 3) once.replace({});
            return recoup::failure{recoup::category::rate_limited};
        },
        retry_up_to(5), once);
    CHECK(call().error().attempts() == 1);
    CHECK(call().error().stopped() == stop_reason::not_idempotent);
    calls = 0;
    once.replace({.nothing_happened = {recoup::category::rate_limited}});
    auto const ended = call();
    CHECK(ended.error().attempts() == 3);
    CHECK(ended.error().stopped() == stop_reason::not_idempotent);
    auto const stages = recoup::explain(call).stages;
    CHECK(stages[0].ends_with(", where nothing has happened yet"));
}

TEST_CASE("neither a success nor a failure that is tried again allocates for a version") {
    auto again = reloadable{retry_up_to(3)};
    auto calls = 0;
    auto const succeeds = with_recovery([] { return 5; }, again);
    auto const fails_once = with_recovery(
        [&]() -> result<int> {
            if (++calls % 2 == 1) return std::make_error_code(std::errc::connection_reset);
            return 5;
        },
        again);
    auto const before = support::allocations();
    for (auto i = 0; i != 1'000; ++i) {
        static_cast<void>(succeeds());
        static_cast<void>(fails_once());
    }
    CHECK(support::allocations() == before);
    CHECK(calls == 2'000);
}

TEST_CASE("versions do not add up, and those in use are bounded") {
    recoup::detail::versions<int> all{1};
    for (auto i = 2; i != 1'000; ++i) all.put(i);
    CHECK(all.slots() == 2);

    auto held = std::vector<recoup::detail::versions<int>::lease>{};
    for (auto i = 0; i != 64; ++i) {
        if (i != 0) all.put(1'000 + i);
        held.push_back(all.take());
    }
    CHECK(all.slots() == recoup::detail::versions_max);
    CHECK_THROWS_AS(all.put(5), std::length_error);
    CHECK(*all.take() == 1'063);
    for (auto i = 0; i != 64; ++i)
        CHECK(*held[static_cast<std::size_t>(i)] == (i == 0 ? 999 : 1'000 + i));
    held.erase(held.begin() + 7);
    all.put(5);
    CHECK(*all.take() == 5);
    CHECK(*held.back() == 1'063);
}

TEST_CASE("each of many operations sees one version, whole, while two threads replace it",
          "[concurrent]") {
    auto again = reloadable{numbered{1}};
    auto const call = with_recovery(always_reset, again);
    std::atomic<bool> over{false};
    std::atomic<int> mixed{0};
    std::atomic<int> wrong_attempts{0};
    std::atomic<std::uint64_t> highest{1};
    std::vector<std::jthread> writers;
    std::atomic<std::uint64_t> next{2};
    for (auto i = 0; i != 2; ++i)
        writers.emplace_back([&] {
            while (!over.load()) again.replace(numbered{next.fetch_add(1)});
        });
    {
        std::vector<std::jthread> readers;
        for (auto i = 0; i != 3; ++i)
            readers.emplace_back([&] {
                for (auto n = 0; n != 3'000; ++n) {
                    seen_version = 0;
                    saw_another = false;
                    auto const attempts = call().error().attempts();
                    if (saw_another) ++mixed;
                    if (attempts != 2 + seen_version % 7) ++wrong_attempts;
                    auto most = highest.load();
                    while (most < seen_version &&
                           !highest.compare_exchange_weak(most, seen_version)) {}
                }
            });
    }
    over = true;
    writers.clear();
    CHECK(mixed == 0);
    CHECK(wrong_attempts == 0);
    CHECK(highest > 1);
}

TEST_CASE("A deadline that is replaced is that of the operations that begin after it") {
    manual_clock clock;
    reloadable within{recoup::deadline{25ms}};
    auto const by_ten = retry{.max_attempts = 10, .backoff = recoup::constant(10ms)};
    auto calls = 0;
    auto const call = with_recovery(
        [&] {
            // The operation that runs keeps the one that it began with.
            if (++calls == 1) within.replace(recoup::deadline{5ms});
            return always_reset();
        },
        by_ten, within, recoup::on(clock));
    CHECK(call().error().stopped() == stop_reason::deadline);
    CHECK(calls == 3);
    CHECK(clock.elapsed() == 20ms);
    CHECK(call().error().attempts() == 1);
    within.replace(recoup::deadline{recoup::unlimited});
    CHECK(call().error().stopped() == stop_reason::attempts_exhausted);
    within.replace(recoup::deadline{0ms});
    CHECK(call().error().attempts() == 0);
    CHECK(within.current() == recoup::deadline{0ms});
    CHECK(recoup::explain(call).stages[0] == "deadline: 0 s");
    // For one call another one stands in its place.
    CHECK(call.with(recoup::deadline{15ms})().error().attempts() == 2);
}
