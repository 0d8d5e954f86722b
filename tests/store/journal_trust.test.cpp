// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/journal_store.hpp>

#include "store/journal_support.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

#include <sys/stat.h>

// A journal's files, and where they lie, are input.

namespace {

using namespace journal_test;
using recoup::journal_store;
using recoup::store_errc;
namespace fs = std::filesystem;

/// What the opening of a journal with a record says, once `change` was at the file called `name`.
recoup::result<std::unique_ptr<journal_store>> opened_after(folder const& in,
                                                            std::string const& name,
                                                            auto const& change) {
    {
        journal_store store{in / "kept.journal", anywhere()};
        CHECK(store.save(some_record("1")).has_value());
    }
    change(in / name);
    return journal_store::open(in / "kept.journal", anywhere());
}

}  // namespace

TEST_CASE("A journal's file that others could read or put there is refused, whichever it is") {
    auto const* const name =
        GENERATE("kept.journal", "kept.journal.live-b", "kept.journal.slots", "kept.journal.lock");
    INFO(name);
    folder const in;
    SECTION("a link, to the very file that was there") {
        auto const opened = opened_after(in, name, [&](std::string const& path) {
            fs::rename(path, in / "elsewhere");
            fs::create_symlink(in / "elsewhere", path);
        });
        CHECK(fails_with(opened, store_errc::unsafe_location));
        CHECK(fs::is_symlink(in / name));
    }
    SECTION("a folder") {
        auto const opened = opened_after(in, name, [](std::string const& path) {
            fs::remove(path);
            fs::create_directory(path);
        });
        REQUIRE_FALSE(opened.has_value());  // the lock's own error is what the system says
        if (!std::string{name}.ends_with(".lock"))
            CHECK(fails_with(opened, store_errc::unsafe_location));
        CHECK(fs::is_directory(in / name));
    }
    SECTION("a pipe, which nobody waits for") {
        auto const opened = opened_after(in, name, [](std::string const& path) {
            fs::remove(path);
            REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
        });
        CHECK(fails_with(opened, store_errc::unsafe_location));
    }
    SECTION("one that everybody may write to") {
        auto const opened = opened_after(
            in, name, [](std::string const& path) { REQUIRE(::chmod(path.c_str(), 0666) == 0); });
        CHECK(fails_with(opened, store_errc::unsafe_location));
    }
}

TEST_CASE("A table of slots of another kind or of a newer version is refused and left alone") {
    using recoup::detail::journal_slots;
    auto const [at, byte, expected] = GENERATE(table<std::size_t, char, store_errc>(
        {{0, 'X', store_errc::foreign_schema}, {8, 2, store_errc::newer_version}}));
    folder const in;
    auto changed = std::string{};
    auto const opened = opened_after(in, "kept.journal.slots", [&](std::string const& path) {
        changed = file_bytes(path);
        REQUIRE(changed.size() == journal_slots::file_bytes);
        changed[at] = byte;
        write_file(path, changed);
    });
    CHECK(fails_with(opened, expected));
    CHECK(file_bytes(in / "kept.journal.slots") == changed);
}
