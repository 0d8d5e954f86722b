// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/sqlite_store.hpp>

#include "support/catch.hpp"

#include "store/sqlite_support.hpp"

#include <recoup/testing/store_conformance.hpp>

#include <chrono>
#include <map>

namespace {

using namespace recoup_test;
using Catch::Matchers::ContainsSubstring;
using recoup::durability;
using recoup::record;
using recoup::record_status;
using recoup::sqlite_store;
using recoup::store_errc;
using recoup::system_time;

static_assert(recoup::persistence_policy<sqlite_store>);
static_assert(!std::is_copy_constructible_v<sqlite_store>);
static_assert(!std::is_move_constructible_v<sqlite_store>);

TEST_CASE("a SQLite store keeps the contract of a persistence policy", "[concurrent]") {
    auto const kept = GENERATE(durability::none, durability::process_crash, durability::power_loss);
    auto const among = GENERATE(recoup::sharing::exclusive, recoup::sharing::processes);
    auto options = anywhere(kept);
    options.sharing = among;
    options.records_max = 400;
    options.operations_max = 300;
    options.record_bytes_max = 1U << 20U;
    auto const report =
        recoup::testing::check_store(sqlite_stores{options}, {.durability = kept,
                                                              .records_max = 400,
                                                              .operations_max = 300,
                                                              .record_bytes_max = 1U << 20U,
                                                              .rounds = 20});
    INFO(report);
    CHECK(report.ok());
    CHECK(report.skipped.empty());
}

TEST_CASE("a store is opened by its path alone, and throws what open gives as a value") {
    temporary_folder folder;
    std::string const path = folder / "launcher.db";
    {
        sqlite_store store{path, anywhere()};
        CHECK(store.durability() == durability::power_loss);
        CHECK(store.path() == path);
        CHECK(store.space().empty());
        CHECK_THROWS_AS((sqlite_store{path, anywhere()}), recoup::recovery_error);
        try {
            sqlite_store second{path, anywhere()};
        } catch (recoup::recovery_error const& thrown) {
            CHECK(thrown.code() == store_errc::locked);
            CHECK(thrown.failure().code() == store_errc::locked);
        }
        CHECK(is(opening_error(path), store_errc::locked));
    }
    CHECK(recoup::sqlite_store::open(path, anywhere()).has_value());
}

TEST_CASE("the settings that durability rests on are in force, read back from SQLite") {
    temporary_folder folder;
    auto const [kept, synchronous, fullfsync] =
        GENERATE(table<durability, char const*, char const*>({{durability::none, "0", "0"},
                                                              {durability::process_crash, "1", "0"},
                                                              {durability::power_loss, "2", "1"}}));
    sqlite_store store{folder / "a.db", anywhere(kept)};
    auto const read = store.settings().value();
    std::map<std::string, std::string> const settings{read.begin(), read.end()};
    CHECK(settings.at("journal_mode") == "wal");
    CHECK(settings.at("synchronous") == synchronous);
    CHECK(settings.at("fullfsync") == fullfsync);
    CHECK(settings.at("checkpoint_fullfsync") == fullfsync);
    CHECK(settings.at("wal_autocheckpoint") == "0");
    CHECK(settings.at("mmap_size") == "0");
    CHECK(settings.at("trusted_schema") == "0");
    CHECK(settings.at("cell_size_check") == "1");
    CHECK(settings.at("application_id") == "1919120752");
    CHECK(settings.at("user_version") == "3");
    CHECK(settings.at("sqlite_version") == sqlite3_libversion());
}

TEST_CASE("a store that cannot have the write-ahead log is refused") {
    temporary_folder folder;
    auto* const usual = sqlite3_vfs_find(nullptr);
    auto* const without_shared_memory = sqlite3_vfs_find("unix-none");
    REQUIRE(without_shared_memory != nullptr);
    sqlite3_vfs_register(without_shared_memory, 1);
    auto const refused = opening_error(folder / "a.db");
    sqlite3_vfs_register(usual, 1);
    CHECK(is(refused, store_errc::setting_refused));
    CHECK(refused.category() == recoup::category::configuration);
    CHECK_THAT(refused.message(), ContainsSubstring("PRAGMA journal_mode of " + (folder / "a.db") +
                                                    " is \"delete\"; expected \"wal\""));
}

TEST_CASE("a store makes its folder and files for their owner only, whatever the umask") {
    temporary_folder folder;
    auto const before = ::umask(0);
    {
        sqlite_store store{folder / "state/a.db", anywhere()};
        put(store, "one");
        CHECK(mode_of(folder / "state") == 0700);
        for (auto const* name : {"a.db", "a.db-wal", "a.db-shm", "a.db.lock"}) {
            INFO(name);
            CHECK(mode_of(folder / ("state/" + std::string{name})) == 0600);
        }
    }
    ::umask(before);
    CHECK(is(opening_error(folder / "missing/folder/a.db"), store_errc::unavailable));
}

TEST_CASE("a second store on the file is told who owns it, and may have it afterwards") {
    temporary_folder folder;
    auto options = anywhere();
    options.lock_wait = std::chrono::milliseconds{0};
    {
        sqlite_store const store{folder / "a.db", options};
        auto const refused = opening_error(folder / "a.db", options);
        CHECK(is(refused, store_errc::locked));
        CHECK_THAT(refused.message(), ContainsSubstring("a.db is in use by process " +
                                                        std::to_string(::getpid()) + " ("));
        CHECK_THAT(refused.message(), ContainsSubstring(") since 20"));
    }
    CHECK(opens(folder / "a.db", options));
    CHECK(file_bytes(folder / "a.db.lock").empty());
}

TEST_CASE("the name of an owner is taken from the lock file as far as it is printable") {
    temporary_folder folder;
    auto options = anywhere();
    options.lock_wait = std::chrono::milliseconds{0};
    sqlite_store const store{folder / "a.db", options};
    write_file(folder / "a.db.lock", "recoup owner\n12\x1b[2J\nnow\nevil\x07\n");
    CHECK_THAT(opening_error(folder / "a.db", options).message(),
               ContainsSubstring("in use by process 12[2J (evil) since now"));
    write_file(folder / "a.db.lock", std::string(1000, 'x'));
    CHECK_THAT(opening_error(folder / "a.db", options).message(),
               ContainsSubstring("in use by another process"));
}

TEST_CASE("a store for looking reads beside the owner and changes nothing") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    auto looking = anywhere();
    looking.read_only = true;
    CHECK(is(opening_error(path, looking), store_errc::unavailable));
    CHECK(file_bytes(path).empty());

    sqlite_store owner{path, anywhere()};
    put(owner, "one");
    sqlite_store viewer{path, looking};
    CHECK(viewer.list().value().size() == 1);
    CHECK(viewer.load(some_record("one").id).value()->checkpoint == "half of one");
    put(owner, "two");  // seen at once
    CHECK(viewer.list().value().size() == 2);
    CHECK(viewer.may_contain(some_record("three").id));  // the owner may have saved it meanwhile
    CHECK(is(error_of(viewer.save(some_record("three"))), store_errc::read_only));
    CHECK(is(error_of(viewer.erase(some_record("one").id, 1)), store_errc::read_only));
    CHECK(is(error_of(viewer.clean_up(system_time::max(), 10)), store_errc::read_only));
    CHECK(viewer.verify().value().ok());
}

TEST_CASE("what has expired goes by itself, by the clock of who saves") {
    temporary_folder folder;
    using std::chrono::seconds;
    auto ended = some_record("ended");
    ended.status = record_status::failed;
    ended.updated = system_time{seconds{1000}};
    ended.expires = system_time{seconds{2000}};
    auto other = some_record("other");
    {
        sqlite_store store{folder / "a.db", anywhere(durability::process_crash)};
        REQUIRE(store.save(ended).has_value());
        for (int i = 0; i != 600;
             ++i) {  // long before it expires, though the wall clock is far beyond
            other.updated = system_time{seconds{1000 + i}};
            other.revision = store.save(other).value();
        }
        CHECK(store.load(ended.id).value().has_value());
        other.updated = system_time{seconds{2000}};
        for (int i = 0; i != 256; ++i) other.revision = store.save(other).value();
        CHECK_FALSE(store.load(ended.id).value().has_value());

        ended.expires = system_time{seconds{1500}};
        REQUIRE(store.save(ended).has_value());
    }
    sqlite_store store{folder / "a.db", anywhere(durability::process_crash)};  // at opening
    CHECK(store.size().value() == 1);
    CHECK(store.load(other.id).value()->updated == other.updated);
}

TEST_CASE("a store at its limit of records makes room by removing what has expired") {
    temporary_folder folder;
    auto options = anywhere(durability::process_crash);
    options.records_max = 2;
    sqlite_store store{folder / "a.db", options};
    auto ended = some_record("ended");
    ended.status = record_status::succeeded;
    ended.updated = system_time{std::chrono::seconds{5}};
    ended.expires = system_time{std::chrono::seconds{9}};
    REQUIRE(store.save(ended).has_value());
    auto other = some_record("other");
    other.updated = system_time{std::chrono::seconds{8}};
    other.revision = store.save(other).value();
    auto const full = error_of(store.save(some_record("third")));
    CHECK(is(full, store_errc::full));
    CHECK(full.category() == recoup::category::disk_full);
    CHECK_THAT(full.message(), ContainsSubstring("a.db holds 2 records; its limit is 2"));
    other.updated = system_time{std::chrono::seconds{9}};
    REQUIRE(store.save(other).has_value());
    CHECK(store.save(some_record("third")).has_value());
    CHECK_FALSE(store.load(ended.id).value().has_value());
}

TEST_CASE("a long list is read in parts, and each part is in order") {
    temporary_folder folder;
    sqlite_store store{folder / "a.db", anywhere(durability::none)};
    for (int i = 0; i != 700; ++i) {
        auto what = some_record(std::to_string(10'000 + i));
        what.status = i % 2 == 0 ? record_status::running : record_status::failed;
        REQUIRE(store.save(what).has_value());
    }
    auto const all = store.list({.limit = 10'000}).value();
    REQUIRE(all.size() == 700);
    CHECK(std::is_sorted(all.begin(), all.end(), [](record const& left, record const& right) {
        return left.id.key < right.id.key;
    }));
    auto const failed = store.list({.status = record_status::failed, .limit = 301}).value();
    REQUIRE(failed.size() == 301);
    CHECK(failed.back().id.key == "10601");
    CHECK(store.list().value().size() == 700);
}

TEST_CASE("may_contain is exact for some thousands of records and never denies one beyond") {
    temporary_folder folder;
    auto const missed = [](sqlite_store const& store, int from, int to) {
        int denied = 0;
        for (int i = from; i != to; ++i)
            denied += store.may_contain(some_record(std::to_string(i)).id) ? 0 : 1;
        return denied;
    };
    {
        sqlite_store store{folder / "a.db", anywhere(durability::none)};
        CHECK_FALSE(store.may_contain(some_record("0").id));
        for (int i = 0; i != 2000; ++i) put(store, std::to_string(i));
        CHECK(missed(store, 0, 2000) == 0);
        CHECK(missed(store, 2000, 12'000) == 10'000);
        CHECK(store.erase(some_record("7").id, 8).has_value());
        CHECK_FALSE(store.may_contain(some_record("7").id));
        CHECK(missed(store, 0, 2000) == 1);
    }
    sqlite_store store{folder / "a.db", anywhere(durability::none)};
    CHECK(missed(store, 0, 2000) == 1);
    CHECK(missed(store, 2000, 12'000) == 10'000);
    for (int i = 2000; i != 12'000; ++i) put(store, std::to_string(i));
    CHECK(missed(store, 0, 12'000) <= 1);
}

TEST_CASE("a backup of a live store is a whole store of its own") {
    temporary_folder folder;
    sqlite_store store{folder / "a.db", anywhere()};
    for (int i = 0; i != 300; ++i) put(store, std::to_string(i));
    REQUIRE(store.backup(folder / "copy.db").has_value());
    CHECK(mode_of(folder / "copy.db") == 0600);
    put(store, "after");
    CHECK(is(error_of(store.backup(folder / "copy.db")), store_errc::unavailable));

    sqlite_store copy{folder / "copy.db", anywhere()};
    CHECK(copy.size().value() == 300);
    CHECK(copy.verify().value().ok());
    auto const original = store.list().value();
    auto const copied = copy.list().value();
    REQUIRE(copied.size() == 300);
    CHECK(std::equal(copied.begin(), copied.end(), original.begin()));
    CHECK(is(error_of(store.backup(folder / "missing/folder/copy.db")), store_errc::unavailable));
    CHECK(is(error_of(store.backup(folder / "a.db")), store_errc::unavailable));
    CHECK(store.verify().value().ok());
}

TEST_CASE("another program's lock makes a save wait as long as it may, and then say so") {
    temporary_folder folder;
    sqlite_store store{folder / "a.db", anywhere()};
    auto const revision = put(store, "one");
    plain_connection other{folder / "a.db"};
    other.run("BEGIN IMMEDIATE");
    auto what = some_record("one");
    what.revision = revision;
    auto const begun = std::chrono::steady_clock::now();
    auto const refused = error_of(store.save(what, std::chrono::milliseconds{20}));
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds{3});
    CHECK(is(refused, store_errc::unavailable));
    CHECK_THAT(refused.message(), ContainsSubstring("database is locked"));
    CHECK(store.load(what.id).value()->revision == revision);
    other.run("ROLLBACK");
    CHECK(store.save(what).value() == revision + 1);
}

TEST_CASE(
    "the write-ahead log stays bounded, and a reader that holds on to it makes the store full") {
    temporary_folder folder;
    auto options = anywhere(durability::none);
    options.wal_bytes_max = 8U << 20U;
    options.busy_wait = std::chrono::milliseconds{10};
    sqlite_store store{folder / "a.db", options};
    auto what = some_record("one");
    what.checkpoint = std::string(100'000, 'x');
    auto const log_bytes = [&] { return std::filesystem::file_size(folder / "a.db-wal"); };
    auto const rewrite = [&](int i) {
        auto next = what;
        next.checkpoint->assign(100'000, static_cast<char>('a' + i % 26));
        return next;
    };
    for (int i = 0; i != 400; ++i) {
        what = rewrite(i);
        what.revision = store.save(what).value();
    }
    CHECK(log_bytes() < (5U << 20U));

    plain_connection reader{folder / "a.db"};
    reader.run("BEGIN; SELECT count(*) FROM recoup_record");
    recoup::failure refused;
    for (int i = 0; i != 400 && refused.code().value() == 0; ++i) {
        auto next = rewrite(i);
        auto const saved = store.save(next);
        if (saved.has_value()) {
            what = next;
            what.revision = saved.value();
        } else {
            refused = saved.error();
        }
    }
    CHECK(is(refused, store_errc::full));
    CHECK_THAT(refused.message(),
               ContainsSubstring("since a reader holds on to it; its limit is 8388608"));
    CHECK(log_bytes() < (9U << 20U));
    CHECK(store.load(what.id).value() == what);
    reader.run("COMMIT");
    CHECK(store.save(what).value() == what.revision + 1);
    CHECK(log_bytes() < (1U << 20U));
}

}  // namespace
