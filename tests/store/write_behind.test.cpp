// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/write_behind.hpp>

#include "support/catch.hpp"

#include "store/sqlite_support.hpp"
#include "store/write_behind_support.hpp"

#include <recoup/store/memory_store.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/testing/store_conformance.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <thread>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

namespace {

using namespace std::chrono_literals;
using namespace recoup_test::behind;
using recoup::sqlite_store;
using recoup::testing::manual_clock;

TEST_CASE("a write_behind before a memory store keeps the contract", "[concurrent]") {
    auto const make = [] {
        auto both = std::make_shared<on_a_store<memory_store>>();
        return std::shared_ptr<write_behind<memory_store>>{both, &both->behind};
    };
    auto const report = recoup::testing::check_store(
        make, {.durability = recoup::durability::none, .record_bytes_max = 1U << 20U});
    INFO(report);
    CHECK(report.ok());
    CHECK(report.checked.size() == 54);
}

TEST_CASE("a write_behind with a log keeps the contract", "[concurrent]") {
    struct logged {
        memory_store inner{};
        memory_store log{};
        write_behind<memory_store, memory_store> behind{inner, log, {.window = 2ms}};
    };
    auto const make = [] {
        auto both = std::make_shared<logged>();
        return std::shared_ptr<write_behind<memory_store, memory_store>>{both, &both->behind};
    };
    auto const report = recoup::testing::check_store(make, {.rounds = 30});
    INFO(report);
    CHECK(report.ok());
}

TEST_CASE("a write_behind before a SQLite store keeps the contract", "[concurrent]") {
    recoup_test::temporary_folder const folder;
    unsigned made = 0;
    auto const make = [&] {
        auto both = std::make_shared<on_a_store<sqlite_store>>(
            folder / (std::to_string(++made) + ".db"),
            recoup::sqlite_store_options{.durability = recoup::durability::process_crash});
        return std::shared_ptr<write_behind<sqlite_store>>{both, &both->behind};
    };
    auto const report = recoup::testing::check_store(make, {.rounds = 20});
    INFO(report);
    CHECK(report.ok());
}

TEST_CASE("what was flushed is there when the store is opened again") {
    recoup_test::temporary_folder const folder;
    auto const path = folder / "behind.db";
    {
        sqlite_store inner{path};
        write_behind<sqlite_store> behind{inner, slow()};
        REQUIRE(behind.save(some("kept", 7)).has_value());
        REQUIRE(behind.save(some("by the destructor", 8)).has_value());
        REQUIRE(behind.flush().has_value());
        auto gone = some("gone");
        gone.revision = behind.save(gone).value();
        REQUIRE(behind.erase(gone.id, gone.revision).has_value());
    }
    sqlite_store again{path};
    CHECK(stored(again, "kept") == 7);
    CHECK(stored(again, "by the destructor") == 8);
    CHECK(again.size().value() == 2);
}

TEST_CASE("something waits for the window, and what was measured says so") {
    manual_clock clock{{.auto_advance = false}};
    probe_store inner;
    write_behind<probe_store, recoup::detail::no_log, manual_clock> behind{
        inner, recoup::detail::no_log::instance(), clock, {.window = 50ms}};
    CHECK(behind.window() == 50ms);
    clock.await_waiting(1);  // idle
    REQUIRE(behind.save(some("a", 1)).has_value());
    REQUIRE(eventually([&] { return clock.waits().size() >= 2; }));  // woken for the first one
    clock.await_waiting(1);
    CHECK(clock.waits().back() == 50ms);
    clock.advance(30ms);
    auto next = some("b", 2);
    REQUIRE(behind.save(next).has_value());
    CHECK(inner.calls() == 0);
    clock.advance(20ms);
    inner.await_calls(1);
    REQUIRE(eventually([&] { return clock.waits().size() >= 3; }));
    clock.await_waiting(1);
    CHECK(clock.waits().back() == 30ms);  // the second one's rest
    CHECK(inner.calls() == 1);
    clock.advance(30ms);
    inner.await_calls(2);
    REQUIRE(eventually([&] { return behind.statistics().written == 2; }));
    auto const seen = behind.statistics();
    CHECK(seen.longest == 50ms);
    CHECK(seen.typical == 50ms);
    CHECK(seen.waiting_most == 2);
    CHECK(seen.lost == 0);
}

TEST_CASE("the writer wakes once for all that is due within a quarter of the window") {
    manual_clock clock{{.auto_advance = false}};
    probe_store inner;
    write_behind<probe_store, recoup::detail::no_log, manual_clock> behind{
        inner, recoup::detail::no_log::instance(), clock, {.window = 40ms}};
    clock.await_waiting(1);  // idle
    REQUIRE(behind.save(some("first", 1)).has_value());
    REQUIRE(eventually([&] { return clock.waits().size() >= 2; }));
    clock.await_waiting(1);
    clock.advance(10ms);
    REQUIRE(behind.save(some("soon", 2)).has_value());
    clock.advance(1ms);
    REQUIRE(behind.save(some("later", 3)).has_value());
    clock.advance(29ms);
    inner.await_calls(2);
    REQUIRE(eventually([&] { return clock.waits().size() >= 3; }));
    clock.await_waiting(1);
    CHECK(inner.calls() == 2);
    CHECK(clock.waits().size() == 3);
    CHECK(clock.waits().back() == 11ms);
}

TEST_CASE("saves of one record that wait are one, and one that is erased in time is none") {
    probe_store inner;
    write_behind<probe_store> behind{inner, slow()};
    auto what = some("a");
    for (unsigned i = 1; i <= 100; ++i) {
        what.fingerprint = i;
        auto const saved = behind.save(what);
        REQUIRE(saved.has_value());
        REQUIRE(saved.value() > what.revision);
        auto stale = what;
        CHECK(behind.save(stale).error().code() == store_errc::conflict);
        what.revision = saved.value();
        REQUIRE(behind.load(what.id).value() == what);
    }
    auto brief = some("brief");
    brief.revision = behind.save(brief).value();
    REQUIRE(behind.erase(brief.id, brief.revision).has_value());
    CHECK_FALSE(behind.load(brief.id).value().has_value());
    REQUIRE(behind.flush().has_value());
    CHECK(inner.calls() == 1);
    CHECK(stored(inner, "a") == 100);
    CHECK(behind.load(what.id).value() == what);
    what.fingerprint = 101;
    CHECK(behind.save(what).has_value());
}

TEST_CASE("writes of one operation that wait are one, with all of their steps") {
    probe_store inner;
    write_behind<probe_store> behind{inner, slow()};
    auto const owner = behind.enter("a test", 1h).value();
    auto head = begun(behind, owner);
    std::vector<recoup::step_record> all;
    for (std::uint32_t i = 0; i != 10; ++i) {
        all.push_back({.index = i, .value = std::to_string(i)});
        head.progress = std::to_string(i);
        auto const steps = std::span{all}.last(1);
        REQUIRE(
            behind
                .write({.number = head.number, .epoch = head.epoch, .head = &head, .steps = steps})
                .has_value());
    }
    CHECK(inner.calls() == 0);
    CHECK(behind.steps(head.number).value() == all);
    CHECK(inner.calls() == 1);
    CHECK(behind.find(head.id).value() == head);
}

TEST_CASE("a full queue makes callers wait, and then refuses") {
    probe_store inner;
    auto options = slow();
    options.queue_max = 2;
    SECTION("at once where that was asked for") {
        options.refuse_when_full = true;
        inner.hold(true);
        write_behind<probe_store> behind{inner, options};
        REQUIRE(behind.save(some("0")).has_value());
        inner.await_calls(1);  // half full is handed over: it is under way
        REQUIRE(behind.save(some("1")).has_value());
        auto two = some("2");
        two.revision = behind.save(two).value();
        auto const refused = behind.save(some("3"));
        CHECK(refused.error().code() == store_errc::unavailable);
        CHECK(behind.save(two).has_value());  // it needs no place of its own
        inner.hold(false);
        REQUIRE(behind.flush().has_value());
        CHECK(inner.size() == 3);
        CHECK(behind.save(some("3")).has_value());
    }
    SECTION("when its time is up, or there is room") {
        inner.hold(true);
        write_behind<probe_store> behind{inner, options};
        REQUIRE(behind.save(some("0")).has_value());
        inner.await_calls(1);
        REQUIRE(behind.save(some("1")).has_value());
        REQUIRE(behind.save(some("2")).has_value());
        CHECK(behind.save(some("3"), 1ms).error().code() == store_errc::unavailable);
        CHECK(behind.flush(1ms).error().code() == store_errc::unavailable);
        std::jthread const waiting{[&] { CHECK(behind.save(some("4")).has_value()); }};
        inner.hold(false);
    }
    CHECK(inner.size() == 4);
}

TEST_CASE("a failure of the store that may pass is asked again, and nothing is lost") {
    probe_store inner;
    losses lost;
    auto options = slow(&lost);
    options.retry_wait = 1ns;
    write_behind<probe_store> behind{inner, options};
    inner.fail_next({store_errc::unavailable, store_errc::locked, store_errc::full});
    auto what = some("a", 1);
    what.revision = behind.save(what).value();
    what.fingerprint = 2;
    REQUIRE(behind.save(what).has_value());
    REQUIRE(behind.save(some("b", 3)).has_value());
    REQUIRE(behind.flush().has_value());
    CHECK(stored(inner, "a") == 2);
    CHECK(stored(inner, "b") == 3);
    CHECK(behind.statistics().retried == 3);
    CHECK(lost.seen().empty());
}

TEST_CASE("a record that another writer changed first is a loss that is told twice") {
    probe_store inner;
    losses lost;
    write_behind<probe_store> behind{inner, slow(&lost)};
    auto what = some("a", 1);
    what.revision = behind.save(what).value();
    REQUIRE(behind.flush().has_value());
    auto other = inner.load(what.id).value().value();
    other.fingerprint = 2;
    REQUIRE(inner.save(other, recoup::unlimited).has_value());
    what.fingerprint = 3;
    what.revision = behind.save(what).value();
    REQUIRE(behind.flush().has_value());
    REQUIRE(lost.seen().size() == 1);
    CHECK(lost.seen()[0].id == what.id);
    CHECK(lost.seen()[0].why.code() == store_errc::conflict);
    CHECK(behind.statistics().lost == 1);
    CHECK(behind.save(what).error().code() == store_errc::conflict);
    auto now = behind.load(what.id).value().value();
    CHECK(now.fingerprint == 2);
    now.fingerprint = 4;
    REQUIRE(behind.save(now).has_value());
    REQUIRE(behind.flush().has_value());
    CHECK(stored(inner, "a") == 4);
}

TEST_CASE("an operation that another owner took over is a loss, and its writer is fenced") {
    probe_store inner;
    losses lost;
    write_behind<probe_store> behind{inner, slow(&lost)};
    auto const owner = behind.enter("a test", 1h).value();
    auto head = begun(behind, owner);
    auto const other = inner.enter("another process", 1h).value();
    REQUIRE(inner.leave(owner).has_value());  // its lease ran out
    auto const taken = inner.take(head.number, head.epoch, other);
    REQUIRE(taken.has_value());
    recoup::operation_write const late{.number = head.number, .epoch = head.epoch, .head = &head};
    REQUIRE(behind.write(late).has_value());
    REQUIRE(behind.flush().has_value());
    REQUIRE(lost.seen().size() == 1);
    CHECK(lost.seen()[0].number == head.number);
    for (int i = 0; i != 2; ++i) CHECK(behind.write(late).error().code() == store_errc::fenced);
    CHECK(behind.find(head.id).value() == taken.value());
}

TEST_CASE("a store that stopped stops what is before it, and what waited is reported") {
    auto const why = GENERATE(store_errc::stopped, store_errc::corrupt, store_errc::read_only);
    probe_store inner;
    losses lost;
    write_behind<probe_store> behind{inner, slow(&lost)};
    inner.fail_always(why);
    REQUIRE(behind.save(some("a")).has_value());
    REQUIRE(behind.save(some("b")).has_value());
    CHECK(behind.flush().error().code() == why);
    CHECK(behind.save(some("c")).error().code() == why);
    CHECK(behind.list().value().empty());  // reading goes on
    CHECK(behind.shutdown(1s).error().code() == why);
    std::vector<std::string> keys;
    for (auto const& one : lost.seen()) keys.push_back(one.id.key);
    std::sort(keys.begin(), keys.end());
    CHECK(keys == std::vector<std::string>{"a", "b"});
}

TEST_CASE("shutting down gives up in time and reports what is lost") {
    probe_store inner;
    losses lost;
    {
        write_behind<probe_store> behind{inner, slow(&lost)};
        inner.fail_always(store_errc::unavailable);
        REQUIRE(behind.save(some("a")).has_value());
        CHECK(behind.shutdown(1ms).error().code() == store_errc::unavailable);
        CHECK(behind.save(some("b")).has_error());
    }
    REQUIRE(lost.seen().size() == 1);
    CHECK(lost.seen()[0].id.key == "a");
}

TEST_CASE("what a log holds is handed to the store at the next opening, once") {
    memory_store log;
    probe_store inner;
    losses lost;
    auto const owner = inner.enter("a test", 1h).value();
    operation_record head;
    {
        write_behind<probe_store, memory_store> behind{inner, log, slow(&lost)};
        auto old = some("old", 1);
        old.revision = behind.save(old).value();
        auto erased = some("erased", 1);
        erased.revision = behind.save(erased).value();
        head = begun(behind, owner);
        CHECK(log.size() == 0);  // handed over before the start
        inner.fail_always(store_errc::unavailable);
        old.fingerprint = 2;
        REQUIRE(behind.save(old).has_value());
        REQUIRE(behind.save(some("new", 3)).has_value());
        REQUIRE(behind.erase(erased.id, erased.revision).has_value());
        std::vector<recoup::step_record> const steps{recoup::step_record{.index = 4}};
        head.progress = "half";
        REQUIRE(
            behind
                .write({.number = head.number, .epoch = head.epoch, .head = &head, .steps = steps})
                .has_value());
        CHECK(log.size() == 4);
        CHECK(behind.shutdown(0ms).has_error());  // the process ends here
    }
    CHECK(lost.seen().empty());
    CHECK(log.size() == 4);
    CHECK(stored(inner, "new") == 0);
    memory_store elsewhere;  // what was replayed and whose log was not cleared is replayed again
    auto entries = log.list().value();
    for (auto& entry : entries) {
        entry.revision = 0;
        REQUIRE(elsewhere.save(entry).has_value());
    }
    CHECK_THROWS_AS((write_behind<probe_store, memory_store>{inner, log}), recoup::recovery_error);
    CHECK(log.size() == 4);
    inner.heal();
    for (auto* from : {&log, &elsewhere}) {
        write_behind<probe_store, memory_store> const behind{inner, *from, slow(&lost)};
        CHECK(from->size() == 0);
        CHECK(stored(inner, "old") == 2);
        CHECK(stored(inner, "new") == 3);
        CHECK(stored(inner, "erased") == 0);
        CHECK(inner.find(head.id).value() == head);
        CHECK(inner.steps(head.number).value().size() == 1);
    }
    CHECK(lost.seen().empty());
}

TEST_CASE("a log's entry for a record that another changed since is a loss, not an overwrite") {
    memory_store log;
    probe_store inner;
    losses lost;
    {
        write_behind<probe_store, memory_store> behind{inner, log, slow()};
        auto what = some("a", 1);
        what.revision = behind.save(what).value();
        REQUIRE(behind.flush().has_value());
        inner.fail_always(store_errc::unavailable);
        what.fingerprint = 2;
        REQUIRE(behind.save(what).has_value());
        CHECK(behind.shutdown(0ms).has_error());
    }
    inner.heal();
    auto other = inner.load(some("a").id).value().value();
    other.fingerprint = 9;
    REQUIRE(inner.save(other, recoup::unlimited).has_value());
    write_behind<probe_store, memory_store> const behind{inner, log, slow(&lost)};
    CHECK(stored(inner, "a") == 9);
    REQUIRE(lost.seen().size() == 1);
    CHECK(lost.seen()[0].id.key == "a");
    CHECK(log.size() == 0);
}

TEST_CASE("a stop while the store takes one version leaves the later one in the log") {
    memory_store log;
    probe_store inner;
    losses lost;
    auto what = some("a", 1);
    operation_record head;
    {
        write_behind<probe_store, memory_store> behind{inner, log, slow(&lost)};
        auto const of_record = GENERATE(true, false);
        auto const owner = behind.enter("a test", 1h).value();
        head = begun(behind, owner);
        auto const accept = [&](unsigned version) {
            if (of_record) {
                what.fingerprint = version;
                auto const saved = behind.save(what);
                REQUIRE(saved.has_value());
                what.revision = saved.value();
            } else {
                head.progress = std::to_string(version);
                REQUIRE(behind.write({.number = head.number, .epoch = head.epoch, .head = &head})
                            .has_value());
            }
        };
        inner.hold(true);
        accept(1);
        CHECK(behind.flush(0ms).has_error());  // the writer does not wait for the window
        inner.await_calls(1);
        accept(2);
        std::jthread const ending{[&] { static_cast<void>(behind.shutdown(0ms)); }};
        // It gives up at once; then what waited has left the queue, and the store is still at work.
        CHECK(eventually([&] { return behind.statistics().waiting == 0; }));
        inner.hold(false);
    }
    CHECK(lost.seen().empty());
    CHECK(log.size() == 1);
    write_behind<probe_store, memory_store> const again{inner, log, slow(&lost)};
    CHECK(log.size() == 0);
    CHECK(lost.seen().empty());
    if (what.revision != 0)
        CHECK(stored(inner, "a") == 2);
    else
        CHECK(inner.find(head.id).value()->progress == "2");
}

TEST_CASE("after a stop, reads do not show a store without what is only in the log") {
    memory_store log;
    probe_store inner;
    write_behind<probe_store, memory_store> behind{inner, log, slow()};
    auto what = some("a", 1);
    what.revision = behind.save(what).value();
    REQUIRE(behind.flush().has_value());
    inner.fail_always(store_errc::stopped);
    what.fingerprint = 2;
    REQUIRE(behind.save(what).has_value());
    CHECK(behind.flush().error().code() == store_errc::stopped);
    CHECK(behind.load(what.id).error().code() == store_errc::stopped);
    CHECK(behind.list().error().code() == store_errc::stopped);
    CHECK(behind.find(what.id).error().code() == store_errc::stopped);
    CHECK(behind.operations().error().code() == store_errc::stopped);
}

TEST_CASE("a damaged entry of the log is told with its identity, and the others are handed over") {
    memory_store log;
    probe_store inner;
    losses lost;
    auto const owner = inner.enter("a test", 1h).value();
    operation_record head;
    {
        write_behind<probe_store, memory_store> behind{inner, log, slow()};
        head = begun(behind, owner);
        inner.fail_always(store_errc::unavailable);
        REQUIRE(behind.save(some("damaged", 1)).has_value());
        REQUIRE(
            behind.write({.number = head.number, .epoch = head.epoch, .head = &head}).has_value());
        REQUIRE(behind.save(some("whole", 3)).has_value());
        CHECK(behind.shutdown(0ms).has_error());
    }
    inner.heal();
    auto entries = log.list().value();
    REQUIRE(entries.size() == 3);
    for (std::size_t i : {0U, 1U}) {
        entries[i].result->resize(entries[i].result->size() / 2);
        REQUIRE(log.save(entries[i]).has_value());
    }
    write_behind<probe_store, memory_store> const behind{inner, log, slow(&lost)};
    CHECK(stored(inner, "whole") == 3);
    CHECK(log.size() == 0);
    REQUIRE(lost.seen().size() == 2);
    CHECK(lost.seen()[0].id == entries[0].id);  // whose it was cannot be read any more
    CHECK(lost.seen()[1].number == head.number);
    for (auto const& one : lost.seen()) CHECK(one.why.code() == store_errc::corrupt);
    CHECK(behind.statistics().lost == 2);
}

TEST_CASE("a record's later save is not undone by an earlier one that failed and is tried again") {
    probe_store inner;
    auto options = slow();
    options.retry_wait = 1ns;
    write_behind<probe_store> behind{inner, options};
    auto const owner = behind.enter("a test", 1h).value();
    auto head = begun(behind, owner);
    auto what = some("a", 1);
    inner.fail_next({store_errc::unavailable});
    inner.hold(true);
    SECTION("a record") {
        what.revision = behind.save(what).value();
        CHECK(behind.flush(0ms).has_error());
        inner.await_calls(1);
        what.fingerprint = 2;
        REQUIRE(behind.save(what).has_value());
        inner.hold(false);
        REQUIRE(behind.flush().has_value());
        CHECK(stored(inner, "a") == 2);
    }
    SECTION("an operation") {
        head.progress = "1";
        recoup::operation_write const write{
            .number = head.number, .epoch = head.epoch, .head = &head};
        REQUIRE(behind.write(write).has_value());
        CHECK(behind.flush(0ms).has_error());
        inner.await_calls(1);
        head.progress = "2";
        REQUIRE(behind.write(write).has_value());
        inner.hold(false);
        REQUIRE(behind.flush().has_value());
        CHECK(inner.find(head.id).value()->progress == "2");
    }
}

TEST_CASE("after a kill the log has all that was accepted") {
    recoup_test::temporary_folder const folder;
    auto const log_path = folder / "log.db";
    auto const path = folder / "inner.db";
    using counter = std::atomic<std::uint64_t>;
    auto* const memory =
        ::mmap(nullptr, sizeof(counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    auto* const accepted = new (memory) counter{0};
    std::uint64_t before = 0;
    for (int round = 0; round != 5; ++round) {
        auto const child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            sqlite_store inner{path, {.durability = recoup::durability::process_crash}};
            sqlite_store log{log_path, {.durability = recoup::durability::process_crash}};
            write_behind<sqlite_store, sqlite_store> behind{inner, log, {.window = 3ms}};
            auto at = behind.load(some("counter").id).value().value_or(some("counter", 0));
            for (auto left = 1'000'000; left != 0; --left) {  // it is killed long before
                auto const next = at.fingerprint + 1;
                auto one = some("one " + std::to_string(next), next);
                // It may have been accepted before the last kill, and the counter not.
                if (auto const there = behind.load(one.id).value()) one.revision = there->revision;
                if (!behind.save(one).has_value()) ::_exit(1);
                at.fingerprint = next;
                auto const saved = behind.save(at);
                if (!saved.has_value()) ::_exit(2);
                at.revision = saved.value();
                accepted->store(next);
            }
            ::_exit(3);
        }
        int status = 0;
        CHECK(eventually([&] {
            REQUIRE(::waitpid(child, &status, WNOHANG) == 0);  // it does not end by itself
            return accepted->load() >= before + 40;
        }));
        ::kill(child, SIGKILL);
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));
        before = accepted->load();
        sqlite_store inner{path};
        sqlite_store log{log_path};
        write_behind<sqlite_store, sqlite_store> behind{inner, log};
        CHECK(log.size().value() == 0);
        auto const counted = stored(inner, "counter");
        CHECK(counted >= before);  // one may have been accepted and not been counted
        CHECK(counted <= before + 1);
        for (std::uint64_t i = 1; i <= before; ++i)
            REQUIRE(stored(inner, "one " + std::to_string(i)) == i);
        before = counted;
        accepted->store(counted);
    }
    ::munmap(memory, sizeof(counter));
}

TEST_CASE("a forked child is refused, and its end does not disturb the parent") {
    memory_store inner;
    write_behind<memory_store> behind{inner, slow()};
    REQUIRE(behind.save(some("a", 1)).has_value());
    auto const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        auto const forked = make_error_code(store_errc::forked);
        auto const refused = behind.save(some("b")).error().code() == forked &&
                             behind.load(some("a").id).error().code() == forked &&
                             behind.flush().error().code() == forked;
        behind.~write_behind();
        ::_exit(refused ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    REQUIRE(behind.flush().has_value());
    CHECK(stored(inner, "a") == 1);
}

TEST_CASE("threads save, erase and flush at once, and the store ends with what was accepted last",
          "[concurrent]") {
    probe_store inner;
    write_behind<probe_store> behind{
        inner, {.window = 50us, .queue_max = 16, .known_max = 24, .retry_wait = 10us}};
    constexpr unsigned threads = 4;
    std::array<std::array<std::uint64_t, 10>, threads> last{};
    recoup::testing::detail::on_threads(threads, [&](unsigned thread) {
        std::array<std::uint64_t, 10> revisions{};
        for (unsigned round = 1; round <= 600; ++round) {
            auto const which = round * 7 % 10;
            auto what = some(std::to_string(thread) + " " + std::to_string(which), round);
            what.revision = revisions[which];
            if (round % 97 == 0) inner.fail_next({store_errc::unavailable});
            if (round % 5 == 0 && what.revision != 0) {
                if (behind.erase(what.id, what.revision).has_value())
                    revisions[which] = last[thread][which] = 0;
            } else if (auto const saved = behind.save(what); saved.has_value()) {
                revisions[which] = saved.value();
                last[thread][which] = round;
                auto const read = behind.load(what.id);
                if (!read.has_value() || !read.value() || read.value()->fingerprint != round)
                    last[thread][which] = UINT64_MAX;
            } else {
                last[thread][which] = UINT64_MAX;
            }
            if (round % 150 == 0) static_cast<void>(behind.flush());
        }
    });
    REQUIRE(behind.flush().has_value());
    CHECK(behind.statistics().lost == 0);
    for (unsigned thread = 0; thread != threads; ++thread)
        for (unsigned which = 0; which != 10; ++which)
            CHECK(stored(inner, std::to_string(thread) + " " + std::to_string(which)) ==
                  last[thread][which]);
}

}  // namespace
