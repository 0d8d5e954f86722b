// SPDX-License-Identifier: BSL-1.0
#include <recoup/with_recovery.hpp>

#include <recoup/classify/rules.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "with_recovery/with_recovery_support.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <system_error>

// What does not allocate, counted.

namespace {

using namespace std::chrono_literals;
using namespace with_recovery_test;
using recoup::category;
using recoup::failure;
using recoup::result;
using recoup::retry;
using recoup::with_recovery;

/// The allocations of a thousand calls, behind one that may set something up.
template <class Call>
std::uint64_t allocations_of(Call call) {
    static_cast<void>(call());
    auto const before = support::allocations();
    for (int i = 0; i != 1000; ++i) static_cast<void>(call());
    return support::allocations() - before;
}

}  // namespace

TEST_CASE("A success allocates nothing, whatever guards it") {
    recoup::circuit_breaker breaker;
    recoup::memory_store store;
    std::stop_source stop;
    auto seen = std::size_t{0};
    auto const counting = [&seen](recoup::event const&) { ++seen; };
    auto const plain = with_recovery(five);
    auto const guarded = with_recovery(five, at_once, breaker, recoup::deadline{1h}, counting,
                                       recoup::default_rules(), stop.get_token());
    auto const with_attempt =
        with_recovery([](recoup::attempt& current) { return current.number(); });
    auto const persistent = with_recovery([](int x) { return x; },
                                          recoup::persist(store, "op", [](int x) { return x; }));
    auto const by_text = with_recovery(
        [](std::string const& text) { return text.size(); },
        recoup::persist(store, "op", [](std::string const& text) -> auto& { return text; }));
    auto const text = std::string(100, 'x');
    CHECK(allocations_of([&] { return plain(); }) == 0);
    CHECK(allocations_of([&] { return guarded(); }) == 0);
    CHECK(seen > 1000);
    CHECK(allocations_of([&] { return with_attempt(); }) == 0);
    CHECK(allocations_of([&] { return persistent(7); }) == 0);
    CHECK(allocations_of([&] { return by_text(text); }) == 0);
}

TEST_CASE("Failures by error code allocate nothing, retried or final") {
    auto fails = 0;
    auto const cured = with_recovery(
        [&]() -> result<int> {
            if (fails++ % 3 != 2) return reset;
            return 5;
        },
        at_once);
    CHECK(allocations_of([&] { return cured(); }) == 0);
    auto const lost = with_recovery([&]() -> result<int> { return reset; }, at_once);
    CHECK(allocations_of([&] { return lost(); }) == 0);
    auto const ruled = with_recovery(
        [&]() -> result<int> { return reset; }, at_once,
        recoup::default_rules().on(std::errc::connection_reset, category::permission));
    CHECK(allocations_of([&] { return ruled(); }) == 0);
    auto const known =
        with_recovery([&]() -> result<int> { return failure{category::permission}; });
    CHECK(allocations_of([&] { return known(); }) == 0);
}

TEST_CASE("A rejection allocates nothing") {
    recoup::circuit_breaker breaker;
    breaker.isolate();
    auto const rejected = with_recovery([] { return 5; }, at_once, breaker);
    CHECK(rejected().error().stopped() == recoup::stop_reason::breaker_open);
    CHECK(allocations_of([&] { return rejected(); }) == 0);
}

TEST_CASE("Copying a failure with a text or an exception allocates nothing") {
    auto const told = failure{category::permission, std::string(100, 'x')};
    CHECK(allocations_of([&] { return failure{told}; }) == 0);
    auto const thrown = failure{std::make_exception_ptr(1)};
    CHECK(allocations_of([&] { return failure{thrown}; }) == 0);
}

TEST_CASE("The counter counts") {
    CHECK(allocations_of([] { return std::string(100, 'x'); }) == 1000);
}
