// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/write_behind.hpp>

#include "support/catch.hpp"

#include "store/write_behind_support.hpp"

#include <recoup/testing/manual_clock.hpp>

#include <cstdint>
#include <future>
#include <string>
#include <vector>

// The bound on the bytes that wait. With room for one byte, whatever waits is all that may.

namespace {

using namespace recoup_test::behind;
using recoup::testing::manual_clock;

write_behind_options one_at_a_time(losses* lost = nullptr) {
    auto options = slow(lost);
    options.bytes_max = 1;
    options.refuse_when_full = true;
    options.retry_wait = 1ns;
    return options;
}

TEST_CASE("bytes that wait are bounded: the next save is refused, and says how many there are") {
    probe_store inner;
    write_behind<probe_store> behind{inner, one_at_a_time()};
    inner.hold(true);
    auto large = some("large");
    large.checkpoint = std::string(100'000, 'x');
    REQUIRE(behind.save(large).has_value());  // alone it fits, however large
    auto const refused = behind.save(some("b"));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code() == store_errc::unavailable);
    auto const bytes = recoup::detail::encoded_size(large);
    CHECK(refused.error().message().find(std::to_string(bytes) + " bytes") != std::string::npos);
    inner.hold(false);
    REQUIRE(behind.flush().has_value());
    CHECK(behind.save(some("b")).has_value());
}

TEST_CASE("bytes of one and of another add up to the bound, and not beyond it") {
    probe_store inner;
    auto options = one_at_a_time();
    auto const each = recoup::detail::encoded_size(some("0"));
    options.bytes_max = 3 * each;
    write_behind<probe_store> behind{inner, options};
    inner.hold(true);
    for (auto const* key : {"0", "1", "2"}) CHECK(behind.save(some(key)).has_value());
    CHECK(behind.save(some("3")).error().code() == store_errc::unavailable);
    inner.hold(false);
    REQUIRE(behind.flush().has_value());
    CHECK(behind.statistics().waiting_most <= 3);
}

TEST_CASE("who finds the bytes used up waits for room, and gives up after full_wait") {
    manual_clock clock{{.auto_advance = false}};
    probe_store inner;
    auto options = slow();
    options.bytes_max = 1;
    options.full_wait = 5s;
    write_behind<probe_store, recoup::detail::no_log, manual_clock> behind{
        inner, recoup::detail::no_log::instance(), clock, options};
    inner.hold(true);
    REQUIRE(behind.save(some("a")).has_value());
    inner.await_calls(1);  // the writer is with the store, and does not wait for the clock
    auto next = std::async(std::launch::async, [&] { return behind.save(some("b")); });
    clock.await_waiting(1);
    SECTION("it is accepted once there is room") {
        inner.hold(false);
        CHECK(next.get().has_value());
        CHECK(behind.statistics().accepted == 2);
    }
    SECTION("it is refused when its time is over") {
        clock.advance(5s);
        CHECK(next.get().error().code() == store_errc::unavailable);
        CHECK(behind.statistics().accepted == 1);
        inner.hold(false);
    }
}

TEST_CASE("bytes are given back however what waited has left") {
    probe_store inner;
    losses lost;
    write_behind<probe_store> behind{inner, one_at_a_time(&lost)};
    auto const owner = behind.enter("a test", 1h).value();
    auto head = begun(behind, owner);
    auto const write = [&](operation_record const& of) {
        return behind.write({.number = of.number, .epoch = of.epoch, .head = &of}).has_value();
    };
    auto what = some("a");
    SECTION("to the store") {
        REQUIRE(behind.save(what).has_value());
        REQUIRE(behind.flush().has_value());
        REQUIRE(write(head));
        REQUIRE(behind.flush().has_value());
    }
    SECTION("to the store, after failures that passed") {
        inner.fail_next({store_errc::unavailable, store_errc::locked});
        REQUIRE(behind.save(what).has_value());
        REQUIRE(behind.flush().has_value());
        inner.fail_next({store_errc::unavailable, store_errc::full});
        REQUIRE(write(head));
        REQUIRE(behind.flush().has_value());
        CHECK(behind.statistics().retried == 4);
    }
    SECTION("as a loss") {
        inner.fail_next({store_errc::conflict});
        REQUIRE(behind.save(what).has_value());
        REQUIRE(behind.flush().has_value());
        inner.fail_next({store_errc::fenced});
        REQUIRE(write(head));
        REQUIRE(behind.flush().has_value());
        CHECK(lost.seen().size() == 2);
    }
    inner.hold(true);
    REQUIRE(behind.save(some("b")).has_value());  // nothing else is counted
    CHECK(behind.save(some("c")).error().code() == store_errc::unavailable);
    inner.hold(false);
}

TEST_CASE("a save takes the place of one that waits, and so do its bytes") {
    probe_store inner;
    auto options = one_at_a_time();
    auto what = some("a");
    auto const each = recoup::detail::encoded_size(what);
    options.bytes_max = 8 * each;
    options.queue_max = 100;
    write_behind<probe_store> behind{inner, options};
    // Less than half of the bound, so that nothing is handed over before its time.
    for (auto i = 0; i != 50; ++i) {
        auto const saved = behind.save(what);
        REQUIRE(saved.has_value());
        what.revision = saved.value();
    }
    CHECK(inner.calls() == 0);
    // Erased before the store had it, it is counted until its place in the queue comes up.
    REQUIRE(behind.erase(what.id, what.revision).has_value());
    REQUIRE(behind.flush().has_value());
    CHECK(inner.calls() == 0);
    inner.hold(true);
    for (auto i = 0; i != 8; ++i) CHECK(behind.save(some(std::to_string(i))).has_value());
    CHECK(behind.save(some("8")).error().code() == store_errc::unavailable);
    inner.hold(false);
}

}  // namespace
