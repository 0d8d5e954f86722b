// SPDX-License-Identifier: BSL-1.0
#include "launcher/disk.hpp"

#include "launcher/failures.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "support/text_file.hpp"

#include <cstdint>
#include <span>
#include <string>

#include <sys/stat.h>

using launcher::errc;
using launcher::part_file;

namespace {

std::span<std::byte const> bytes_of(std::string const& text) {
    return std::as_bytes(std::span{text});
}

part_file opened(std::filesystem::path const& target) { return part_file::open(target).value(); }

std::error_code code_of(recoup::result<part_file> const& result) {
    return result ? std::error_code{} : result.error().code();
}

}  // namespace

TEST_CASE("a part file becomes the file only when it is placed", "[launcher]") {
    support::temporary_folder const folder{"disk"};
    auto const target = folder.path() / "a" / "b" / "model.bin";
    part_file part = opened(target);
    part.write(0, bytes_of("0123456789")).value();
    part.write(4, bytes_of("xy")).value();
    part.sync().value();
    CHECK(!std::filesystem::exists(target));
    CHECK(support::read_text(launcher::part_path(target)) == "0123xy6789");
    part.truncate(6).value();
    CHECK(part.size().value() == 6);
    part.place().value();
    CHECK(support::read_text(target) == "0123xy");
    CHECK(!std::filesystem::exists(launcher::part_path(target)));
}

TEST_CASE("opening a part file again keeps what is in it", "[launcher]") {
    support::temporary_folder const folder{"disk"};
    auto const target = folder.path() / "model.bin";
    opened(target).write(0, bytes_of("abc")).value();
    CHECK(opened(target).size().value() == 3);
}

TEST_CASE("a part file has one owner at a time", "[launcher]") {
    support::temporary_folder const folder{"disk"};
    auto const target = folder.path() / "model.bin";
    part_file const first = opened(target);
    CHECK(code_of(part_file::open(target)) == errc::state_locked);
}

TEST_CASE("a link in the place of a part file is not followed", "[launcher]") {
    support::temporary_folder const folder{"disk"};
    auto const target = folder.path() / "model.bin";
    support::write_text(folder.path() / "precious", "precious");
    std::filesystem::create_symlink(folder.path() / "precious", launcher::part_path(target));
    CHECK(code_of(part_file::open(target)) == errc::no_permission);
    CHECK(support::read_text(folder.path() / "precious") == "precious");
}

TEST_CASE("what stands in the way of a folder or file is an error that names it", "[launcher]") {
    support::temporary_folder const folder{"disk"};
    support::write_text(folder.path() / "file", "");
    auto const below_a_file = part_file::open(folder.path() / "file" / "model.bin");
    CHECK(code_of(below_a_file) == errc::disk_failed);
    CHECK_THAT(below_a_file.error().message(), Catch::Matchers::ContainsSubstring("/file'"));
    ::mkfifo((folder.path() / "pipe.part").c_str(), 0600);
    CHECK(code_of(part_file::open(folder.path() / "pipe")) == errc::no_permission);
}

TEST_CASE("reserving space does not make the file longer", "[launcher]") {
    support::temporary_folder const folder{"disk"};
    part_file part = opened(folder.path() / "model.bin");
    part.write(0, bytes_of("abc")).value();
    part.reserve(1'000'000).value();
    CHECK(part.size().value() == 3);
}

TEST_CASE("too little space is found before anything is fetched", "[launcher]") {
    support::temporary_folder const folder{"disk"};
    launcher::model huge{.name = "a", .target = "a", .size = std::uint64_t{1} << 50U};
    launcher::model small{.name = "b", .target = "b", .size = 1000};
    CHECK_NOTHROW(launcher::check_disk_space(folder.path(), {small}));
    try {
        launcher::check_disk_space(folder.path(), {small, huge});
        FAIL("a pebibyte fits");
    } catch (launcher::problem const& problem) {
        CHECK(problem.code() == errc::disk_full);
        CHECK_THAT(problem.what(), Catch::Matchers::ContainsSubstring(folder.path().string()));
    }
}
