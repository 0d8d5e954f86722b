// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/sqlite_store.hpp>

#include "support/catch.hpp"

#include "store/sqlite_support.hpp"

#include <random>
#include <set>

#include <unistd.h>

// A database file, and where it lies, are input.

namespace {

using namespace recoup_test;
using Catch::Matchers::ContainsSubstring;
using recoup::durability;
using recoup::record;
using recoup::record_status;
using recoup::sqlite_store;
using recoup::store_errc;
using recoup::system_time;

/// A file with some records, closed.
void fill(std::string const& path, int records) {
    sqlite_store store{path, anywhere(durability::none)};
    for (int i = 0; i != records; ++i) put(store, std::to_string(100 + i));
}

void change(std::string const& path, std::string const& sql) { plain_connection{path}.run(sql); }

TEST_CASE("a database of another program is refused and left as it is, log and all") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    auto const with_log = GENERATE(false, true);
    std::optional<plain_connection> other{std::in_place, path};
    ::chmod(path.c_str(), 0600);
    if (with_log) other->run("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0");
    other->run("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
    if (!with_log) other.reset();
    auto const before = file_bytes(path);
    auto const log_before = file_bytes(path + "-wal");
    auto const refused = opening_error(path);
    CHECK(is(refused, store_errc::foreign_schema));
    CHECK_THAT(refused.message(),
               ContainsSubstring("a.db is a database of another program (application id 0); "
                                 "expected 1919120752; it was left as it is"));
    CHECK(file_bytes(path) == before);
    CHECK(file_bytes(path + "-wal") == log_before);
    CHECK(log_before.empty() != with_log);
}

TEST_CASE("a file that is no database is corrupt and left as it is") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    write_file(path, std::string(5000, 'x'));
    ::chmod(path.c_str(), 0600);
    auto const refused = opening_error(path);
    CHECK(is(refused, store_errc::corrupt));
    CHECK(refused.category() == recoup::category::corruption);
    CHECK_THAT(refused.message(), ContainsSubstring("file is not a database"));
    CHECK(file_bytes(path) == std::string(5000, 'x'));
}

TEST_CASE("a file whose schema was changed in any way is refused and left as it is") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    fill(path, 3);
    auto const [sql, words] = GENERATE(table<char const*, char const*>({
        {"CREATE TRIGGER planted BEFORE UPDATE ON recoup_record BEGIN SELECT RAISE(IGNORE); END",
         "holds the trigger \"planted\" where recoup_operation should be"},
        {"CREATE TRIGGER zz AFTER INSERT ON recoup_record BEGIN DELETE FROM recoup_record; END",
         "holds the trigger \"zz\" besides"},
        {"CREATE VIEW zz AS SELECT * FROM recoup_record", "holds the view \"zz\" besides"},
        {"ALTER TABLE recoup_record RENAME TO old; CREATE VIEW recoup_record AS SELECT * FROM old",
         "holds the view \"recoup_record\" where recoup_record should be"},
        {"CREATE TABLE recoup_zz (x)", "holds the table \"recoup_zz\" besides"},
        {"CREATE TABLE RECOUP_zz (x)",
         "holds the table \"RECOUP_zz\" where recoup_operation should be"},
        {"CREATE VIRTUAL TABLE zz USING fts5(x)", "holds the table \"zz\""},
        {"CREATE INDEX recoup_more ON recoup_record (name)", "holds the index \"recoup_more\""},
        {"DROP INDEX recoup_record_identity",
         "holds the table \"recoup_state\" where recoup_record_identity should be"},
        {"DROP TABLE recoup_state", "holds the table \"recoup_step\" where recoup_state should be"},
        {"DROP TABLE recoup_step", "lacks the table recoup_step"},
        {"ALTER TABLE recoup_record ADD COLUMN extra INTEGER",
         "has another definition of recoup_record"},
        {"DROP INDEX recoup_record_identity; "
         "CREATE UNIQUE INDEX recoup_record_identity ON recoup_record (space, name, key COLLATE "
         "NOCASE)",
         "has another definition of recoup_record_identity"},
        {"PRAGMA application_id=1", "is a database of another program (application id 1)"},
        {"PRAGMA user_version=-1", "has schema version -1"},
    }));
    change(path, sql);
    auto const before = file_bytes(path);
    auto const refused = opening_error(path);
    INFO(refused);
    CHECK(is(refused, store_errc::foreign_schema));
    CHECK_THAT(refused.message(), ContainsSubstring(words));
    CHECK(file_bytes(path) == before);
    auto looking = anywhere();
    looking.read_only = true;
    CHECK(is(opening_error(path, looking), store_errc::foreign_schema));
}

TEST_CASE("a trigger that is planted into an open store does not lose a write") {
    temporary_folder folder;
    sqlite_store store{folder / "a.db", anywhere()};
    auto what = some_record("one");
    what.revision = put(store, "one");
    change(folder / "a.db",
           "CREATE TRIGGER planted BEFORE UPDATE ON recoup_record BEGIN SELECT RAISE(IGNORE); END;"
           "CREATE TRIGGER too BEFORE INSERT ON recoup_record BEGIN SELECT RAISE(IGNORE); END");
    what.checkpoint = "further";
    auto const saved = store.save(what);
    REQUIRE(saved.has_value());
    CHECK(store.load(what.id).value()->checkpoint == "further");
    put(store, "two");
    CHECK(store.load(some_record("two").id).value().has_value());
}

TEST_CASE("a file of a newer version is refused with the versions named") {
    temporary_folder folder;
    fill(folder / "a.db", 1);
    change(folder / "a.db", "PRAGMA user_version=7");
    auto const before = file_bytes(folder / "a.db");
    auto const refused = opening_error(folder / "a.db");
    CHECK(is(refused, store_errc::newer_version));
    CHECK_THAT(refused.message(),
               ContainsSubstring("a.db has schema version 7; this version of the library "
                                 "reads up to 3"));
    CHECK(file_bytes(folder / "a.db") == before);
}

TEST_CASE("a record of a newer format is told from a damaged one, and stays") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    {
        sqlite_store store{path, anywhere()};
        auto ended = some_record("new");
        ended.status = record_status::failed;
        ended.expires = system_time{};
        REQUIRE(store.save(ended).has_value());
        auto bytes = recoup::detail::encode_record(ended, 1);
        bytes[4] = 9;
        bytes.resize(bytes.size() - 4);
        recoup::detail::put_number(bytes, recoup::detail::crc32c(bytes));
        std::string hex;
        for (auto const byte : bytes) {
            char two[3];
            std::snprintf(two, sizeof two, "%02x",
                          static_cast<unsigned>(static_cast<unsigned char>(byte)));
            hex += two;
        }
        change(path, "UPDATE recoup_record SET payload=x'" + hex + "'");
        CHECK(is(error_of(store.load(ended.id)), store_errc::newer_version));
        CHECK(store.list().value().empty());
        CHECK(store.damaged().value().empty());
        CHECK(store.clean_up(system_time::max(), 10).value() == 0);
    }
}

/// The layout of before the first release, as it was written then.
void make_version_0(std::string const& path, std::vector<record> const& records) {
    plain_connection file{path};
    ::chmod(path.c_str(), 0600);
    file.run(
        "CREATE TABLE recoup_record (number INTEGER PRIMARY KEY, space TEXT NOT NULL, name TEXT "
        "NOT NULL, "
        "key TEXT NOT NULL, revision INTEGER NOT NULL, status INTEGER NOT NULL, updated INTEGER "
        "NOT NULL, "
        "expires INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;"
        "CREATE UNIQUE INDEX recoup_record_identity ON recoup_record (space, name, key);"
        "PRAGMA application_id=1919120752; PRAGMA user_version=0");
    recoup::detail::sqlite_statement row;
    REQUIRE(row.prepare(file.get(),
                        "INSERT INTO recoup_record VALUES (NULL,?1,?2,?3,?4,?5,?6,?7,?8)") ==
            SQLITE_OK);
    for (auto const& what : records) {
        auto const payload = recoup::detail::encode_record(what, what.revision);
        row.bind_text(1, what.id.space);
        row.bind_text(2, what.id.name);
        row.bind_text(3, what.id.key);
        row.bind(4, static_cast<std::int64_t>(what.revision));
        row.bind(5, static_cast<std::int64_t>(what.status));
        row.bind(6, recoup::detail::stamp(what.updated));
        row.bind(7, recoup::detail::stamp(what.expires));
        row.bind_blob(8, payload);
        REQUIRE(row.step() == SQLITE_DONE);
        row.reset();
    }
}

TEST_CASE("a file of an older version is migrated with all its records, once") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    std::vector<record> records;
    for (int i = 0; i != 50; ++i) {
        auto what = some_record(std::to_string(100 + i));
        what.revision = static_cast<std::uint64_t>(3 + i);
        what.status = i == 7 ? record_status::failed : record_status::running;
        what.expires = system_time{std::chrono::seconds{1}};
        records.push_back(what);
    }
    make_version_0(path, records);
    auto looking = anywhere();
    looking.read_only = true;
    auto const unwritten = opening_error(path, looking);
    CHECK(is(unwritten, store_errc::read_only));
    CHECK_THAT(unwritten.message(),
               ContainsSubstring("has schema version 0 and must be migrated to 3"));
    for (int round = 0; round != 2; ++round) {
        sqlite_store store{path, anywhere()};
        CHECK(store.list().value() == records);
        CHECK(store.verify().value().ok());
        CHECK(plain_connection{path}.ask("PRAGMA user_version") == "3");
    }
    sqlite_store store{path, anywhere()};
    CHECK(store.clean_up(system_time{std::chrono::seconds{1}}, 10).value() == 1);
    CHECK(put(store, "new") > 52);  // above every revision that was ever given
}

TEST_CASE("an older file that does not look like one is left as it is") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    make_version_0(path, {});
    change(path, "CREATE TABLE recoup_more (x)");
    auto const before = file_bytes(path);
    CHECK(is(opening_error(path), store_errc::foreign_schema));
    CHECK(file_bytes(path) == before);
}

TEST_CASE("a place where others could put or read the file is refused, and nothing is followed") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    auto const refuses = [&](std::string const& words) {
        auto const refused = opening_error(path);
        INFO(refused);
        CHECK(is(refused, store_errc::unsafe_location));
        CHECK(refused.category() == recoup::category::permission);
        CHECK_THAT(refused.message(), ContainsSubstring(words));
    };
    SECTION("a symbolic link, even to a good file") {
        fill(folder / "real.db", 1);
        REQUIRE(::symlink("real.db", path.c_str()) == 0);
        refuses("a.db is a symbolic link; expected a regular file");
    }
    SECTION("a symbolic link to where no file is: none is made") {
        REQUIRE(::symlink("elsewhere.db", path.c_str()) == 0);
        refuses("a.db is a symbolic link");
        CHECK_FALSE(std::filesystem::exists(folder / "elsewhere.db"));
    }
    SECTION("a lock file that is a link: what it shows is not written to") {
        write_file(folder / "precious", "precious");
        REQUIRE(::symlink("precious", (path + ".lock").c_str()) == 0);
        refuses("a.db.lock is a symbolic link");
        CHECK(file_bytes(folder / "precious") == "precious");
    }
    SECTION("a log that is a link") {
        fill(path, 1);
        REQUIRE(::symlink("nothing", (path + "-wal").c_str()) == 0);
        refuses("a.db-wal is a symbolic link");
    }
    SECTION("a second name") {
        fill(path, 1);
        REQUIRE(::link(path.c_str(), (folder / "b.db").c_str()) == 0);
        refuses("a.db has 2 hard links; expected 1");
    }
    SECTION("a file that others may read") {
        fill(path, 1);
        ::chmod(path.c_str(), 0640);
        refuses("a.db has mode 0640; expected 0600");
    }
    SECTION("a folder in place of the file") {
        std::filesystem::create_directory(path);
        refuses("a.db is not a regular file");
    }
    SECTION("a pipe in place of the lock") {
        REQUIRE(::mkfifo((path + ".lock").c_str(), 0600) == 0);
        refuses("a.db.lock is not a regular file");
    }
    SECTION("a folder that everybody may write to") {
        ::chmod(folder.path().c_str(), 0777);
        refuses("has mode 0777 and others may write to it");
        ::chmod(folder.path().c_str(), 01777);  // as /tmp: others may not rename what is not theirs
        CHECK(opens(path));
    }
    SECTION("a file of another user") {
        if (::geteuid() != 0) return;
        fill(path, 1);
        REQUIRE(::chown(path.c_str(), 12345, 0) == 0);
        refuses("a.db belongs to user 12345; expected user 0");
    }
    SECTION("a folder of another user") {
        if (::geteuid() != 0) return;
        REQUIRE(::chown(folder.path().c_str(), 12345, 0) == 0);
        refuses("belongs to user 12345; expected user 0 or the superuser");
    }
    SECTION("a log whose database is gone: it may be all that is left") {
        write_file(path + "-wal", "frames");
        ::chmod((path + "-wal").c_str(), 0600);
        refuses("a.db-wal is there without what belongs before it in");
        CHECK(file_bytes(path + "-wal") == "frames");
        CHECK_FALSE(std::filesystem::exists(path));
        write_file(path, "");
        ::chmod(path.c_str(), 0600);
        refuses("a.db-wal is there without what belongs before it in");
        CHECK(file_bytes(path + "-wal") == "frames");
    }
    SECTION("the file is replaced while the store is open") {
        sqlite_store store{path, anywhere()};
        put(store, "one");
        REQUIRE(std::rename(path.c_str(), (folder / "moved.db").c_str()) == 0);
        auto const refused = error_of(store.save(some_record("two")));
        CHECK(is(refused, store_errc::unsafe_location));
        CHECK_THAT(refused.message(),
                   ContainsSubstring("a.db was removed or replaced while it was open"));
        CHECK(is(error_of(store.save(some_record("three"))), store_errc::stopped));
    }
}

TEST_CASE("a path is a path: it is no URI, not memory, and a folder on the way may be a link") {
    temporary_folder folder;
    auto const here = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    for (auto const* name : {":memory:", "file:x?mode=memory", "a b'c\".db"}) {
        INFO(name);
        { sqlite_store store{name, anywhere()}; }
        CHECK(std::filesystem::exists(folder / name));
    }
    std::filesystem::current_path(here);
    for (auto const& path : {std::string{}, folder.path() + "/", folder / ".", folder / "..",
                             folder / std::string(201, 'x'), folder / std::string("a\0b", 3)})
        CHECK(is(opening_error(path), store_errc::unsafe_location));

    std::filesystem::create_directory(folder / "real");
    std::filesystem::permissions(folder / "real", std::filesystem::perms::owner_all);
    std::filesystem::create_directory_symlink(folder / "real", folder / "link");
    sqlite_store const store{folder / "link/a.db", anywhere()};
    CHECK(store.path() == folder / "real/a.db");
}

TEST_CASE(
    "a file system that keeps nothing is refused for power_loss, unless it is accepted by name") {
    temporary_folder on_disk;
    recoup::platform::unique_fd const there{::open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!there || recoup::platform::file_system_name(there.get()) != "tmpfs") return;
    std::string pattern = "/dev/shm/recoup-store-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    auto const path = pattern + "/a.db";
    auto const refused = opening_error(path, {});
    CHECK(is(refused, store_errc::unsafe_location));
    CHECK_THAT(refused.message(), ContainsSubstring("is on a file system of the kind tmpfs"));
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(is(opening_error(path, {.accepted_file_systems = {"nfs"}}), store_errc::unsafe_location));
    CHECK(opens(path, {.accepted_file_systems = {"nfs", "tmpfs"}}));
    CHECK(opens(path, {.durability = durability::process_crash}));
    std::filesystem::remove_all(pattern);
}

TEST_CASE("each kind of unfit file system has its name") {
    for (auto const* name : {"nfs", "cifs", "smb2", "fuse", "tmpfs", "ramfs", "9p"})
        CHECK(recoup::platform::unfit_for_power_loss(name));
    for (auto const* name : {"ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay", "unknown"})
        CHECK_FALSE(recoup::platform::unfit_for_power_loss(name));
}

TEST_CASE("a flipped bit in a payload is a damaged record, and the others go on") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    std::mt19937_64 random{11};
    sqlite_store store{path, anywhere(durability::none)};
    put(store, "100");
    put(store, "101");
    put(store, "102");
    auto const victim = some_record("101").id;
    auto const good = store.load(victim).value();
    plain_connection other{path};
    auto const payload = other.ask("SELECT hex(payload) FROM recoup_record WHERE key='101'");
    for (std::size_t at = 0; at != payload.size(); ++at) {
        auto flipped = payload;
        auto const digit = std::string_view{"0123456789ABCDEF"};
        flipped[at] = digit[digit.find(flipped[at]) ^ (1U << (random() % 4))];
        other.run("UPDATE recoup_record SET payload=x'" + flipped + "' WHERE key='101'");
        auto const refused = error_of(store.load(victim));
        REQUIRE(is(refused, store_errc::corrupt));
        REQUIRE_THAT(refused.message(), ContainsSubstring("record download/101 (row 2 of "));
        REQUIRE(store.list().value().size() == 2);
        REQUIRE(store.load(some_record("100").id).value().has_value());
    }
    REQUIRE(store.damaged().value().size() == 1);
    auto const damaged = store.damaged().value().front();
    CHECK(damaged.number == 2);
    CHECK(damaged.id == victim);
    CHECK(damaged.wrong == "its checksum is wrong");
    auto const verified = store.verify().value();
    CHECK_FALSE(verified.ok());
    CHECK(verified.records == 2);
    CHECK(verified.damaged == std::vector<recoup::damaged_record>{damaged});
    CHECK(verified.complete);

    other.run("UPDATE recoup_record SET payload=x'" + payload + "' WHERE key='101'");
    CHECK(store.load(victim).value() == good);
    CHECK(is(error_of(store.discard(damaged)), store_errc::conflict));  // it is whole again
    other.run("UPDATE recoup_record SET payload=x'00' WHERE key='101'");
    REQUIRE(store.discard(damaged).has_value());
    CHECK_FALSE(store.load(victim).value().has_value());
    CHECK(store.verify().value().ok());
    CHECK(store.damaged().value().empty());
    CHECK(put(store, "101") > good->revision);
}

TEST_CASE("a changed column is a damaged record: it is not listed, not cleaned up, not believed") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    sqlite_store store{path, anywhere(durability::none)};
    auto const running = some_record("running");
    put(store, "running");
    auto const sql = GENERATE(
        "UPDATE recoup_record SET status=3", "UPDATE recoup_record SET status=3, expires=0",
        "UPDATE recoup_record SET expires=5", "UPDATE recoup_record SET updated=5",
        "UPDATE recoup_record SET revision=77");
    change(path, sql);
    CHECK(is(error_of(store.load(running.id)), store_errc::corrupt));
    CHECK(store.list().value().empty());
    CHECK(store.clean_up(system_time::max(), 10).value() == 0);
    CHECK(plain_connection{path}.ask("SELECT count(*) FROM recoup_record") == "1");
    CHECK(store.damaged().value().at(0).wrong == "its columns differ from its payload");
    CHECK(store.damaged().value().at(0).id == running.id);
}

TEST_CASE("a record that vanished is not taken for one that never was") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    auto const open_before = GENERATE(false, true);
    std::optional<sqlite_store> store;
    fill(path, 3);
    if (open_before) store.emplace(path, anywhere());
    change(path, "DELETE FROM recoup_record WHERE key='101'");
    if (!open_before) store.emplace(path, anywhere());

    auto const lost = some_record("101");
    CHECK(store->may_contain(lost.id));
    auto const refused = error_of(store->load(lost.id));
    CHECK(is(refused, store_errc::corrupt));
    CHECK_THAT(refused.message(), ContainsSubstring("which lost records to damage"));
    CHECK(is(error_of(store->save(lost)), store_errc::corrupt));
    CHECK(store->load(some_record("100").id).value().has_value());
    auto const verified = store->verify().value();
    CHECK_FALSE(verified.ok());
    CHECK_FALSE(verified.complete);
    CHECK(verified.records == 2);
    CHECK(verified.records_expected == 3);

    REQUIRE(store->accept_loss().has_value());
    CHECK_FALSE(store->load(lost.id).value().has_value());
    CHECK(store->verify().value().ok());
    CHECK(put(*store, "101") > 3);
    store.reset();
    CHECK(sqlite_store{path, anywhere()}.verify().value().ok());
}

TEST_CASE("a damaged account is noticed") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    fill(path, 3);
    change(path, "UPDATE recoup_state SET state=zeroblob(37)");
    sqlite_store store{path, anywhere()};
    CHECK(is(error_of(store.load(some_record("none").id)), store_errc::corrupt));
    CHECK(store.load(some_record("101").id).value().has_value());
    REQUIRE(store.accept_loss().has_value());
    CHECK_FALSE(store.load(some_record("none").id).value().has_value());
    CHECK(put(store, "new") == 4);
}

TEST_CASE("no flipped bit anywhere in the file makes a record wrong or unknown") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    constexpr int count = 40;
    fill(path, count);
    auto const good = file_bytes(path);
    std::vector<record> records;
    {
        sqlite_store store{path, anywhere(durability::none)};
        records = store.list().value();
    }
    REQUIRE(records.size() == count);
    std::mt19937_64 random{20260117};
    int noticed = 0;
    for (int round = 0; round != 400; ++round) {
        auto bytes = good;
        auto const bit = random() % (bytes.size() * 8);
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ static_cast<char>(1U << (bit % 8)));
        write_file(path, bytes);
        INFO("seed 20260117, bit " << bit << " of byte " << bit / 8);
        auto opened = sqlite_store::open(path, anywhere(durability::none));
        if (!opened.has_value()) {
            REQUIRE(file_bytes(path) == bytes);
            ++noticed;
            continue;
        }
        auto& store = *opened.value();
        bool whole = true;
        for (auto const& expected : records) {
            REQUIRE(store.may_contain(expected.id));
            auto const loaded = store.load(expected.id);
            if (!loaded.has_value()) {
                whole = false;
                continue;
            }
            REQUIRE(loaded.value() == expected);
        }
        auto const listed = store.list();
        if (listed.has_value())
            for (auto const& one : listed.value())
                REQUIRE(std::find(records.begin(), records.end(), one) != records.end());
        noticed += whole ? 0 : 1;
    }
    CHECK(noticed > 40);  // most bits are in free space or in what the payload repeats
}

}  // namespace
