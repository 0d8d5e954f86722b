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
    bool write(bool keeps_wish = false) {
        head.cancel_requested = keeps_wish;
        return told({.number = head.number, .epoch = head.epoch, .head = &head});
    }
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

TEST_CASE("a wish to cancel that a waiting head takes back unknowingly is told and stays") {
    memory_store inner;
    write_behind<memory_store> behind{inner, slow()};
    started one{behind};
    auto const number = one.head.number;
    CHECK_FALSE(one.write());
    REQUIRE(inner.request_cancel(number).has_value());
    REQUIRE(behind.flush().has_value());
    CHECK(inner.find(one.head.id).value()->cancel_requested);
    CHECK(behind.renew(one.owner, 1h).value() == std::vector{number});
    SECTION("until a head takes it back that knows of it") {
        CHECK(one.write());
        CHECK_FALSE(one.write());
        REQUIRE(behind.flush().has_value());
        CHECK_FALSE(inner.find(one.head.id).value()->cancel_requested);
        CHECK_FALSE(one.write_step());
    }
    SECTION("over heads that keep it, and steps") {
        CHECK(one.write_step());
        CHECK(one.write(true));
        REQUIRE(behind.flush().has_value());
        CHECK(one.write_step());
        CHECK(inner.find(one.head.id).value()->cancel_requested);
    }
    SECTION("also where a step was on its way as a head took it back") {
        CHECK(one.write_step());
        CHECK(one.write());
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

TEST_CASE("a head that ends the operation takes a wish to cancel with it") {
    memory_store inner;
    write_behind<memory_store> behind{inner, slow()};
    started one{behind};
    one.head.status = operation_status::succeeded;
    CHECK_FALSE(one.write());
    REQUIRE(inner.request_cancel(one.head.number).has_value());
    REQUIRE(behind.flush().has_value());
    CHECK_FALSE(inner.find(one.head.id).value()->cancel_requested);
}

TEST_CASE("a wish to cancel that a head of the log takes back unknowingly stays") {
    probe_store inner;
    memory_store log;
    auto const knows = GENERATE(false, true);
    std::optional<operation_record> head;
    {
        write_behind<probe_store, memory_store> behind{inner, log, slow()};
        started one{behind};
        if (knows) REQUIRE(behind.request_cancel(one.head.number).has_value());
        inner.fail_always(store_errc::unavailable);
        CHECK(one.write() == knows);
        CHECK(behind.shutdown(0ms).has_error());
        head = one.head;
    }
    inner.heal();
    if (!knows) REQUIRE(inner.request_cancel(head->number).has_value());
    write_behind<probe_store, memory_store> const again{inner, log, slow()};
    CHECK(log.size() == 0);
    CHECK(inner.find(head->id).value()->cancel_requested == !knows);
}

TEST_CASE("a wish to cancel that cannot be noted again is a loss, and told all the same") {
    struct forgetful : memory_store {
        recoup::result<void> request_cancel(std::uint64_t) {
            return recoup::failure{store_errc::unavailable};
        }
    };
    forgetful inner;
    losses lost;
    write_behind<forgetful> behind{inner, slow(&lost)};
    started one{behind};
    CHECK_FALSE(one.write());
    REQUIRE(inner.memory_store::request_cancel(one.head.number).has_value());
    REQUIRE(behind.flush().has_value());
    CHECK(one.write_step());
    REQUIRE(lost.seen().size() == 1);
    CHECK(lost.seen()[0].number == one.head.number);
}

}  // namespace
