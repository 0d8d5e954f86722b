// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/write_behind.hpp>

#include "support/catch.hpp"

#include "store/write_behind_support.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// The end of a write_behind: what is refused after it, and what becomes of that which waited. And what is
// read while others write.

namespace {

using namespace recoup_test::behind;

/// Counts the calls that would change something.
struct counting_store : probe_store {
    auto enter(std::string const& who, recoup::duration lease) {
        return ++reached, memory_store::enter(who, lease);
    }
    auto renew(std::uint64_t owner, recoup::duration lease) {
        return ++reached, memory_store::renew(owner, lease);
    }
    auto leave(std::uint64_t owner) { return ++reached, memory_store::leave(owner); }
    auto start(operation_record const& head, std::uint64_t owner, recoup::duration) {
        return ++reached, memory_store::start(head, owner);
    }
    auto claim(recoup::claim_request const& request) {
        return ++reached, memory_store::claim(request);
    }
    auto take(std::uint64_t number, std::uint64_t epoch, std::uint64_t owner) {
        return ++reached, memory_store::take(number, epoch, owner);
    }
    auto request_cancel(std::uint64_t number) {
        return ++reached, memory_store::request_cancel(number);
    }
    auto remove(std::uint64_t number, std::uint64_t epoch) {
        return ++reached, memory_store::remove(number, epoch);
    }
    auto clean_up(recoup::system_time now, std::size_t most) {
        return ++reached, memory_store::clean_up(now, most);
    }
    int reached = 0;
};

TEST_CASE("after the end nothing that changes the store reaches it") {
    counting_store inner;
    write_behind<counting_store> behind{inner, slow()};
    auto const owner = behind.enter("a test", 1h).value();
    auto head = begun(behind, owner);
    auto why = store_errc::stopped;
    SECTION("by a shutdown") { REQUIRE(behind.shutdown(1s).has_value()); }
    SECTION("by a failure of the store") {
        why = store_errc::corrupt;
        inner.fail_always(why);
        REQUIRE(behind.save(some("a")).has_value());
        CHECK(behind.flush().error().code() == why);
        inner.heal();
    }
    inner.reached = 0;
    auto const calls = inner.calls();
    CHECK(behind.save(some("b")).error().code() == why);
    CHECK(behind.erase(some("b").id, 1).error().code() == why);
    CHECK(behind.clean_up(recoup::system_time::max(), 1).error().code() == why);
    CHECK(behind.enter("another", 1h).error().code() == why);
    CHECK(behind.renew(owner, 1h).error().code() == why);
    CHECK(behind.start(head, owner).error().code() == why);
    std::vector<std::string> const names{"install"};
    CHECK(behind.claim({.owner = owner, .names = names}).error().code() == why);
    CHECK(behind.take(head.number, head.epoch, owner).error().code() == why);
    CHECK(behind.write({.number = head.number, .epoch = head.epoch}).error().code() == why);
    CHECK(behind.request_cancel(head.number).error().code() == why);
    CHECK(behind.remove(head.number, head.epoch).error().code() == why);
    CHECK(behind.leave(owner).error().code() == why);
    CHECK(inner.reached == 0);
    CHECK(inner.calls() == calls);
    CHECK(behind.find(head.id).value() == head);  // to read does no harm
}

TEST_CASE("writes of operations that wait at the end are flushed, or each is told and counted") {
    probe_store inner;
    losses lost;
    std::vector<operation_record> heads;
    write_behind<probe_store> behind{inner, slow(&lost)};
    auto const owner = behind.enter("a test", 1h).value();
    for (auto const* key : {"a", "b", "c"}) {
        heads.push_back(begun(behind, owner, key));
    }
    auto const write_all = [&](std::string const& progress) {
        for (auto& head : heads) {
            head.progress = progress;
            REQUIRE(behind.write({.number = head.number, .epoch = head.epoch, .head = &head})
                        .has_value());
        }
    };
    write_all("1");
    write_all("2");  // waits as one with the first
    REQUIRE(behind.save(some("d", 1)).has_value());
    CHECK(behind.statistics().waiting == 4);
    SECTION("flushed by a shutdown that has the time") {
        CHECK(behind.shutdown(30s).has_value());
        for (auto const& head : heads) CHECK(inner.find(head.id).value() == head);
        CHECK(stored(inner, "d") == 1);
        CHECK(lost.seen().empty());
        CHECK(behind.statistics().lost == 0);
        CHECK(behind.statistics().written == 4);
    }
    SECTION("told where the time is over") {
        inner.fail_always(store_errc::unavailable);
        CHECK(behind.shutdown(0ms).error().code() == store_errc::unavailable);
    }
    SECTION("told where the store has stopped") {
        inner.fail_always(store_errc::corrupt);
        CHECK(behind.shutdown(30s).error().code() == store_errc::corrupt);
    }
    if (behind.statistics().lost != 0) {
        CHECK(behind.statistics().lost == 4);
        std::vector<std::uint64_t> told;
        for (auto const& one : lost.seen()) told.push_back(one.number);
        std::sort(told.begin(), told.end());
        CHECK(told ==
              std::vector<std::uint64_t>{0, heads[0].number, heads[1].number, heads[2].number});
        for (auto const& head : heads) CHECK(inner.find(head.id).value()->progress.empty());
    } else {
        CHECK(inner.find(heads[0].id).value()->progress == "2");
    }
    CHECK(behind.statistics().waiting == 0);
}

TEST_CASE("the log's entry of an operation goes with its last write, not with an earlier one") {
    memory_store log;
    probe_store inner;
    losses lost;
    operation_record head;
    {
        write_behind<probe_store, memory_store> behind{inner, log, slow(&lost)};
        auto const owner = behind.enter("a test", 1h).value();
        head = begun(behind, owner);
        auto const write = [&](std::string progress) {
            head.progress = std::move(progress);
            REQUIRE(behind.write({.number = head.number, .epoch = head.epoch, .head = &head})
                        .has_value());
        };
        inner.hold(true);
        write("1");
        CHECK(behind.flush(0ms).has_error());
        inner.await_calls(1);
        write("2");
        CHECK(log.size() == 1);
        inner.let(1);
        CHECK(behind.flush(0ms).has_error());
        inner.await_calls(2);  // the first is with the store, the second on its way
        CHECK(log.size() == 1);
        inner.fail_always(store_errc::unavailable);
        inner.hold(false);
        CHECK(behind.shutdown(0ms).has_error());
    }
    CHECK(inner.find(head.id).value()->progress == "1");
    inner.heal();
    write_behind<probe_store, memory_store> const again{inner, log, slow(&lost)};
    CHECK(inner.find(head.id).value()->progress == "2");
    CHECK(log.size() == 0);
    CHECK(lost.seen().empty());
}

/// Its next load is held up between what it reads and its return.
struct slow_reader : memory_store {
    recoup::result<std::optional<record>> load(recoup::operation_ref id, recoup::duration at_most) {
        auto got = memory_store::load(id, at_most);
        if (armed.exchange(false)) {
            reading.set_value();
            go_on.get_future().wait();
        }
        return got;
    }
    // Where the filter knows that there is nothing, nothing is read.
    bool may_contain(recoup::operation_ref) const noexcept { return true; }

    std::atomic<bool> armed{false};
    std::promise<void> reading{};
    std::promise<void> go_on{};
};

TEST_CASE("a load that was slower than a save gives what was saved, and takes nothing back") {
    slow_reader inner;
    losses lost;
    auto what = some("a", 1);
    auto const known_before = GENERATE(true, false);
    {
        write_behind<slow_reader> first{inner, slow()};
        what.revision = first.save(what).value();
    }
    write_behind<slow_reader> behind{inner, slow(&lost)};
    if (known_before) {
        what.fingerprint = 2;
        what.revision = behind.save(what).value();
        REQUIRE(behind.flush().has_value());
    }
    inner.armed = true;
    auto slow_load = std::async(std::launch::async, [&] { return behind.load(what.id); });
    inner.reading.get_future().wait();
    what.fingerprint = 3;
    what.revision = behind.save(what).value();
    REQUIRE(behind.flush().has_value());  // neither waits nor is under way any more
    inner.go_on.set_value();
    CHECK(slow_load.get().value() == what);
    what.fingerprint = 4;
    CHECK(behind.save(what).has_value());
    CHECK(behind.flush().has_value());
    CHECK(stored(inner, "a") == 4);
    CHECK(lost.seen().empty());
}

TEST_CASE("who learnt a revision more slowly than another saved is told of the conflict") {
    slow_reader inner;
    losses lost;
    write_behind<slow_reader> behind{inner, slow(&lost)};
    inner.armed = true;
    auto late = std::async(std::launch::async, [&] { return behind.save(some("a", 9)); });
    inner.reading.get_future().wait();
    auto what = some("a", 1);
    what.revision = behind.save(what).value();
    REQUIRE(behind.flush().has_value());
    inner.go_on.set_value();
    CHECK(late.get().error().code() == store_errc::conflict);
    what.fingerprint = 2;
    CHECK(behind.save(what).has_value());
    CHECK(behind.flush().has_value());
    CHECK(stored(inner, "a") == 2);
    CHECK(lost.seen().empty());
}

}  // namespace
