// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/journal_store.hpp>

#include "store/journal_support.hpp"
#include "support/catch.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

// Real processes, killed for real.

namespace {

using namespace journal_test;
using namespace std::chrono_literals;
using recoup::journal_store;
using recoup::store_errc;

constexpr int key_count = 7;

/// Saves records as fast as it can, and reports each that was acknowledged as (key, version).
[[noreturn]] void save_until_killed(std::string const& path, int report) {
    auto options = anywhere();
    options.flush_every = 1ms;
    options.compact_bytes_min = 50'000;  // so that kills fall into compactions, too
    journal_store store{path, options};
    std::array<recoup::record, key_count> records;
    for (std::size_t i = 0; i != records.size(); ++i) {
        records[i] = some_record(std::to_string(i));
        if (auto const known = store.load(records[i].id).value()) records[i] = *known;
    }
    for (std::uint64_t n = 0;; ++n) {
        auto& what = records[n % key_count];
        auto const version = std::strtoull(what.checkpoint->c_str(), nullptr, 10) + 1;
        what.checkpoint = std::to_string(version) + std::string(n % 500, '.');
        what.revision = store.save(what).value();
        std::array<std::uint64_t, 2> const line{n % key_count, version};
        if (::write(report, line.data(), sizeof line) != sizeof line) ::_exit(1);
    }
}

}  // namespace

TEST_CASE("A process killed at any moment loses no record that it had acknowledged") {
    folder const in;
    auto const path = in / "kept.journal";
    std::array<std::uint64_t, key_count> acknowledged{};
    for (int round = 0; round != 25; ++round) {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        auto const child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::close(ends[0]);
            save_until_killed(path, ends[1]);
        }
        ::close(ends[1]);
        // Killed after a number of acknowledgements that differs from round to round.
        auto left = 1 + round * 97 % 1500;
        std::array<std::uint64_t, 2> line{};
        while (::read(ends[0], line.data(), sizeof line) == sizeof line) {
            acknowledged[line[0]] = line[1];
            if (--left == 0) ::kill(child, SIGKILL);
        }
        ::close(ends[0]);
        REQUIRE(::waitpid(child, nullptr, 0) == child);
        journal_store store{path, anywhere()};
        INFO("round " << round);
        CHECK(store.damaged().value().empty());
        for (std::size_t i = 0; i != acknowledged.size(); ++i) {
            if (acknowledged[i] == 0) continue;
            auto const found = store.load({"", "download", std::to_string(i)}).value();
            REQUIRE(found);
            auto const version = std::strtoull(found->checkpoint->c_str(), nullptr, 10);
            // One more may have been saved and not reported.
            CHECK(version >= acknowledged[i]);
            CHECK(version <= acknowledged[i] + 1);
        }
    }
}

TEST_CASE("A forked child is refused, and its parent's journal is not disturbed") {
    folder const in;
    auto const path = in / "kept.journal";
    auto options = anywhere();
    options.flush_every = 1ms;
    auto store = std::make_unique<journal_store>(path, options);
    auto what = some_record("1");
    what.revision = store->save(what).value();
    auto const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        auto const refused = fails_with(store->save(what), store_errc::forked) &&
                             fails_with(store->load(what.id), store_errc::forked) &&
                             fails_with(store->flush(), store_errc::forked) &&
                             store->flight() == nullptr;
        store.reset();
        ::_exit(refused ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(store->save(what).has_value());
    store.reset();
    journal_store again{path, anywhere()};
    CHECK(again.recovery().closed);
    CHECK(again.size() == 1);
}
