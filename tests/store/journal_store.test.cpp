// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/journal_store.hpp>

#include <recoup/testing/store_conformance.hpp>

#include "store/journal_support.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace journal_test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using recoup::durability;
using recoup::journal_store;
using recoup::operation_record;
using recoup::operation_status;
using recoup::operation_write;
using recoup::step_record;
using recoup::step_status;
using recoup::store_errc;

operation_record some_operation(std::string key) {
    operation_record what;
    what.id = {"", "install", std::move(key)};
    what.input = "the input";
    what.version = "1";
    return what;
}

step_record some_step(std::uint32_t index, std::string value) {
    step_record what;
    what.index = index;
    what.name = "step";
    what.value = std::move(value);
    return what;
}

std::vector<operation_record> claim_all(journal_store& store, std::uint64_t owner,
                                        recoup::system_time now = {}) {
    static std::vector<std::string> const names{"install"};
    return store.claim({.owner = owner, .space = "", .names = names, .now = now, .limit = 1000})
        .value();
}

}  // namespace

TEST_CASE("The journal keeps the whole contract of a persistence policy, with either durability") {
    for (auto const kept : {durability::process_crash, durability::power_loss}) {
        auto options = anywhere(kept);
        options.records_max = 300;
        options.operations_max = 300;
        options.record_bytes_max = 100'000;
        auto const report =
            recoup::testing::check_store(journals{options}, {.durability = kept,
                                                             .records_max = 300,
                                                             .operations_max = 300,
                                                             .record_bytes_max = 100'000,
                                                             .large_value_bytes = 50'000,
                                                             .rounds = 20});
        INFO(report);
        CHECK(report.ok());
        CHECK(report.skipped == std::vector<std::string>{"what a transaction records is recorded "
                                                         "whole, under the fence"});
    }
    auto const report = recoup::testing::check_store(journals{anywhere()}, {.rounds = 30});
    INFO(report);
    CHECK(report.ok());
}

TEST_CASE("The journal keeps the contract while it flushes and compacts by itself",
          "[concurrent]") {
    auto options = anywhere();
    options.flush_every = 1ms;
    options.compact_bytes_min = 4096;
    auto const report = recoup::testing::check_store(journals{options}, {.rounds = 30});
    INFO(report);
    CHECK(report.ok());
}

TEST_CASE("An operation, its steps and its fence come back from a journal that was closed") {
    folder const in;
    auto const path = in / "kept.journal";
    auto number = std::uint64_t{0};
    auto before = operation_record{};
    auto owner = std::uint64_t{0};
    {
        journal_store store{path, anywhere()};
        owner = store.enter("test", 1h).value();
        auto made = store.start(some_operation("1"), owner).value();
        CHECK(made.made);
        number = made.record.number;
        CHECK(made.record.epoch == 1);
        CHECK_FALSE(store.start(some_operation("1"), owner).value().made);
        std::vector<step_record> const steps{some_step(0, "a"), some_step(1, "b")};
        auto head = made.record;
        head.status = operation_status::running;
        head.progress = "two steps";
        CHECK_FALSE(store.write({.number = number, .epoch = 1, .head = &head, .steps = steps})
                        .value()
                        .cancel_requested);
        std::vector<step_record> const again{some_step(1, "B"), some_step(2, "c")};
        CHECK(store.write({.number = number, .epoch = 1, .steps = again}).has_value());
        CHECK(fails_with(store.write({.number = number, .epoch = 2, .steps = again}),
                         store_errc::fenced));
        REQUIRE(store.request_cancel(number).has_value());
        CHECK(store.renew(owner, 1h).value() == std::vector<std::uint64_t>{number});
        before = store.find(some_operation("1").id).value().value();
        CHECK(before.cancel_requested);
    }
    journal_store store{path, anywhere()};
    CHECK(store.recovery().closed);
    CHECK(store.find(some_operation("1").id).value() == before);
    CHECK(store.steps(number).value() ==
          std::vector<step_record>{some_step(0, "a"), some_step(1, "B"), some_step(2, "c")});
    // The owner ended with its process.
    CHECK(fails_with(store.renew(owner, 1h), store_errc::fenced));
    auto const next = store.enter("next", 1h).value();
    CHECK(next != owner);
    auto const claimed = claim_all(store, next);
    REQUIRE(claimed.size() == 1);
    CHECK(claimed[0].epoch == 2);
    CHECK(claimed[0].owner == next);
    CHECK(claim_all(store, next).empty());
    CHECK(fails_with(store.write({.number = number, .epoch = 1}), store_errc::fenced));
    CHECK(fails_with(store.take(number, 2, next), store_errc::owned));
    CHECK(store.write({.number = number, .epoch = 2, .drop_steps = true, .release = true})
              .value()
              .cancel_requested);
    CHECK(store.steps(number).value().empty());
    CHECK(fails_with(store.take(number, 1, next), store_errc::conflict));
    CHECK(store.take(number, 2, next).value().epoch == 3);
    REQUIRE(store.leave(next).has_value());
    REQUIRE(store.remove(number, 3).has_value());
    CHECK(store.find(some_operation("1").id).value() == std::nullopt);
    auto const anew = store.start(some_operation("1"), 0).value();
    CHECK(anew.made);
    CHECK(anew.record.number > number);
}

TEST_CASE("What was removed before anybody looked for it is not found, and its name is free") {
    folder const place;
    auto const path = place / "store";
    auto const begun = [](journal_store& store, std::string key) {
        return store.start(some_operation(std::move(key)), 0).value();
    };
    {
        journal_store store{path, anywhere()};
        for (auto const* key : {"a", "b", "c"}) REQUIRE(begun(store, key).made);
    }
    auto anew = std::uint64_t{0};
    {
        journal_store store{path, anywhere()};
        auto const all = store.operations({}).value();
        REQUIRE(all.size() == 3);
        REQUIRE(store.remove(all[0].number, all[0].epoch).has_value());
        CHECK(store.find(all[0].id).value() == std::nullopt);
        CHECK(store.find(all[1].id).value() == all[1]);
        REQUIRE(store.remove(all[1].number, all[1].epoch).has_value());
        CHECK(store.find(all[1].id).value() == std::nullopt);
        auto const again = begun(store, "b");
        CHECK(again.made);
        anew = again.record.number;
        CHECK_FALSE(begun(store, "c").made);
    }
    journal_store store{path, anywhere()};
    CHECK(begun(store, "a").made);
    auto const found = begun(store, "b");
    CHECK_FALSE(found.made);
    CHECK(found.record.number == anew);
}

TEST_CASE("What is due is claimed in its order, and a clock that was set back delays nothing") {
    folder const in;
    journal_store store{in / "kept.journal", anywhere()};
    auto const owner = store.enter("test", 1h).value();
    auto const now = recoup::system_time{1000h};
    auto const put = [&](std::string key, recoup::system_time due, recoup::duration delay) {
        auto head = some_operation(std::move(key));
        head.due = due;
        head.delay = delay;
        return store.start(head, 0).value().record.number;
    };
    put("late", now - 1h, {});
    put("early", now - 2h, {});
    put("asleep", now + 1h, 2h);
    put("future", now + 5h, 1h);  // begun at now + 4h: the clock was set back
    auto keys = std::vector<std::string>{};
    for (auto const& one : claim_all(store, owner, now)) keys.push_back(one.id.key);
    CHECK(keys == std::vector<std::string>{"early", "late", "future"});
    keys.clear();
    for (auto const& one : claim_all(store, owner, now + 1h)) keys.push_back(one.id.key);
    CHECK(keys == std::vector<std::string>{"asleep"});
}

TEST_CASE("A compaction keeps what counts, drops the rest, and revisions go on") {
    folder const in;
    auto const path = in / "kept.journal";
    auto revision = std::uint64_t{0};
    auto number = std::uint64_t{0};
    auto head = operation_record{};
    {
        journal_store store{path, anywhere()};
        auto what = some_record("1", std::string(1000, 'x'));
        for (int i = 0; i != 2000; ++i) what.revision = store.save(what).value();
        auto gone = some_record("2");
        gone.revision = store.save(gone).value();
        REQUIRE(store.erase(gone.id, gone.revision).has_value());
        auto const owner = store.enter("test", 1h).value();
        auto const made = store.start(some_operation("1"), owner).value().record;
        number = made.number;
        for (std::uint32_t i = 0; i != 50; ++i) {
            std::vector<step_record> const steps{some_step(i % 10, std::to_string(i))};
            REQUIRE(store.write({.number = number, .epoch = 1, .steps = steps}).has_value());
        }
        REQUIRE(store.request_cancel(number).has_value());
        auto unaware = made;  // its writer has not heard of the wish
        unaware.progress = "on its way";
        CHECK(
            store.write({.number = number, .epoch = 1, .head = &unaware}).value().cancel_requested);
        auto const before = store.window().written;
        CHECK(before > 2'000'000);
        REQUIRE(store.compact().has_value());
        CHECK(store.window().written < 20'000);
        CHECK(store.window().synced == store.window().written);
        CHECK(store.load(what.id).value()->revision == what.revision);
        auto const next = store.save(what).value();
        CHECK(next > what.revision);
        revision = next;
        CHECK(store.steps(number).value().size() == 10);
        head = store.find(some_operation("1").id).value().value();
        REQUIRE(store.compact().has_value());
    }
    journal_store store{path, anywhere()};
    CHECK(store.size() == 1);
    CHECK(store.load(some_record("1").id).value()->revision == revision);
    CHECK_FALSE(store.load(some_record("2").id).value());
    CHECK(store.find(some_operation("1").id).value() == head);
    CHECK(head.cancel_requested);
    CHECK(store.steps(number).value().at(9) == some_step(9, "49"));
    CHECK(store.verify().value().ok());
    CHECK(store.recovery().torn_bytes == 0);
}

TEST_CASE("A journal at its limit is full, compacts where that helps, and goes on") {
    folder const in;
    auto options = anywhere();
    options.file_bytes_max = 1'000'000;
    journal_store store{in / "kept.journal", options};
    auto what = some_record("1", std::string(10'000, 'x'));
    for (int i = 0; i != 500; ++i) what.revision = store.save(what).value();  // 5 MB in all
    auto kept = 0;
    auto refused = false;
    for (; kept != 200 && !refused; ++kept)
        refused = fails_with(
            store.save(some_record("n" + std::to_string(kept), std::string(10'000, 'y'))),
            store_errc::full);
    CHECK(refused);
    CHECK(kept > 50);
    auto const one = store.load({"", "download", "n3"}).value().value();
    for (int i = 0; i != 40; ++i) {
        auto const each = store.load({"", "download", "n" + std::to_string(i)}).value().value();
        if (!store.erase(each.id, each.revision).has_value()) break;
    }
    CHECK(store.load(what.id).value()->revision == what.revision);
}

TEST_CASE("A second owner is told who has the journal, and may look at it") {
    folder const in;
    auto const path = in / "kept.journal";
    journal_store store{path, anywhere()};
    auto what = some_record("1");
    what.revision = store.save(what).value();
    auto options = anywhere();
    options.lock_wait = 0ms;
    auto const second = journal_store::open(path, options);
    REQUIRE(fails_with(second, store_errc::locked));
    CHECK_THAT(second.error().message(), ContainsSubstring("process "));
    options.read_only = true;
    auto const before = file_bytes(path + ".live-b");
    {
        journal_store looking{path, options};
        CHECK(looking.load(what.id).value() == what);
        CHECK(looking.list().value().size() == 1);
        CHECK(fails_with(looking.save(some_record("2")), store_errc::read_only));
        CHECK(fails_with(looking.compact(), store_errc::read_only));
        CHECK(looking.verify().value().ok());
    }
    CHECK(file_bytes(path + ".live-b") == before);
    CHECK(store.save(some_record("3")).has_value());
    CHECK(fails_with(journal_store::open(in / "none.journal", options), store_errc::unavailable));
}

TEST_CASE("A backup of a live journal is a journal") {
    folder const in;
    {
        journal_store store{in / "kept.journal", anywhere()};
        for (int i = 0; i != 100; ++i)
            REQUIRE(store.save(some_record(std::to_string(i))).has_value());
        REQUIRE(store.backup(in / "copy.journal").has_value());
        CHECK(fails_with(store.backup(in / "copy.journal"), store_errc::unavailable));
        REQUIRE(store.save(some_record("later")).has_value());
    }
    journal_store copy{in / "copy.journal", anywhere()};
    CHECK(copy.size() == 100);
    CHECK(copy.verify().value().ok());
}

TEST_CASE("A file of another kind or of a newer version is refused and left alone") {
    folder const in;
    auto const path = in / "kept.journal";
    { journal_store const store{path, anywhere()}; }
    auto bytes = file_bytes(path);
    auto newer = bytes;
    for (std::size_t const at : {std::size_t{0}, recoup::detail::journal_header_bytes}) {
        newer[at + 8] = 7;
        recoup::detail::place_number(newer.data() + at + 60,
                                     recoup::detail::crc32c({newer.data() + at, 60}));
    }
    write_file(path, newer);
    auto const refused = journal_store::open(path, anywhere());
    REQUIRE(fails_with(refused, store_errc::newer_version));
    CHECK_THAT(refused.error().message(),
               ContainsSubstring("has format 7") && ContainsSubstring("reads format 1"));
    CHECK(file_bytes(path) == newer);
    write_file(path, "SQLite format 3" + std::string(500, '\0'));
    CHECK(fails_with(journal_store::open(path, anywhere()), store_errc::foreign_schema));
    write_file(path, "short");
    CHECK(fails_with(journal_store::open(path, anywhere()), store_errc::foreign_schema));
    std::filesystem::remove(path);
    std::filesystem::create_symlink("/etc/passwd", path);
    CHECK(fails_with(journal_store::open(path, anywhere()), store_errc::unsafe_location));
}

TEST_CASE("A journal whose synced file was taken away is not begun anew") {
    folder const in;
    auto const path = in / "kept.journal";
    {
        journal_store store{path, anywhere()};
        REQUIRE(store.save(some_record("1")).has_value());
    }
    std::filesystem::remove(path);
    CHECK(fails_with(journal_store::open(path, anywhere()), store_errc::unsafe_location));
}

TEST_CASE("What was acknowledged is synced within a stated time, and flush waits for it") {
    folder const in;
    auto options = anywhere();
    options.flush_every = 1ms;
    journal_store store{in / "kept.journal", options};
    for (int i = 0; i != 10; ++i) {
        REQUIRE(store.save(some_record(std::to_string(i))).has_value());
        while (store.window().synced != store.window().written) std::this_thread::yield();
    }
    auto slow = anywhere();
    journal_store other{in / "other.journal", slow};
    REQUIRE(other.save(some_record("1")).has_value());
    CHECK(other.window().synced < other.window().written);
    REQUIRE(other.flush().has_value());
    CHECK(other.window().synced == other.window().written);
}

TEST_CASE("Concurrent callers that want power_loss share syncs", "[concurrent]") {
    folder const in;
    scripted_calls calls;
    std::atomic<int> syncs{0};
    calls.script->fails = [&](std::size_t, std::string const& call) {
        calls.script->calls.clear();
        if (call == "sync") {
            ++syncs;
            recoup::platform::pause(1ms);  // a disk that takes its time
        }
        return 0;
    };
    scripted_store store{in / "kept.journal", anywhere(durability::power_loss), calls};
    syncs = 0;
    std::vector<std::thread> threads;
    std::atomic<int> failed{0};
    for (int i = 0; i != 8; ++i)
        threads.emplace_back([&, i] {
            for (int j = 0; j != 20; ++j)
                if (!store.save(some_record(std::to_string(i * 100 + j))).has_value()) ++failed;
        });
    for (auto& thread : threads) thread.join();
    CHECK(failed == 0);
    CHECK(store.size() == 160);
    CHECK(syncs < 120);
    CHECK(store.window().synced == store.window().written);
}

TEST_CASE("Threads write, read and compact one journal at the same time", "[concurrent]") {
    folder const in;
    auto const path = in / "kept.journal";
    {
        auto options = anywhere();
        options.flush_every = 1ms;
        options.compact_bytes_min = 10'000;
        journal_store store{path, options};
        std::vector<std::thread> threads;
        std::atomic<int> failed{0};
        for (int i = 0; i != 4; ++i)
            threads.emplace_back([&, i] {
                auto what = some_record(std::to_string(i));
                for (int j = 0; j != 500; ++j) {
                    what.checkpoint = std::to_string(j);
                    auto const saved = store.save(what);
                    if (!saved.has_value()) {
                        ++failed;
                        continue;
                    }
                    what.revision = saved.value();
                    if (auto const seen = store.load(what.id);
                        !seen.has_value() || seen.value() != what)
                        ++failed;
                }
            });
        for (auto& thread : threads) thread.join();
        CHECK(failed == 0);
    }
    journal_store store{path, anywhere()};
    CHECK(store.size() == 4);
    for (int i = 0; i != 4; ++i)
        CHECK(store.load(some_record(std::to_string(i)).id).value()->checkpoint == "499");
}
