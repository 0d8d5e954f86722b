// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/journal_store.hpp>

#include "store/journal_support.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

// Every call that the disk could fail fails once, and once for good.

namespace {

using namespace journal_test;
using recoup::durability;
using recoup::record;
using recoup::store_errc;

/// What a run of the workload left acknowledged.
struct outcome {
    bool opened = false;
    bool complete = false;  ///< nothing failed
    std::map<std::string, std::optional<record>> held{};
    std::multimap<std::string, std::optional<record>> maybe{};  ///< not acknowledged: any, or none
    std::vector<std::string> calls{};
};

/// Opens, saves, replaces, erases, compacts, saves and closes.
outcome workload(folder const& in, scripted_calls const& calls, durability kept) {
    outcome seen;
    {
        auto opened = scripted_store::open(in / "kept.journal", anywhere(kept), calls);
        if (!opened.has_value()) return seen;
        seen.opened = true;
        seen.complete = true;
        auto& store = *opened.value();
        auto const put = [&](std::string const& key, std::string text) {
            auto what = some_record(key, std::move(text));
            if (auto const& known = seen.held[key]) what.revision = known->revision;
            auto const saved = store.save(what);
            if (saved.has_value()) {
                what.revision = saved.value();
                seen.held[key] = what;
                seen.maybe.erase(key);
            } else {
                seen.complete = false;
                seen.maybe.emplace(key, what);
            }
        };
        auto const flush = [&] {
            if (!store.flush().has_value()) seen.complete = false;
        };
        put("a", "1");
        put("b", "1");
        flush();
        put("a", "2");
        put("large", std::string(300'000, 'x'));
        if (auto const& gone = seen.held["b"]) {
            if (store.erase(gone->id, gone->revision).has_value()) {
                seen.held["b"].reset();
            } else {
                seen.complete = false;
                seen.maybe.emplace("b", std::nullopt);
            }
        }
        if (!store.compact().has_value()) seen.complete = false;
        put("a", "3");
        put("c", "1");
        flush();
    }
    seen.calls = calls.script->calls;
    return seen;
}

/// Reopens what is left without faults, and says what is not as it must be.
std::string judge(folder const& in, outcome const& seen, durability kept) {
    auto opened = quick_store::open(in / "kept.journal", anywhere(kept));
    if (!opened.has_value()) return opened.error().describe();
    for (auto const& [key, expected] : seen.held) {
        auto const got = opened.value()->load({"", "download", key});
        if (!got.has_value()) return key + ": " + got.error().describe();
        auto const same = [](std::optional<record> const& one, std::optional<record> two) {
            if (one.has_value() != two.has_value()) return false;
            if (one) two->revision = one->revision;
            return one == two;
        };
        auto good = same(got.value(), expected);
        auto const [from, to] = seen.maybe.equal_range(key);
        for (auto at = from; at != to; ++at) good = good || same(got.value(), at->second);
        if (!good) return key + " has another value";
    }
    if (!opened.value()->verify().value().ok()) return "it does not verify";
    return opened.value()->save(some_record("next")).has_value() ? "" : "it cannot be written";
}

}  // namespace

TEST_CASE("An error at the n-th call, for every n, loses nothing that was acknowledged") {
    auto const error = GENERATE(EIO, ENOSPC, EINTR);
    auto const sticky = GENERATE(false, true);
    auto const kept = GENERATE(durability::process_crash, durability::power_loss);
    auto n = std::size_t{1};
    for (; n != 200; ++n) {
        folder const in;
        scripted_calls calls;
        // Interrupted for good is an error, too, and no endless loop.
        calls.script->fails = [=](std::size_t number, std::string const&) {
            return number == n || (sticky && number > n) ? error : 0;
        };
        auto const seen = workload(in, calls, kept);
        INFO("call " << n << " error " << error << " sticky " << sticky << " " << to_string(kept));
        if (seen.opened || std::filesystem::exists(in / "kept.journal"))
            CHECK(judge(in, seen, kept) == "");
        if (seen.opened && seen.calls.size() < n) break;
    }
    CHECK(n > 15);
    CHECK(n < 200);
}

TEST_CASE("Short writes are gone on with") {
    folder const in;
    scripted_calls calls;
    calls.script->short_writes = true;
    auto const seen = workload(in, calls, durability::power_loss);
    CHECK(seen.complete);
    CHECK(judge(in, seen, durability::power_loss) == "");
}

TEST_CASE("After a failed sync nothing is acknowledged any more, and the sync is not tried again") {
    for (auto const* const call : {"sync", "write"}) {
        folder const in;
        scripted_calls calls;
        auto failing = std::make_shared<bool>(false);
        calls.script->fails = [=](std::size_t, std::string const& what) {
            return *failing && what == call ? EIO : 0;
        };
        scripted_store store{in / "kept.journal", anywhere(durability::power_loss), calls};
        auto before = some_record("before");
        before.revision = store.save(before).value();
        *failing = true;
        CHECK(fails_with(store.save(some_record("lost")), store_errc::stopped));
        *failing = false;
        auto const made = calls.script->calls.size();
        CHECK(fails_with(store.save(some_record("later")), store_errc::stopped));
        CHECK(fails_with(store.flush(), store_errc::stopped));
        CHECK(fails_with(store.erase(before.id, before.revision), store_errc::stopped));
        CHECK(fails_with(store.compact(), store_errc::stopped));
        // What was refused may come back or not: nobody is shown it, nor what it may have replaced.
        CHECK(fails_with(store.load(some_record("lost").id), store_errc::stopped));
        CHECK(fails_with(store.list(), store_errc::stopped));
        CHECK(calls.script->calls.size() == made);
    }
}

TEST_CASE("Whoever only reads is told where what it would see cannot be synced", "[concurrent]") {
    folder const in;
    scripted_calls calls;
    std::atomic<bool> failing{false};
    std::atomic<bool> entered{false};
    std::atomic<bool> go_on{false};
    calls.script->fails = [&](std::size_t, std::string const& what) {
        if (!failing || what != "sync") return 0;
        entered = true;
        while (!go_on) std::this_thread::yield();
        return EIO;
    };
    scripted_store store{in / "kept.journal", anywhere(durability::power_loss), calls};
    auto before = some_record("before");
    before.revision = store.save(before).value();
    failing = true;
    auto wrote = recoup::result<std::uint64_t>{0};
    std::thread writer{[&] { wrote = store.save(some_record("lost")); }};
    while (!entered) std::this_thread::yield();
    // While that sync is under way a reader waits for it, as long as it has time.
    CHECK(fails_with(store.load(before.id, recoup::duration{1'000'000}), store_errc::unavailable));
    auto read = recoup::result<std::optional<record>>{std::nullopt};
    std::thread reader{[&] { read = store.load(some_record("lost").id); }};
    go_on = true;
    reader.join();
    writer.join();
    CHECK(fails_with(wrote, store_errc::stopped));
    CHECK(fails_with(read, store_errc::stopped));
}

TEST_CASE(
    "Whoever has no time to wait is refused while the journal is busy, and nothing is changed",
    "[concurrent]") {
    auto const kept = GENERATE(durability::process_crash, durability::power_loss);
    folder const in;
    scripted_calls calls;
    std::atomic<bool> holding{false};
    std::atomic<bool> entered{false};
    calls.script->fails = [&](std::size_t, std::string const& what) {
        // The new generation is put into place while nobody else may look.
        if (what == "rename" && holding) {
            entered = true;
            while (holding) std::this_thread::yield();
        }
        return 0;
    };
    scripted_store store{in / "kept.journal", anywhere(kept), calls};
    auto what = some_record("1");
    what.revision = store.save(what).value();
    recoup::operation_record head;
    head.id = {"", "job", "1"};
    auto const owner = store.enter("test", recoup::unlimited).value();
    auto const begun = store.start(head, owner).value().record;
    holding = true;
    auto compacted = recoup::result<void>{recoup::success()};
    std::thread compacts{[&] { compacted = store.compact(); }};
    while (!entered) std::this_thread::yield();
    auto other = head;
    other.id.key = "2";
    auto const writing = recoup::operation_write{.number = begun.number, .epoch = begun.epoch};
    for (auto const time :
         {recoup::duration{}, recoup::duration{2'000'000}, recoup::duration::min()}) {
        CHECK(fails_with(store.load(what.id, time), store_errc::unavailable));
        CHECK(fails_with(store.save(what, time), store_errc::unavailable));
        CHECK(fails_with(store.erase(what.id, what.revision, time), store_errc::unavailable));
        CHECK(fails_with(store.find(head.id, time), store_errc::unavailable));
        CHECK(fails_with(store.steps(begun.number, time), store_errc::unavailable));
        CHECK(fails_with(store.start(other, owner, time), store_errc::unavailable));
        CHECK(fails_with(store.write(writing, time), store_errc::unavailable));
    }
    holding = false;
    compacts.join();
    CHECK(compacted.has_value());
    CHECK(store.size() == 1);
    CHECK(store.load(what.id, recoup::duration{}).value() == what);
    CHECK_FALSE(store.find(other.id).value());
    CHECK(store.save(what, recoup::duration{}).has_value());
}

TEST_CASE("A full disk is full, changes nothing, and is over when there is room") {
    folder const in;
    scripted_calls calls;
    auto full = std::make_shared<bool>(false);
    calls.script->fails = [=](std::size_t, std::string const& what) {
        return *full && what == "allocate" ? ENOSPC : 0;
    };
    scripted_store store{in / "kept.journal", anywhere(), calls};
    auto what = some_record("1");
    what.revision = store.save(what).value();
    *full = true;
    auto large = what;
    large.checkpoint = std::string(600'000, 'x');
    CHECK(fails_with(store.save(large), store_errc::full));
    CHECK(fails_with(store.save(some_record("2", std::string(600'000, 'x'))), store_errc::full));
    CHECK(store.load(what.id).value() == what);
    CHECK(store.size() == 1);
    CHECK(store.save(some_record("small")).has_value());
    *full = false;
    CHECK(store.save(large).has_value());
}

TEST_CASE("A compaction that memory was short for is made later") {
    for (auto n = std::size_t{1}; n != 60; ++n) {
        folder const in;
        scripted_calls calls;
        auto armed = false;
        auto count = std::size_t{0};
        // Each of these is given a name that has to be made up.
        calls.script->fails = [&](std::size_t, std::string const& what) {
            auto const named = what == "remove" || what == "rename" || what.starts_with("create");
            if (armed && named && ++count == n) throw std::bad_alloc{};
            return 0;
        };
        scripted_store store{in / "kept.journal", anywhere(), calls};
        auto what = some_record("1");
        what.revision = store.save(what).value();
        armed = true;
        auto ended = false;
        try {
            ended = store.compact().has_value();
        } catch (std::bad_alloc const&) {}
        armed = false;
        INFO("call " << n);
        CHECK(store.compact().has_value());
        CHECK(store.load(what.id).value() == what);
        CHECK(store.verify().value().ok());
        if (ended) {
            CHECK(n > 1);
            return;
        }
    }
    CHECK(false);
}

TEST_CASE("A crash at any call of a compaction leaves the old generation or the new one, whole") {
    for (auto n = std::size_t{1}; n != 60; ++n) {
        folder const in;
        folder const left;
        scripted_calls calls;
        auto armed = std::make_shared<bool>(false);
        auto reached = false;
        auto count = std::size_t{0};
        calls.script->fails = [&](std::size_t, std::string const&) {
            if (*armed && ++count == n) {
                in.copy_to(left);  // the process ends here: its files stay as they are
                reached = true;
            }
            return 0;
        };
        auto what = some_record("1");
        {
            scripted_store store{in / "kept.journal", anywhere(), calls};
            for (int i = 0; i != 300; ++i) {
                what.checkpoint = std::to_string(i) + std::string(300, 'x');
                what.revision = store.save(what).value();
            }
            *armed = true;
            REQUIRE(store.compact().has_value());
            *armed = false;
        }
        if (!reached) {
            CHECK(n > 8);
            return;
        }
        recoup::journal_store store{left / "kept.journal", anywhere()};
        INFO("call " << n);
        CHECK(store.load(what.id).value() == what);
        CHECK(store.verify().value().ok());
        for (auto const* other : {".next"})
            CHECK_FALSE(std::filesystem::exists(left / ("kept.journal" + std::string{other})));
    }
    CHECK(false);
}
