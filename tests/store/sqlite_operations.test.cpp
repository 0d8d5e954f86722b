// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/sqlite_store.hpp>

#include "store/sqlite_operations_support.hpp"

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace recoup_test;
using recoup::operation_record;
using recoup::operation_status;
using recoup::sqlite_store;
using recoup::step_record;
using recoup::store_errc;

namespace {

/// One store in either kind of sharing.
recoup::sqlite_store_options options_of(bool shared) {
    return shared ? by_processes() : anywhere();
}

/// A file with one operation of three steps, whose owner is gone.
struct left_behind {
    temporary_folder folder;
    std::string path = folder / "store";
    operation_record head;

    left_behind() {
        sqlite_store store{path, anywhere()};
        auto const owner = must(store.enter("first", long_lease));
        head = begin(store, "a", owner);
        for (std::uint32_t i = 0; i != 3; ++i) must(write_step(store, head, some_step(i)));
        begin(store, "b", owner);
    }
    void damage(std::string const& sql) const { plain_connection{path}.run(sql); }
};

}  // namespace

TEST_CASE("An operation and its steps are read as they were written, also by the next process",
          "[sqlite_operations]") {
    auto const shared = GENERATE(false, true);
    temporary_folder const folder;
    operation_record head;
    auto last = some_step(0);
    {
        sqlite_store store{folder / "store", options_of(shared)};
        auto const owner = must(store.enter("me", long_lease));
        auto const started = must(store.start(some_operation("a"), owner));
        CHECK(started.made);
        head = some_operation("a");
        head.number = started.record.number;
        head.epoch = 1;
        head.owner = owner;
        CHECK(started.record == head);
        auto const again = must(store.start(some_operation("a"), owner));
        CHECK_FALSE(again.made);
        CHECK(again.record == head);

        last.status = recoup::step_status::begun;
        last.state = "halfway";
        must(write_step(store, head, last));
        last.status = recoup::step_status::done;
        last.last_failure = recoup::recorded_failure{};
        must(write_step(store, head, last));
        must(write_step(store, head, some_step(5)));
        head.status = operation_status::succeeded;
        head.result = "result";
        head.progress = "all of it";
        must(write_head(store, head, true));
        head.owner = 0;
        CHECK(must(store.find(head.id)) == head);
        CHECK(must(store.size()) == 1);
    }
    sqlite_store store{folder / "store", options_of(shared)};
    CHECK(must(store.find(head.id)) == head);
    CHECK(must(store.steps(head.number)) == std::vector<step_record>{last, some_step(5)});
    CHECK(must(store.operations({.status = operation_status::succeeded})) ==
          std::vector<operation_record>{head});
    CHECK(must(store.operations({.status = operation_status::running})).empty());
    CHECK_FALSE(must(store.find(some_operation("none").id)));
    auto const verified = must(store.verify());
    CHECK(verified.ok());
    CHECK(verified.operations == 1);
    CHECK(verified.steps == 2);
}

TEST_CASE("A write in another epoch, or without an owner, is fenced and changes nothing",
          "[sqlite_operations]") {
    auto const shared = GENERATE(false, true);
    temporary_folder const folder;
    sqlite_store store{folder / "store", options_of(shared)};
    auto const first = must(store.enter("first", long_lease));
    auto const head = begin(store, "a", first);
    CHECK(is(error_of(store.take(head.number, 1, first)), store_errc::owned));
    must(store.leave(first));
    auto const second = must(store.enter("second", long_lease));
    CHECK(second != first);
    auto const claimed = claim_all(store, second);
    REQUIRE(claimed.size() == 1);
    CHECK(claimed[0].epoch > head.epoch);
    CHECK(claimed[0].owner == second);
    CHECK(claim_all(store, second).empty());

    CHECK(is(error_of(write_step(store, head, some_step(0))), store_errc::fenced));
    CHECK(must(store.steps(head.number)).empty());
    must(write_step(store, claimed[0], some_step(0)));
    auto released = claimed[0];
    released.status = operation_status::pending;
    must(write_head(store, released, true));
    CHECK(is(error_of(write_step(store, claimed[0], some_step(1))), store_errc::fenced));
    CHECK(must(store.steps(head.number)).size() == 1);
    CHECK(is(error_of(store.take(head.number, 1, second)), store_errc::conflict));
    auto const taken = must(store.take(head.number, claimed[0].epoch, second));
    CHECK(taken.epoch > claimed[0].epoch);
}

TEST_CASE("Epochs and owners of an earlier process never come again, claimed or not",
          "[sqlite_operations]") {
    auto const shared = GENERATE(false, true);
    temporary_folder const folder;
    std::set<std::uint64_t> owners;
    std::set<std::uint64_t> epochs;
    std::vector<operation_record> earlier;
    for (int process = 0; process != 4; ++process) {
        // Each in turn as both kinds: a file may be used in one and then in the other.
        sqlite_store store{folder / "store", options_of((process % 2 == 0) == shared)};
        auto const owner = must(store.enter("process", long_lease));
        CHECK(owners.insert(owner).second);
        if (process == 0) earlier.push_back(begin(store, "a", owner));
        for (int claim = 0; claim != 3; ++claim) {
            auto const again = must(store.enter("again", long_lease));
            CHECK(owners.insert(again).second);
            if (process == 0 && claim == 0) must(store.leave(owner));
            auto const claimed = claim_all(store, again);
            REQUIRE(claimed.size() == 1);
            for (auto const& late : earlier)
                CHECK(is(error_of(write_step(store, late, some_step(0))), store_errc::fenced));
            CHECK(epochs.insert(claimed[0].epoch).second);
            earlier.push_back(claimed[0]);
            must(store.leave(again));
        }
    }
}

TEST_CASE("Those due first are claimed first, page by page, and what is freed comes back",
          "[sqlite_operations]") {
    auto const shared = GENERATE(false, true);
    temporary_folder const folder;
    sqlite_store store{folder / "store", options_of(shared)};
    auto const owner = must(store.enter("me", long_lease));
    std::vector<std::string> expected;
    for (int i = 0; i != 10; ++i) {
        auto what = some_operation("k" + std::to_string(i));
        what.due = recoup::system_time{std::chrono::seconds{100 - i}};
        expected.insert(expected.begin(), what.id.key);
        must(store.start(what, 0));
    }
    auto later = some_operation("later");
    later.due = recoup::system_time{std::chrono::seconds{3000}};
    later.delay = std::chrono::seconds{2000};
    must(store.start(later, 0));
    auto set_back = some_operation("set back");
    set_back.due = recoup::system_time{std::chrono::seconds{9000}};
    set_back.delay = std::chrono::seconds{10};
    must(store.start(set_back, 0));
    auto other = some_operation("other");
    other.id.name = "refund";
    must(store.start(other, 0));
    expected.emplace_back("set back");

    std::vector<operation_record> all;
    for (auto page = claim_all(store, owner, 4); !page.empty(); page = claim_all(store, owner, 4))
        all.insert(all.end(), page.begin(), page.end());
    std::vector<std::string> keys;
    for (auto const& each : all) keys.push_back(each.id.key);
    CHECK(keys == expected);
    auto back = all[2];
    back.status = operation_status::pending;
    must(write_head(store, back, true));
    auto const claimed = claim_all(store, owner, 4);
    REQUIRE(claimed.size() == 1);
    CHECK(claimed[0].id == back.id);
}

TEST_CASE("A wish to cancel is told with every receipt until a write drops it",
          "[sqlite_operations]") {
    auto const shared = GENERATE(false, true);
    temporary_folder const folder;
    sqlite_store store{folder / "store", options_of(shared)};
    auto const owner = must(store.enter("me", long_lease));
    auto head = begin(store, "a", owner);
    CHECK_FALSE(must(write_step(store, head, some_step(0))).cancel_requested);
    CHECK(must(store.renew(owner, long_lease)).empty());
    must(store.request_cancel(head.number));
    CHECK(must(write_step(store, head, some_step(1))).cancel_requested);
    CHECK(must(store.find(head.id))->cancel_requested);
    CHECK(must(store.renew(owner, long_lease)) == std::vector<std::uint64_t>{head.number});
    CHECK(must(write_head(store, head, false)).cancel_requested);  // it had not heard of it
    CHECK(must(store.find(head.id))->cancel_requested);
    CHECK(must(store.write(
                   {.number = head.number, .epoch = head.epoch, .head = &head, .drop_wish = true}))
              .cancel_requested);
    CHECK_FALSE(must(write_step(store, head, some_step(2))).cancel_requested);
    CHECK(must(store.renew(owner, long_lease)).empty());
    CHECK(is(error_of(store.request_cancel(head.number + 1)), store_errc::fenced));
    CHECK(is(error_of(store.renew(owner + 1, long_lease)), store_errc::fenced));
}

TEST_CASE("Operations go with their steps, by hand and once they have expired",
          "[sqlite_operations]") {
    auto const shared = GENERATE(false, true);
    temporary_folder const folder;
    sqlite_store store{folder / "store", options_of(shared)};
    auto const owner = must(store.enter("me", long_lease));
    auto head = begin(store, "a", owner);
    must(write_step(store, head, some_step(0)));
    CHECK(is(error_of(store.remove(head.number, 1)), store_errc::owned));
    head.status = operation_status::succeeded;
    head.expires = recoup::system_time{std::chrono::seconds{5000}};
    must(write_head(store, head, true));
    auto gone = begin(store, "b", owner);
    must(write_step(store, gone, some_step(0)));
    must(write_head(store, gone, true));
    CHECK(is(error_of(store.remove(gone.number, 9)), store_errc::conflict));
    must(store.remove(gone.number, 1));
    CHECK_FALSE(must(store.find(gone.id)));
    CHECK(must(store.steps(gone.number)).empty());

    auto const at = [](int seconds) { return recoup::system_time{std::chrono::seconds{seconds}}; };
    CHECK(must(store.clean_up(at(4999), 10)) == 0);
    CHECK(must(store.clean_up(at(5000), 10)) == 1);
    CHECK_FALSE(must(store.find(head.id)));
    CHECK(must(store.size()) == 0);
    CHECK(must(store.verify()).ok());
    CHECK(begin(store, "a", owner).number > gone.number);
}

TEST_CASE("Dropped steps go, and those that come with the write stay", "[sqlite_operations]") {
    temporary_folder const folder;
    sqlite_store store{folder / "store", anywhere()};
    auto const owner = must(store.enter("me", long_lease));
    auto const head = begin(store, "a", owner);
    for (std::uint32_t i = 0; i != 4; ++i) must(write_step(store, head, some_step(i)));
    auto const fresh = some_step(1);
    must(store.write(
        {.number = head.number, .epoch = head.epoch, .steps = {&fresh, 1}, .drop_steps = true}));
    CHECK(must(store.steps(head.number)) == std::vector<step_record>{fresh});
}

TEST_CASE("What is damaged is corrupt, never a wrong value and never nothing",
          "[sqlite_operations]") {
    left_behind const file;
    auto const number = std::to_string(file.head.number);
    struct damage {
        std::string sql;
        bool of_head;
    };
    auto const each = GENERATE_COPY(
        damage{"UPDATE recoup_operation SET status=3 WHERE number=" + number, true},
        damage{"UPDATE recoup_operation SET due=5 WHERE number=" + number, true},
        damage{"UPDATE recoup_operation SET slept=5 WHERE number=" + number, true},
        damage{"UPDATE recoup_operation SET expires=5 WHERE number=" + number, true},
        damage{"UPDATE recoup_operation SET parent=5 WHERE number=" + number, true},
        damage{"UPDATE recoup_operation SET epoch=5 WHERE number=" + number, true},
        damage{"UPDATE recoup_operation SET owner=5 WHERE number=" + number, true},
        damage{"UPDATE recoup_operation SET cancel=1 WHERE number=" + number, true},
        damage{"UPDATE recoup_operation SET steps=2 WHERE number=" + number, true},
        damage{"UPDATE recoup_operation SET digest=2 WHERE number=" + number, true},
        damage{"UPDATE recoup_operation SET payload=CAST(substr(payload, 1, 90) || x'00' || "
               "substr(payload, 92) AS BLOB) WHERE number=" +
                   number,
               true},
        damage{"UPDATE recoup_operation SET number=9 WHERE number=" + number, true},
        damage{"DELETE FROM recoup_operation WHERE number=" + number, true},
        damage{"DELETE FROM recoup_step WHERE place % 1048576 = 1", false},
        damage{"DELETE FROM recoup_step WHERE place % 1048576 = 2", false},
        damage{"UPDATE recoup_step SET place=place+4 WHERE place % 1048576 = 2", false},
        damage{"UPDATE recoup_step SET payload=x'' WHERE place % 1048576 = 0", false},
        damage{"UPDATE recoup_step SET payload=CAST(substr(payload, 1, 50) || x'00' || "
               "substr(payload, 52) AS BLOB) WHERE place % 1048576 = 0",
               false},
        damage{"UPDATE recoup_step SET payload=(SELECT payload FROM recoup_step WHERE place % "
               "1048576 = 1) WHERE place % 1048576 = 0",
               false});
    CAPTURE(each.sql);
    file.damage(each.sql);
    sqlite_store store{file.path, anywhere()};
    if (each.of_head)
        CHECK(is(error_of(store.find(file.head.id)), store_errc::corrupt));
    else
        CHECK(is(error_of(store.steps(file.head.number)), store_errc::corrupt));
    auto const verified = must(store.verify());
    CHECK_FALSE(verified.ok());
    CHECK(verified.operations_expected == 2);
    // The other one goes on, and is all that is listed unless only steps are damaged.
    CHECK(must(store.find(some_operation("b").id)));
    if (each.of_head) {
        CHECK(must(store.operations()).size() == 1);
        auto const owner = must(store.enter("second", long_lease));
        CHECK(claim_all(store, owner).size() == 1);
        CHECK(is(error_of(store.start(some_operation("a"), owner)), store_errc::corrupt));
    }

    // Discarded and accepted, the file is whole again.
    for (auto const& damaged : verified.damaged) {
        auto const gone = store.discard(damaged);
        // Without a damaged step, its operation may be whole already.
        if (!gone.has_value()) CHECK(is(gone.error(), store_errc::conflict));
    }
    must(store.accept_loss());
    CHECK(must(store.verify()).ok());
    CHECK(must(store.find(some_operation("b").id)));
}

TEST_CASE("A damaged operation cannot be written to", "[sqlite_operations]") {
    left_behind const file;
    file.damage("UPDATE recoup_operation SET epoch=5 WHERE number=" +
                std::to_string(file.head.number));
    sqlite_store store{file.path, anywhere()};
    auto late = file.head;
    late.epoch = 5;
    CHECK(is(error_of(write_step(store, late, some_step(9))), store_errc::corrupt));
    CHECK(is(error_of(store.take(late.number, 5, 1)), store_errc::corrupt));
    CHECK(must(store.damaged()).size() == 1);
    CHECK(must(store.damaged())[0].kind == recoup::damaged_kind::operation);
}

TEST_CASE("Files of the versions before are migrated, with what they hold", "[sqlite_operations]") {
    temporary_folder const folder;
    auto const path = folder / "store";
    {
        sqlite_store store{path, anywhere()};
        put(store, "kept");
    }
    auto const version = GENERATE(0, 1);
    {
        plain_connection old{path};
        for (auto const* table : {"recoup_operation", "recoup_owner", "recoup_step"})
            old.run(std::string{"DROP TABLE "} + table);
        if (version == 0) {
            old.run("DROP TABLE recoup_state");
            old.run("DROP INDEX recoup_record_expiry");
        } else {
            // The account in its first format, whose revision must not be given out again.
            recoup::detail::store_account account;
            account.add(some_record("kept").id);
            account.next_revision = 40;
            std::string bytes;
            recoup::detail::put_number(bytes, std::uint8_t{1});
            for (auto const number : {account.records, account.digest, account.next_revision})
                recoup::detail::put_number(bytes, number);
            recoup::detail::put_number(bytes, std::int64_t{0});
            recoup::detail::put_number(bytes, recoup::detail::crc32c(bytes));
            std::string hex;
            for (auto const byte : bytes) {
                auto const value = static_cast<unsigned char>(byte);
                hex += "0123456789abcdef"[value >> 4U];
                hex += "0123456789abcdef"[value & 15U];
            }
            old.run("UPDATE recoup_state SET state=x'" + hex + "'");
        }
        old.run("PRAGMA user_version=" + std::to_string(version));
    }
    sqlite_store store{path, anywhere()};
    CHECK(must(store.load(some_record("kept").id)));
    if (version == 1) CHECK(put(store, "new") == 40);
    auto const owner = must(store.enter("me", long_lease));
    auto const head = begin(store, "a", owner);
    must(write_step(store, head, some_step(0)));
    CHECK(must(store.verify()).ok());
}

TEST_CASE("A file of version 2 is migrated, and what is due in it is found",
          "[sqlite_operations]") {
    auto const shared = GENERATE(false, true);
    temporary_folder const folder;
    auto const path = folder / "store";
    {
        sqlite_store store{path, options_of(shared)};
        for (auto const* key : {"a", "b"}) must(store.start(some_operation(key), 0));
        auto asleep = some_operation("asleep");
        asleep.due = recoup::system_time{std::chrono::seconds{9000}};
        asleep.delay = std::chrono::seconds{10};
        must(store.start(asleep, 0));
    }
    {
        plain_connection old{path};
        old.run("DROP INDEX recoup_operation_slept");
        old.run("DROP INDEX recoup_operation_due");
        old.run(
            "CREATE INDEX recoup_operation_due ON recoup_operation (due, number, slept) WHERE "
            "status < 3");
        old.run("PRAGMA user_version=2");
    }
    sqlite_store store{path, options_of(shared)};
    CHECK(plain_connection{path}.ask("PRAGMA user_version") == "3");
    auto const owner = must(store.enter("me", long_lease));
    std::vector<std::string> keys;
    for (auto const& each : claim_all(store, owner)) keys.push_back(each.id.key);
    CHECK(keys == std::vector<std::string>{"a", "b", "asleep"});
    CHECK(must(store.verify()).ok());
}

TEST_CASE("Callers at the same time share commits, and each has its own verdict",
          "[sqlite_operations][concurrent]") {
    temporary_folder const folder;
    sqlite_store store{folder / "store", anywhere()};
    auto const owner = must(store.enter("me", long_lease));
    constexpr int threads_count = 12;
    constexpr std::uint32_t steps_each = 20;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i != threads_count; ++i)
        threads.emplace_back([&, i] {
            auto const key = std::to_string(i);
            auto const started = store.start(some_operation(key), owner);
            if (!started.has_value()) {
                ++wrong;
                return;
            }
            auto head = started.value().record;
            auto late = head;
            late.epoch = 2;
            for (std::uint32_t step = 0; step != steps_each; ++step) {
                if (!write_step(store, head, some_step(step)).has_value()) ++wrong;
                // One that is too late, and a record, in the same batches.
                if (!is(error_of(write_step(store, late, some_step(500))), store_errc::fenced))
                    ++wrong;
                auto record = some_record(key + "/" + std::to_string(step));
                if (!store.save(record).has_value()) ++wrong;
                if (!is(error_of(store.save(record)), store_errc::conflict)) ++wrong;
            }
            head.status = operation_status::succeeded;
            if (!write_head(store, head, true).has_value()) ++wrong;
        });
    for (auto& each : threads) each.join();
    CHECK(wrong == 0);
    auto const verified = must(store.verify());
    CHECK(verified.ok());
    CHECK(verified.steps == threads_count * steps_each);
    CHECK(verified.operations == threads_count);
    CHECK(verified.records == threads_count * steps_each);
}

TEST_CASE("Two writes to one operation in one batch see each other",
          "[sqlite_operations][concurrent]") {
    temporary_folder const folder;
    sqlite_store store{folder / "store", anywhere()};
    auto const owner = must(store.enter("me", long_lease));
    auto const head = begin(store, "a", owner);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i != 8; ++i)
        threads.emplace_back([&, i] {
            for (std::uint32_t step = 0; step != 25; ++step)
                if (!write_step(store, head, some_step(i * 25 + step)).has_value()) ++wrong;
        });
    for (auto& each : threads) each.join();
    CHECK(wrong == 0);
    CHECK(must(store.steps(head.number)).size() == 200);
}

TEST_CASE("A planted trigger that drops writes is refused or heard", "[sqlite_operations]") {
    left_behind const file;
    SECTION("before the file is opened") {
        file.damage(
            "CREATE TRIGGER lose BEFORE INSERT ON recoup_step BEGIN SELECT RAISE(IGNORE); END");
        CHECK(is(opening_error(file.path), store_errc::foreign_schema));
    }
    SECTION("one on a table of the user's too") {
        file.damage(
            "CREATE TABLE mine (a); CREATE TRIGGER lose BEFORE INSERT ON mine BEGIN SELECT "
            "RAISE(IGNORE); END");
        CHECK(is(opening_error(file.path), store_errc::foreign_schema));
    }
    SECTION("while it is open") {
        sqlite_store store{file.path, anywhere()};
        auto const owner = must(store.enter("me", long_lease));
        auto const claimed = claim_all(store, owner);
        file.damage(
            "CREATE TRIGGER lose BEFORE INSERT ON recoup_step BEGIN SELECT RAISE(IGNORE); END");
        // Triggers are off for this connection, so that the write is either made or not acknowledged.
        auto const wrote = write_step(store, claimed[0], some_step(7));
        CHECK(must(store.steps(claimed[0].number)).size() == (wrote.has_value() ? 4U : 3U));
    }
}

TEST_CASE("In a forked child nothing can be written, and the parent goes on",
          "[sqlite_operations]") {
    temporary_folder const folder;
    sqlite_store store{folder / "store", anywhere()};
    auto const owner = must(store.enter("me", long_lease));
    auto const head = begin(store, "a", owner);
    auto const child = ::fork();
    if (child == 0) {
        auto const refused =
            is(error_of(write_step(store, head, some_step(0))), store_errc::forked) &&
            is(error_of(store.enter("child", long_lease)), store_errc::forked) &&
            is(error_of(store.find(head.id)), store_errc::forked);
        ::_exit(refused ? 0 : 1);
    }
    int status = 1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    must(write_step(store, head, some_step(0)));
}

TEST_CASE("A store that is full says so, and ended operations make room", "[sqlite_operations]") {
    temporary_folder const folder;
    auto options = anywhere();
    options.operations_max = 2;
    sqlite_store store{folder / "store", options};
    auto const owner = must(store.enter("me", long_lease));
    auto head = begin(store, "a", owner);
    begin(store, "b", owner);
    CHECK(is(error_of(store.start(some_operation("c"), owner)), store_errc::full));
    CHECK_FALSE(must(store.start(some_operation("b"), owner)).made);
    head.status = operation_status::failed;
    head.expires = recoup::system_time{std::chrono::seconds{1000}};
    must(write_head(store, head, true));
    CHECK(must(store.start(some_operation("c"), owner)).made);
    CHECK_FALSE(must(store.find(head.id)));
}

TEST_CASE("A backup holds operations and steps", "[sqlite_operations]") {
    left_behind const file;
    {
        sqlite_store store{file.path, anywhere()};
        must(store.backup(file.folder / "copy"));
    }
    sqlite_store copy{file.folder / "copy", anywhere()};
    CHECK(must(copy.steps(file.head.number)).size() == 3);
    CHECK(must(copy.verify()).ok());
}
