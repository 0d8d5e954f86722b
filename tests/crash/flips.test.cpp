// SPDX-License-Identifier: BSL-1.0
#include "crash/harness.hpp"

#include <recoup/store/detail/crc32c.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

// A file at rest is damaged: one bit, or all behind some byte.

namespace {

using namespace recoup_test;
namespace fs = std::filesystem;

std::string bytes_of(fs::path const& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// The files that a closed store leaves, and what it holds.
struct reference {
    std::map<std::string, std::string> files{};
    std::vector<lane_model> models{};
};

reference make_reference(store_kind const& kind, std::uint32_t steps) {
    victim one{kind, crash_seed()};
    one.run({.steps = steps});
    REQUIRE(one.look().ok());
    reference made{{}, one.models()};
    for (auto const& entry : fs::recursive_directory_iterator{one.folder()})
        if (entry.is_regular_file())
            made.files[fs::relative(entry.path(), one.folder()).string()] = bytes_of(entry.path());
    for (auto const& name : kind.files) REQUIRE(made.files.contains(name));
    return made;
}

struct damage_report {
    std::uint64_t tried = 0;
    std::uint64_t noticed = 0;
    findings missed{};
};

/// Opens the reference with one file replaced. An error is right where the damage matters; another value,
/// or none where there is one, is not.
void open_damaged(store_kind const& kind, reference const& good,
                  std::map<std::string, std::string> const& changed, std::string const& what,
                  damage_report& report) {
    temporary_folder folder;
    for (auto const& [file, content] : good.files) {
        auto const path = fs::path{folder.path()} / file;
        fs::create_directories(path.parent_path());
        std::ofstream{path, std::ios::binary}
            << (changed.contains(file) ? changed.at(file) : content);
        fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
    }
    for (auto const& entry : fs::recursive_directory_iterator{folder.path()})
        if (entry.is_directory()) fs::permissions(entry.path(), fs::perms::owner_all);
    ++report.tried;
    disk fast{folder.path(), {.log = false}};
    auto opened = kind.open(folder.path());
    if (!opened.has_value()) {
        ++report.noticed;
        return;
    }
    auto models = good.models;
    auto found = judge(*opened.value(), models);
    report.noticed += found.refused != 0 ? 1 : 0;
    found.refused = 0;
    if (found.ok()) return;
    found.words = kind.name + ", " + what + ": " + found.words;
    if (report.missed.ok()) report.missed.words = found.words;
    report.missed += found;
}

std::string flipped(std::string bytes, std::size_t bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ static_cast<char>(1U << (bit % 8)));
    return bytes;
}

std::string figures(damage_report const& report) {
    return std::to_string(report.tried) + " tried, " + std::to_string(report.noticed) +
           " noticed, the others changed nothing; " + recoup_test::figures(report.missed);
}

/// Without the zeros at the end: a journal is made with room.
std::size_t used_bytes(std::string const& bytes) {
    auto const last = bytes.find_last_not_of('\0');
    return last == std::string::npos ? 0 : std::min(bytes.size(), last + 1 + 64);
}

/// Damages each file of a closed store alone; and where what it keeps is in two files, both alike.
template <class Damage>
damage_report damage_all(store_kind const& kind, std::size_t places_of_a_byte, std::size_t most,
                         bool with_copies, Damage const& damage) {
    auto const good = make_reference(kind, 14);
    damage_report report;
    for (auto const& name : kind.files) {
        auto const places = used_bytes(good.files.at(name)) * places_of_a_byte;
        for (auto const at : sample(places, most, crash_seed())) {
            std::map<std::string, std::string> changed;
            changed[name] = damage(good.files.at(name), at);
            open_damaged(kind, good, changed, name + " at " + std::to_string(at), report);
            if (kind.copies.empty() || !with_copies) continue;
            for (auto const& [other, bytes] : good.files)
                if (other.find(kind.copies) != std::string::npos &&
                    at < bytes.size() * places_of_a_byte)
                    changed[other] = damage(bytes, at);
            open_damaged(kind, good, changed, name + " and its copy at " + std::to_string(at),
                         report);
        }
    }
    return report;
}

}  // namespace

TEST_CASE("no flipped bit makes a value wrong or unknown") {
    for (auto const& kind : store_kinds()) {
        if (kind.files.empty()) continue;
        auto const report = damage_all(kind, 8, 120, true, [](auto const& bytes, std::size_t bit) {
            return flipped(bytes, bit);
        });
        INFO(report.missed.words);
        summarise("flipped bits, " + kind.name, figures(report));
        CHECK(report.missed.ok());
        CHECK(report.noticed > 5);
    }
}

TEST_CASE("no truncation makes a value wrong or unknown") {
    for (auto const& kind : store_kinds()) {
        if (kind.files.empty()) continue;
        // An empty file is what a crash leaves before anything was acknowledged. Two files that are cut
        // alike are an older whole state: nobody can tell.
        auto const report = damage_all(
            kind, 1, 40, false,
            [](auto const& bytes, std::size_t length) { return bytes.substr(0, length + 1); });
        INFO(report.missed.words);
        summarise("truncations, " + kind.name, figures(report));
        CHECK(report.missed.ok());
        CHECK(report.tried > 30);
    }
}

namespace {

/// Makes the checksum right of each encoded record in `bytes` that `was` held whole: a store that does
/// not look at checksums sees the file so.
void mend_checksums(std::string const& was, std::string& bytes) {
    auto const number = [](std::string const& from, std::size_t at) {
        std::uint32_t value = 0;
        std::memcpy(&value, from.data() + at, sizeof value);
        return value;
    };
    for (std::size_t at = 0; at + 32 < was.size(); ++at) {
        auto const size = number(was, at);
        if (size < 32 || size > was.size() - at) continue;
        auto const end = at + size - 4;
        auto const sum = [&](std::string const& from) {
            return recoup::detail::crc32c(std::string_view{from}.substr(at, size - 4));
        };
        if (number(was, end) != sum(was)) continue;
        auto const mended = sum(bytes);
        std::memcpy(bytes.data() + end, &mended, sizeof mended);
        at = end + 3;
    }
}

}  // namespace

TEST_CASE("the suite notices a dropped checksum") {
    for (auto const& kind : kinds_like("sqlite")) {
        auto const good = make_reference(kind, 14);
        damage_report report;
        for (auto const& name : kind.files) {
            auto const& bytes = good.files.at(name);
            for (auto const bit : sample(bytes.size() * 8, 200, crash_seed())) {
                auto damaged = flipped(bytes, bit);
                mend_checksums(bytes, damaged);
                open_damaged(kind, good, {{name, damaged}}, "bit " + std::to_string(bit), report);
            }
        }
        summarise("control: dropped checksum, " + kind.name,
                  "caught: " + figures(report) + ": " + report.missed.words);
        CHECK(report.missed.wrong > 0);
    }
}
