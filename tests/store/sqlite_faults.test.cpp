// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/sqlite_store.hpp>

#include "support/catch.hpp"

#include "store/faulty_vfs.hpp"
#include "store/sqlite_support.hpp"

#include <cerrno>
#include <map>

// What a disk does: it is full, it fails, it loses power.

namespace {

using namespace recoup_test;
using Catch::Matchers::ContainsSubstring;
using recoup::durability;
using recoup::record;
using recoup::sqlite_store;
using recoup::store_errc;

using fault = faulty_vfs::call;

TEST_CASE("after a failed sync nothing is acknowledged any more, and the sync is not tried again") {
    temporary_folder folder;
    faulty_vfs disk;
    auto const path = folder / "a.db";
    unsigned syncs = 0;
    {
        sqlite_store store{path, anywhere()};
        put(store, "one");
        disk.fail(fault::sync, 1, SQLITE_IOERR_FSYNC, EIO, false, "-wal");
        auto const refused = error_of(store.save(some_record("two")));
        REQUIRE(disk.failed());
        CHECK(is(refused, store_errc::stopped));
        CHECK(refused.category() == recoup::category::service_unavailable);
        syncs = disk.syncs("a.db") + disk.syncs("a.db-wal");
        for (auto const& again : {error_of(store.save(some_record("three"))),
                                  error_of(store.erase(some_record("one").id, 1)),
                                  error_of(store.clean_up(recoup::system_time::max(), 10)),
                                  error_of(store.accept_loss())})
            CHECK(is(again, store_errc::stopped));
        CHECK(store.load(some_record("one").id).value().has_value());  // reading goes on
        CHECK(store.list().value().size() == 1);
    }
    CHECK(disk.syncs("a.db") + disk.syncs("a.db-wal") == syncs);  // not at closing either
    CHECK(std::filesystem::file_size(path + "-wal") > 0);
    sqlite_store store{path, anywhere()};  // anew, with everything written and synced again
    CHECK(store.load(some_record("one").id).value().has_value());
    put(store, "four");
}

TEST_CASE("a sync that fails for want of space is final too") {
    temporary_folder folder;
    faulty_vfs disk;
    sqlite_store store{folder / "a.db", anywhere()};
    disk.fail(fault::sync, 1, SQLITE_IOERR_FSYNC, ENOSPC, false, "-wal");
    CHECK(is(error_of(store.save(some_record("one"))), store_errc::stopped));
}

TEST_CASE("a failed sync while the log is moved stops the store, though the record is kept") {
    temporary_folder folder;
    faulty_vfs disk;
    auto const path = folder / "a.db";
    auto what = some_record("one");
    {
        sqlite_store store{path, anywhere()};
        what.revision = put(store, "one");
        disk.fail(fault::sync, 1, SQLITE_IOERR_FSYNC, EIO, false, "a.db");
        recoup::failure refused;
        for (int i = 0; i != 2000 && !refused.code(); ++i) {
            auto next = what;
            next.checkpoint = std::string(9000, static_cast<char>('a' + i % 26));
            auto const saved = store.save(next);
            if (saved.has_value()) {
                what = next;
                what.revision = saved.value();
            }
            refused = error_of(saved);
        }
        REQUIRE(disk.failed());
        CHECK(is(refused, store_errc::stopped));
    }
    // What SQLite does by itself: the log is still there, and all of it is moved again.
    sqlite_store store{path, anywhere()};
    CHECK(store.load(what.id).value() == what);
}

TEST_CASE("an I/O error on a write stops the store; one on a read does not") {
    temporary_folder folder;
    faulty_vfs disk;
    {
        sqlite_store store{folder / "a.db", anywhere(durability::none)};
        for (int i = 0; i != 2000; ++i) put(store, std::to_string(i));
    }
    sqlite_store store{folder / "a.db", anywhere()};
    disk.fail(fault::read, 1, SQLITE_IOERR_READ, EIO, true, "a.db");
    auto unreadable = 0;
    for (int i = 0; i < 2000; i += 10) {
        auto const loaded = store.load(some_record(std::to_string(i)).id);
        if (loaded.has_value()) {
            CHECK(loaded.value().has_value());
        } else {
            CHECK(is(loaded.error(), store_errc::unavailable));
            ++unreadable;
        }
    }
    disk.heal();
    CHECK(unreadable != 0);
    CHECK(store.load(some_record("10").id).value().has_value());
    put(store, "more");
    disk.fail(fault::write, 1, SQLITE_IOERR_WRITE, EIO);
    CHECK(is(error_of(store.save(some_record("two"))), store_errc::stopped));
    CHECK(is(error_of(store.save(some_record("three"))), store_errc::stopped));
}

TEST_CASE("a full disk is full, loses nothing, and is used again when there is room") {
    temporary_folder folder;
    faulty_vfs disk;
    auto const [code, error] = GENERATE(table<int, int>(
        {{SQLITE_FULL, 0}, {SQLITE_IOERR_WRITE, EFBIG}, {SQLITE_IOERR_WRITE, EDQUOT}}));
    sqlite_store store{folder / "a.db", anywhere()};
    auto what = some_record("one");
    what.revision = put(store, "one");
    for (unsigned number = 1; number != 6; ++number) {
        disk.fail(fault::write, number, code, error, true, "-wal");
        auto const refused = error_of(store.save(some_record("two")));
        INFO("write " << number << ": " << refused);
        REQUIRE(is(refused, store_errc::full));
        REQUIRE(refused.category() == recoup::category::disk_full);
        REQUIRE(is(error_of(store.save(some_record("three"))), store_errc::full));
        REQUIRE(store.load(what.id).value() == what);
        REQUIRE_FALSE(store.may_contain(some_record("two").id));
        disk.heal();
        REQUIRE(store.save(what).value() == what.revision + 1);
        ++what.revision;
    }
    put(store, "two");
    CHECK(store.verify().value().ok());
}

TEST_CASE("a file at its own limit is full, and room is used again") {
    temporary_folder folder;
    auto options = anywhere(durability::none);
    options.file_bytes_max = 256U << 10U;
    sqlite_store store{folder / "a.db", options};
    std::map<std::string, std::uint64_t> saved;
    recoup::failure refused;
    for (int i = 0; i != 1000 && !refused.code(); ++i) {
        auto what = some_record(std::to_string(i));
        what.checkpoint = std::string(3000, 'x');
        auto const got = store.save(what);
        if (got.has_value()) saved[what.id.key] = got.value();
        refused = error_of(got);
    }
    CHECK(is(refused, store_errc::full));
    CHECK(saved.size() > 20);
    CHECK(store.size().value() == saved.size());
    for (auto const& [key, revision] : saved)
        REQUIRE(store.load(some_record(key).id).value()->revision == revision);
    REQUIRE(store.erase(some_record("3").id, saved["3"]).has_value());
    REQUIRE(store.erase(some_record("4").id, saved["4"]).has_value());
    put(store, "new");
    CHECK(store.verify().value().ok());
}

/// A workload whose every acknowledged step is noted: what has to be found again.
struct noted {
    std::map<std::string, record> kept;     ///< acknowledged
    std::map<std::string, record> unknown;  ///< asked for, and failed: may be there or not
    std::map<std::string, bool> erasing;    ///< an erase that failed: may be gone

    /// Saves, saves again and erases, until `steps` are done or the first failure that is final.
    void work(sqlite_store& store, int steps) {
        for (int step = 0; step != steps; ++step) {
            auto const key = "key " + std::to_string(step % 7);
            auto const known = kept.find(key);
            if (known != kept.end() && step % 5 == 4) {
                auto const gone = store.erase(known->second.id, known->second.revision);
                if (!gone.has_value()) {
                    erasing[key] = true;
                    return;
                }
                kept.erase(known);
                continue;
            }
            auto what = some_record(key);
            what.fingerprint = static_cast<std::uint64_t>(step) + 1;
            what.checkpoint = std::string(static_cast<std::size_t>(step * 137 % 6000), 'c');
            if (known != kept.end()) what.revision = known->second.revision;
            auto const saved = store.save(what);
            if (!saved.has_value()) {
                unknown[key] = what;
                return;
            }
            what.revision = saved.value();
            kept[key] = what;
        }
    }

    /// How many acknowledged steps `store` has lost. What is in doubt may be either way.
    int lost(sqlite_store& store) {
        int count = 0;
        for (int i = 0; i != 7; ++i) {
            auto const key = "key " + std::to_string(i);
            auto const loaded = store.load(some_record(key).id);
            if (!loaded.has_value()) {
                ++count;
                continue;
            }
            auto const& found = loaded.value();
            auto const known = kept.find(key);
            auto const same = known == kept.end() ? !found.has_value() : found == known->second;
            auto const in_doubt = unknown.find(key);
            auto const doubtful = in_doubt != unknown.end() && found &&
                                  found->fingerprint == in_doubt->second.fingerprint;
            auto const gone = erasing.contains(key) && !found;
            if (!same && !doubtful && !gone) ++count;
        }
        return count;
    }
};

TEST_CASE("whichever call to the disk fails, nothing acknowledged is lost") {
    // The first call, then the second, … until the workload runs through; once, and for good.
    auto const what = GENERATE(fault::write, fault::sync, fault::truncate);
    auto const for_good = GENERATE(false, true);
    auto const [code, error] = what == fault::sync       ? std::pair{SQLITE_IOERR_FSYNC, EIO}
                               : what == fault::truncate ? std::pair{SQLITE_IOERR_TRUNCATE, EIO}
                                                         : std::pair{SQLITE_IOERR_WRITE, EIO};
    unsigned number = 1;
    for (bool ran_through = false; !ran_through; number += 1 + number / 12) {
        REQUIRE(number < 2000);
        temporary_folder folder;
        faulty_vfs disk;
        noted did;
        INFO("call " << number << " of kind " << static_cast<int>(what));
        disk.fail(what, number, code, error, for_good);
        {
            auto opened = sqlite_store::open(folder / "a.db", anywhere());
            if (opened.has_value()) did.work(*opened.value(), 60);
        }
        ran_through = !disk.failed();
        disk.heal();
        auto again = sqlite_store::open(folder / "a.db", anywhere(durability::none));
        REQUIRE(again.has_value());
        REQUIRE(did.lost(*again.value()) == 0);
        REQUIRE(again.value()->verify().value().ok());
        put(*again.value(), "goes on");
    }
}

/// Cuts the power after a number of steps and tells how many acknowledged ones are lost.
int lost_in_power_cut(durability kept, bool lying, int steps, std::uint64_t seed) {
    temporary_folder folder;
    temporary_folder after;
    noted did;
    {
        faulty_vfs disk;
        if (lying) disk.lie_about_syncs();
        sqlite_store store{folder / "a.db", anywhere(kept)};
        did.work(store, steps);
        disk.cut_power(after.path(), seed);
    }
    for (auto const* name : {"a.db", "a.db-wal", "a.db-journal"})
        ::chmod((after / name).c_str(), 0600);
    auto opened = sqlite_store::open(after / "a.db", anywhere(durability::none));
    if (!opened.has_value()) return 100;
    if (!opened.value()->verify().value().ok()) return 100;
    return did.lost(*opened.value());
}

TEST_CASE(
    "a power cut takes nothing that was acknowledged with power_loss, and the controls show that "
    "it could") {
    int lost = 0;
    int lost_without_sync = 0;
    int lost_by_process_crash = 0;
    constexpr std::uint64_t seed = 4711;
    for (int round = 0; round != 40; ++round) {
        auto const cut = seed + static_cast<std::uint64_t>(round);
        auto const steps = 1 + round * 7 % 90;
        lost += lost_in_power_cut(durability::power_loss, false, steps, cut);
        lost_without_sync +=
            lost_in_power_cut(durability::power_loss, true, steps, cut) != 0 ? 1 : 0;
        lost_by_process_crash +=
            lost_in_power_cut(durability::process_crash, false, steps, cut) != 0 ? 1 : 0;
    }
    INFO("seed " << seed << "; controls: " << lost_without_sync << " and " << lost_by_process_crash
                 << " of 40 lost");
    CHECK(lost == 0);
    CHECK(lost_without_sync > 20);
    CHECK(lost_by_process_crash > 20);
}

TEST_CASE("with process_crash a power cut takes only the last saves, and leaves a whole file") {
    constexpr std::uint64_t seed = 815;
    for (int round = 0; round != 20; ++round) {
        temporary_folder folder;
        temporary_folder after;
        {
            faulty_vfs disk;
            sqlite_store store{folder / "a.db", anywhere(durability::process_crash)};
            for (int i = 0; i != 400; ++i)
                put(store, std::to_string(i));  // the log is moved once or twice
            disk.cut_power(after.path(), seed + static_cast<std::uint64_t>(round));
        }
        for (auto const* name : {"a.db", "a.db-wal"}) ::chmod((after / name).c_str(), 0600);
        sqlite_store store{after / "a.db", anywhere(durability::none)};
        REQUIRE(store.verify().value().ok());
        auto const kept = store.size().value();
        for (int i = 0; i != 400; ++i) {
            auto const loaded = store.load(some_record(std::to_string(i)).id).value();
            REQUIRE(loaded.has_value() == (static_cast<std::uint64_t>(i) < kept));
        }
    }
}

}  // namespace
