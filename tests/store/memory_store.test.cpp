// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/memory_store.hpp>

#include "support/catch.hpp"

#include <recoup/testing/store_conformance.hpp>

#include <chrono>
#include <memory>

namespace {

using recoup::memory_store;
using recoup::record;
using recoup::record_status;
using recoup::store_errc;
using recoup::system_time;

record ended(std::string key, system_time expires) {
    record what;
    what.id = {"", "download", std::move(key)};
    what.status = record_status::failed;
    what.expires = expires;
    return what;
}

constexpr system_time at(int seconds) { return system_time{std::chrono::seconds{seconds}}; }

TEST_CASE("a memory store keeps the contract of a persistence policy", "[concurrent]") {
    auto const make = [] {
        return std::make_unique<memory_store>(recoup::memory_store_options{
            .records_max = 400, .operations_max = 300, .record_bytes_max = 1U << 20U});
    };
    auto const report = recoup::testing::check_store(make, {.durability = recoup::durability::none,
                                                            .records_max = 400,
                                                            .operations_max = 300,
                                                            .record_bytes_max = 1U << 20U});
    INFO(report);
    CHECK(report.ok());
    CHECK(report.skipped ==
          std::vector<std::string>{
              "a reopened store gives what was acknowledged",
              "a reopened store gives the operations and steps that were acknowledged",
              "a reopened store takes owners of before for dead",
              "what a transaction records is recorded whole, under the fence"});
}

TEST_CASE("a full memory store makes room by removing what has expired by the callers' clock") {
    memory_store store{{.records_max = 2}};
    auto first = ended("first", at(10));
    auto second = ended("second", at(20));
    first.updated = at(1);
    second.updated = at(9);
    REQUIRE(store.save(first).has_value());
    REQUIRE(store.save(second).has_value());

    auto third = ended("third", at(30));
    auto const refused = store.save(third);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code() == store_errc::full);
    CHECK(refused.error().category() == recoup::category::disk_full);
    CHECK(refused.error().message() == "the memory store holds 2 records; its limit is 2");

    second.updated = at(10);  // somebody's clock has reached the first one's expiry
    second.revision = 2;
    REQUIRE(store.save(second).value() == 3);
    CHECK(store.save(third).has_value());
    CHECK_FALSE(store.load(first.id).value().has_value());
    CHECK(store.size() == 2);
}

TEST_CASE("errors of a memory store say which record, what was found and what was expected") {
    memory_store store{{.record_bytes_max = 200}};
    auto what = ended("a", at(10));
    REQUIRE(store.save(what).value() == 1);
    CHECK(store.save(what).error().message() == "record download/a is at revision 1; expected 0");
    CHECK(store.erase(what.id, 7).error().message() ==
          "record download/a is at revision 1; expected 7");
    what.id.space = "space";
    what.checkpoint.emplace(100, 'x');
    CHECK(store.save(what).error().message() ==
          "record space/download/a has 234 bytes; the store takes at most 200");
}

TEST_CASE("an empty memory store contains nothing, and a filled one denies nothing it has") {
    memory_store store{{.records_max = 20'000}};
    auto what = ended("0", at(10));
    CHECK_FALSE(store.may_contain(what.id));
    for (int i = 0; i != 20'000; ++i) {  // far above what the filter holds exactly
        what.id.key = std::to_string(i);
        REQUIRE(store.save(what).has_value());
    }
    auto denied = 0;
    for (int i = 0; i != 20'000; ++i) {
        what.id.key = std::to_string(i);
        denied += store.may_contain(what.id) ? 0 : 1;
    }
    CHECK(denied == 0);
}

TEST_CASE("a memory store that is full of operations makes room by what has ended and expired") {
    memory_store store{{.operations_max = 2}};
    auto const owner = store.enter("a test", std::chrono::hours{1}).value();
    recoup::operation_record what;
    what.id = {"", "install", "first"};
    what.status = recoup::operation_status::failed;
    what.updated = at(1);
    what.expires = at(10);
    auto const first = store.start(what, owner).value().record;
    std::vector<recoup::step_record> const steps{recoup::step_record{.index = 3}};
    REQUIRE(
        store.write({.number = first.number, .epoch = first.epoch, .steps = steps}).has_value());
    what.id.key = "second";
    what.status = recoup::operation_status::pending;
    what.updated = at(10);
    REQUIRE(store.start(what, 0).has_value());

    what.id.key = "third";
    auto const refused = store.start(what, 0);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code() == store_errc::full);
    CHECK(refused.error().message() == "the memory store holds 2 operations; its limit is 2");

    // Its owner is gone, and the newest `updated` has reached its expiry: it may go.
    REQUIRE(store.leave(owner).has_value());
    CHECK(store.start(what, 0).value().made);
    CHECK_FALSE(store.find(first.id).value().has_value());
    CHECK(store.steps(first.number).value().empty());
}

TEST_CASE("errors of a memory store's operations say which one, and what was found and expected") {
    memory_store store{{.record_bytes_max = 200}};
    auto const owner = store.enter("a test", std::chrono::hours{1}).value();
    recoup::operation_record what;
    what.id = {"space", "install", "a"};
    auto const made = store.start(what, owner).value().record;
    CHECK(store.write({.number = made.number, .epoch = 7}).error().message() ==
          "operation space/install/a is in epoch 1; this writer's is 7");
    CHECK(store.take(made.number, 1, owner).error().message() ==
          "operation space/install/a is run by owner 1");
    CHECK(store.take(made.number, 5, owner).error().message() ==
          "operation space/install/a is in epoch 1; expected 5");
    CHECK(store.take(99, 1, owner).error().message() == "there is no operation 99 any more");
    REQUIRE(store.write({.number = made.number, .epoch = 1, .release = true}).has_value());
    CHECK(store.write({.number = made.number, .epoch = 1}).error().message() ==
          "operation space/install/a is in epoch 1 and has no owner; this writer's is 1");
    CHECK(store.renew(9, std::chrono::hours{1}).error().message() == "owner 9 is not alive");
    what.id.key = "b";
    what.input.assign(100, 'x');
    CHECK(store.start(what, owner).error().code() == store_errc::too_large);
}

TEST_CASE("a sleep of the least duration there is begins at the end of time, and nothing wraps") {
    recoup::operation_record what;
    what.due = system_time::max();
    what.delay = recoup::duration::min();
    CHECK(recoup::detail::is_due(what, at(0)));
    what.delay = recoup::duration::max();
    CHECK_FALSE(recoup::detail::is_due(what, at(0)));
    what.due = system_time::min();
    CHECK(recoup::detail::is_due(what, system_time::min()));
}

}  // namespace
