// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/write_behind.hpp>

#include "support/catch.hpp"

#include "store/write_behind_support.hpp"

#include <cstdint>
#include <optional>
#include <vector>

// A wish to cancel that others note in the store itself, while writes wait before it.

namespace {

using namespace recoup_test::behind;
using recoup::operation_status;

/// An operation of `behind`'s, and what is done with it.
template <class Behind>
struct started {
    explicit started(Behind& with) : behind{with} {
        head.id = {"", "install", "a"};
        head.status = operation_status::running;
        head = behind.start(head, owner).value().record;
    }
    bool write(bool brings_wish = false, bool drops_wish = false) {
        head.cancel_requested = brings_wish;
        return told(
            {.number = head.number, .epoch = head.epoch, .head = &head, .drop_wish = drops_wish});
    }
    bool drop_wish() { return write(false, true); }
    bool write_step() {
        std::vector<recoup::step_record> const steps{recoup::step_record{}};
        return told({.number = head.number, .epoch = head.epoch, .steps = steps});
    }
    bool told(recoup::operation_write const& what) {
        return behind.write(what).value().cancel_requested;
    }

    Behind& behind;
    std::uint64_t owner = behind.enter("a test", 1h).value();
    operation_record head{};
};

TEST_CASE("a wish to cancel stays over heads that waited and know nothing of it, and is told") {
    memory_store inner;
    write_behind<memory_store> behind{inner, slow()};
    started one{behind};
    auto const number = one.head.number;
    CHECK_FALSE(one.write());
    REQUIRE(inner.request_cancel(number).has_value());
    REQUIRE(behind.flush().has_value());
    CHECK(inner.find(one.head.id).value()->cancel_requested);
    CHECK(behind.renew(one.owner, 1h).value() == std::vector{number});
    SECTION("until a head drops it") {
        CHECK(one.write());
        CHECK(one.drop_wish());
        CHECK_FALSE(one.write());
        REQUIRE(behind.flush().has_value());
        CHECK_FALSE(inner.find(one.head.id).value()->cancel_requested);
        CHECK_FALSE(one.write_step());
    }
    SECTION("over heads of any kind, and steps") {
        CHECK(one.write_step());
        CHECK(one.write(true));
        CHECK(one.write(false));
        REQUIRE(behind.flush().has_value());
        CHECK(one.write_step());
        CHECK(inner.find(one.head.id).value()->cancel_requested);
    }
    SECTION("also where a step was on its way as a head dropped it") {
        CHECK(one.write_step());
        CHECK(one.drop_wish());
        CHECK_FALSE(one.write_step());
        REQUIRE(behind.flush().has_value());
        CHECK_FALSE(one.write_step());
        CHECK_FALSE(inner.find(one.head.id).value()->cancel_requested);
    }
}

TEST_CASE("a wish to cancel that comes in while an older write is under way is told") {
    probe_store inner;
    write_behind<probe_store> behind{inner, slow()};
    started one{behind};
    inner.hold(true);
    CHECK_FALSE(one.write_step());
    CHECK(behind.flush(0ms).has_error());
    inner.await_calls(1);
    CHECK_FALSE(one.write());  // waits behind the step
    REQUIRE(inner.request_cancel(one.head.number).has_value());
    inner.hold(false);
    REQUIRE(behind.flush().has_value());
    CHECK(inner.find(one.head.id).value()->cancel_requested);
    CHECK(one.write_step());
}

TEST_CASE("a wish to cancel that is told while a head that drops it waits is not told again") {
    probe_store inner;
    write_behind<probe_store> behind{inner, slow()};
    started one{behind};
    inner.hold(true);
    CHECK_FALSE(one.write_step());
    REQUIRE(inner.request_cancel(one.head.number).has_value());
    CHECK(behind.flush(0ms).has_error());
    inner.await_calls(1);
    one.head.status = operation_status::succeeded;
    CHECK_FALSE(one.drop_wish());  // waits behind the step, whose receipt will tell of the wish
    inner.hold(false);
    REQUIRE(behind.flush().has_value());
    CHECK_FALSE(inner.find(one.head.id).value()->cancel_requested);
    CHECK_FALSE(one.write_step());
}

/// A head, and what it does to a wish.
struct wish_write {
    bool brings = false;
    bool drops = false;
};

/// Whether a wish is left behind these, each written for itself.
bool wish_left(bool wished, std::vector<wish_write> const& heads) {
    memory_store store;
    operation_record head;
    head.id = {"", "install", "a"};
    head.cancel_requested = wished;
    head = store.start(head, store.enter("a test", 1h).value()).value().record;
    for (auto const& one : heads) {
        head.cancel_requested = one.brings;
        REQUIRE(store
                    .write({.number = head.number,
                            .epoch = head.epoch,
                            .head = &head,
                            .drop_wish = one.drops})
                    .has_value());
    }
    return store.find(head.id).value()->cancel_requested;
}

TEST_CASE("heads that come to the store as one leave of a wish what each for itself leaves") {
    enum class how : std::uint8_t { waiting, failed_once, logged };
    auto const way = GENERATE(how::waiting, how::failed_once, how::logged);
    for (unsigned bits = 0; bits != 32; ++bits) {
        auto const bit = [&](unsigned which) { return (bits >> which & 1U) != 0; };
        auto const wished = bit(0);
        std::vector<wish_write> const heads{{bit(1), bit(2)}, {bit(3), bit(4)}};
        INFO("way " << static_cast<int>(way) << ", bits " << bits);
        probe_store inner;
        memory_store log;
        auto options = slow();
        options.retry_wait = 1ms;
        std::optional<write_behind<probe_store, memory_store>> behind;
        behind.emplace(inner, log, options);
        started one{*behind};
        if (wished) REQUIRE(behind->request_cancel(one.head.number).has_value());
        if (way == how::failed_once) {
            // The first is under way as the second comes, and is handed over again with that.
            inner.hold(true);
            inner.fail_next({store_errc::unavailable});
        }
        if (way == how::logged) inner.fail_always(store_errc::unavailable);
        CHECK(one.write(heads[0].brings, heads[0].drops) == wished);
        if (way == how::failed_once) {
            CHECK(behind->flush(0ms).has_error());
            inner.await_calls(1);
        }
        CHECK(one.write(heads[1].brings, heads[1].drops) == wish_left(wished, {heads[0]}));
        inner.hold(false);
        CHECK(behind->shutdown(way == how::logged ? 0ms : 60s).has_error() == (way == how::logged));
        inner.heal();
        behind.emplace(inner, log, options);
        CHECK(inner.find(one.head.id).value()->cancel_requested == wish_left(wished, heads));
        CHECK(log.size() == 0);
    }
}

}  // namespace
