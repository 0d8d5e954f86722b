// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/journal_store.hpp>

#include "store/journal_support.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace journal_test;
using recoup::journal_store;
using recoup::record;
using recoup::store_errc;

/// A journal of three records, of which one has two versions, of one that was erased, and of an operation;
/// what it holds; and its bytes up to the end. The owner ended in good order.
struct reference {
    folder in;
    std::string path = in / "kept.journal";
    std::map<std::string, record> held{};
    recoup::operation_record head{};
    std::vector<recoup::step_record> steps{};
    std::string bytes{};
    std::size_t end = 0;

    reference() {
        {
            journal_store store{path, anywhere()};
            for (auto const* key : {"a", "b", "c", "erased"}) put(store, some_record(key, "old"));
            auto again = held.at("b");
            again.checkpoint = "new";
            put(store, again);
            auto const gone = held.at("erased");
            REQUIRE(store.erase(gone.id, gone.revision).has_value());
            held.erase("erased");
            auto what = recoup::operation_record{};
            what.id = {"", "install", "1"};
            auto const owner = store.enter("test", recoup::unlimited).value();
            auto const made = store.start(what, owner).value().record;
            recoup::step_record step;
            step.name = "step";
            step.value = "done";
            steps = {step};
            REQUIRE(store.write({.number = made.number, .epoch = 1, .steps = steps}).has_value());
            head = store.find(what.id).value().value();
            REQUIRE(store.flush().has_value());
        }
        {
            journal_store const store{path, anywhere()};
            end = store.window().written;
        }
        bytes = file_bytes(path);
        end = bytes.find_last_not_of('\0') + 1;
    }

    void put(journal_store& store, record what) {
        what.revision = store.save(what).value();
        held[what.id.key] = what;
    }

    /// Opens a copy of the folder with other bytes in it, and says what is not as it must be: a value that
    /// was never stored, an older one, or nothing where something was.
    std::string judge(std::string const& log, std::string const* live, bool& detected) const {
        folder copy;
        write_file(copy / "kept.journal", log);
        if (live != nullptr) write_file(copy / "kept.journal.live-b", *live);
        auto opened = quick_store::open(copy / "kept.journal", anywhere());
        if (!opened.has_value()) {
            detected = true;
            return {};
        }
        auto& store = *opened.value();
        detected = !store.damaged().value().empty() || store.recovery().torn_bytes != 0 ||
                   store.recovery().repaired != 0 || !store.verify().value().complete;
        for (auto const& [key, expected] : held) {
            auto const got = store.load(expected.id);
            if (fails_with(got, store_errc::corrupt)) {
                detected = true;
                continue;
            }
            if (!got.has_value()) return key + ": " + got.error().message();
            if (!got.value()) return key + " is gone";
            if (*got.value() != expected) return key + " has another value";
        }
        auto const erased = store.load({"", "download", "erased"});
        if (erased.has_value() && erased.value()) return "what was erased is there";
        auto const found = store.find(head.id);
        if (fails_with(found, store_errc::corrupt)) {
            detected = true;
            return {};
        }
        if (!found.value()) return "the operation is gone";
        if (*found.value() != head) return "the operation has another value";
        auto const seen = store.steps(head.number);
        if (!seen.has_value()) {
            detected = true;
            return {};
        }
        return seen.value() == steps ? "" : "the steps have other values";
    }
};

}  // namespace

TEST_CASE("Every single-bit flip in a synced journal is found, and is never a wrong value") {
    reference const one;
    auto silent = 0;
    auto refused = 0;
    for (std::size_t at = 0; at != one.end; ++at) {
        auto const bit = static_cast<char>(1U << (at * 5 % 8));
        auto changed = one.bytes;
        changed[at] = static_cast<char>(changed[at] ^ bit);
        auto detected = false;
        auto const wrong = one.judge(changed, nullptr, detected);
        INFO("byte " << at << " of " << one.end << ": " << wrong);
        CHECK(wrong.empty());
        // The header is there twice: what one of them says is taken from the other.
        if (!detected && at >= recoup::detail::journal_begin) ++silent;
        refused += detected ? 1 : 0;
    }
    CHECK(silent == 0);
    CHECK(refused > 0);
}

TEST_CASE("A bit that flips in one of the two files is mended from the other") {
    reference const one;
    for (std::size_t at = 0; at < one.end; at += 29) {
        auto changed = one.bytes;
        changed[at] = static_cast<char>(changed[at] ^ 0x10);
        for (auto const in_live : {false, true}) {
            folder copy;
            write_file(copy / "kept.journal", in_live ? one.bytes : changed);
            write_file(copy / "kept.journal.live-b", in_live ? changed : one.bytes);
            {
                auto const opened = quick_store::open(copy / "kept.journal", anywhere());
                INFO("byte " << at << (in_live ? " live" : " log"));
                REQUIRE(opened.has_value());
                CHECK(opened.value()->damaged().value().empty());
                CHECK(opened.value()->list().value().size() == 3);
                CHECK(opened.value()->verify().value().repaired == 0);
            }
            // It was mended on the disk as well: without the other file it is whole.
            std::filesystem::remove(copy / "kept.journal.live-b");
            quick_store again{copy / "kept.journal", anywhere()};
            CHECK(again.damaged().value().empty());
            CHECK(again.list().value().size() == 3);
        }
    }
}

TEST_CASE("What lies behind the end of either file is cleared before anything is written there") {
    reference const one;
    auto const far_in_log = one.bytes.size() - 100;
    auto const far_in_live = one.bytes.size() - 5'000;
    REQUIRE(far_in_live > one.end + 5'000);
    auto log = one.bytes;
    auto live = one.bytes;
    log.replace(far_in_log, 7, "leftovr");
    live.replace(far_in_live, 7, "leftovr");
    folder copy;
    write_file(copy / "kept.journal", log);
    write_file(copy / "kept.journal.live-b", live);
    {
        auto const opened = quick_store::open(copy / "kept.journal", anywhere());
        REQUIRE(opened.has_value());
        CHECK(opened.value()->recovery().torn_bytes == far_in_log + 7 - one.end);
        CHECK(opened.value()->list().value().size() == 3);
    }
    for (auto const* name : {"kept.journal", "kept.journal.live-b"}) {
        INFO(name);
        CHECK(file_bytes(copy / name).find_first_not_of('\0', far_in_live - 1) ==
              std::string::npos);
    }
}

TEST_CASE("A journal cut at any byte gives what lies before, and never a wrong value") {
    folder in;
    auto const path = in / "kept.journal";
    std::vector<std::pair<std::size_t, record>> acknowledged;
    {
        journal_store store{path, anywhere()};
        auto const opened_at = store.window().synced;  // from here on a power cut may fall
        auto what = some_record("a");
        for (int i = 0; i != 6; ++i) {
            what.checkpoint = "version " + std::to_string(i);
            what.revision = store.save(what).value();
            acknowledged.emplace_back(store.window().written, what);
        }
        REQUIRE(store.flush().has_value());
        folder snapshot;
        in.copy_to(snapshot);
        auto const log = file_bytes(snapshot / "kept.journal");
        for (auto cut = opened_at; cut <= acknowledged.back().first; ++cut) {
            // The power went: of the log these bytes are left, of the live file nothing.
            folder copy;
            auto left = log;
            std::fill(left.begin() + static_cast<std::ptrdiff_t>(cut), left.end(), '\0');
            if (cut % 2 == 0) left.resize(cut);
            write_file(copy / "kept.journal", left);
            auto const opened = quick_store::open(copy / "kept.journal", anywhere());
            INFO("cut at " << cut);
            REQUIRE(opened.has_value());
            auto expected = std::optional<record>{};
            // What ends in zeros, as a checksum may, is whole without them: the rest of the file is zero.
            auto const is_whole = [&](std::size_t end) {
                return end <= cut || log.find_first_not_of('\0', cut) >= end;
            };
            for (auto const& [end, version] : acknowledged)
                if (is_whole(end)) expected = version;
            CHECK(opened.value()->load(what.id).value() == expected);
            CHECK(opened.value()->damaged().value().empty());
            // And it goes on, with a revision that nobody has seen.
            auto next = expected.value_or(some_record("a"));
            auto const revision = opened.value()->save(next);
            REQUIRE(revision.has_value());
            CHECK(revision.value() > acknowledged.back().second.revision);
        }
    }
}

TEST_CASE(
    "What a power cut leaves behind a hole of unsynced bytes is not believed, and no damage") {
    folder in;
    auto const path = in / "kept.journal";
    auto log = std::string{};
    auto hole = std::size_t{0};
    {
        journal_store store{path, anywhere()};
        REQUIRE(store.save(some_record("synced")).has_value());
        REQUIRE(store.flush().has_value());
        hole = store.window().written;
        REQUIRE(store.save(some_record("lost")).has_value());
        REQUIRE(store.save(some_record("stale")).has_value());
        log = file_bytes(path + ".live-b");
    }
    folder copy;
    for (std::size_t i = 0; i != 8; ++i) log[hole + i] = 0;
    write_file(copy / "kept.journal", log);
    journal_store store{copy / "kept.journal", anywhere()};
    CHECK(store.size() == 1);
    CHECK(store.recovery().torn_bytes > 0);
    CHECK(store.damaged().value().empty());
    CHECK(store.load(some_record("stale").id).value() == std::nullopt);
}

TEST_CASE("A damaged newest version is corrupt until it is discarded; the rest goes on") {
    reference const one;
    auto changed = one.bytes;
    auto const at = changed.rfind("new");  // the checkpoint of b
    REQUIRE(at != std::string::npos);
    changed[at] = 'N';
    folder copy;
    write_file(copy / "kept.journal", changed);
    auto const b = one.held.at("b");
    {
        journal_store store{copy / "kept.journal", anywhere()};
        CHECK(fails_with(store.load(b.id), store_errc::corrupt));
        CHECK(fails_with(store.save(b), store_errc::corrupt));
        CHECK(fails_with(store.erase(b.id, b.revision), store_errc::corrupt));
        CHECK(store.may_contain(b.id));
        CHECK(store.list().value().size() == 2);
        CHECK(store.load(one.held.at("a").id).value() == one.held.at("a"));
        CHECK(fails_with(store.compact(), store_errc::corrupt));
        REQUIRE(store.damaged().value().size() == 1);
        CHECK(store.damaged().value()[0].id.key == "b");
        CHECK_FALSE(store.verify().value().ok());
    }
    journal_store store{copy / "kept.journal", anywhere()};
    auto const damage = store.damaged().value();
    REQUIRE(damage.size() == 1);
    REQUIRE(store.discard(damage[0]).has_value());
    CHECK(fails_with(store.discard(damage[0]), store_errc::conflict));
    CHECK(store.load(b.id).value() == std::nullopt);
    CHECK(store.damaged().value().empty());
    REQUIRE(store.compact().has_value());
    CHECK(store.verify().value().ok());
}

TEST_CASE(
    "Where nobody can tell what is missing, nothing older is believed until that is accepted") {
    reference const one;
    auto changed = one.bytes;
    auto const at = changed.rfind("new") - 200;
    for (std::size_t i = 0; i != 400; ++i) changed[at + i] = '\x5a';
    folder copy;
    write_file(copy / "kept.journal", changed);
    {
        journal_store store{copy / "kept.journal", anywhere()};
        CHECK_FALSE(store.verify().value().complete);
        CHECK(fails_with(store.load(one.held.at("a").id), store_errc::corrupt));
        CHECK(fails_with(store.load(some_record("never").id), store_errc::corrupt));
        CHECK(fails_with(store.save(some_record("never")), store_errc::corrupt));
        REQUIRE(store.accept_loss().has_value());
        CHECK(store.load(one.held.at("a").id).value() == one.held.at("a"));
    }
    journal_store store{copy / "kept.journal", anywhere()};
    CHECK(store.load(one.held.at("a").id).value() == one.held.at("a"));
    CHECK(store.save(some_record("never")).has_value());
}
