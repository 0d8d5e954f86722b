// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/persist.hpp>

#include <recoup/store/sqlite_store.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "store/persist_support.hpp"
#include "store/sqlite_support.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

// Real processes, killed for real.

namespace {

using namespace std::chrono_literals;
using namespace recoup_test;
using recoup::attempt;
using recoup::persist_when;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::testing::manual_clock;

using text_work = std::function<result<std::string>(attempt&)>;

[[noreturn]] void die() {
    ::kill(::getpid(), SIGKILL);
    ::_exit(99);
}

/// The operation, as every process runs it: 4 attempts, an hour between them.
result<std::string> run(std::string const& path, persist_when when, text_work const& what,
                        std::function<void(recoup::duration)> on_wait = {},
                        recoup::system_time wall = manual_clock{}.system_now()) {
    recoup::sqlite_store store{path, anywhere(recoup::durability::process_crash)};
    manual_clock clock{{.system_start = wall, .on_wait = std::move(on_wait)}};
    auto const wrapped = recoup::with_recovery(
        [&](attempt& current, std::string const&) { return what(current); },
        retry{.max_attempts = 4, .backoff = recoup::constant(1h)},
        recoup::persist(store, {.name = "op", .when = when}, [](auto const& key) { return key; }),
        recoup::on(clock));
    return wrapped(std::string{"key"});
}

/// Runs `body` in a process of its own, and tells whether it was killed.
bool killed(std::function<void()> const& body) {
    auto const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        body();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

std::string number(attempt const& current) { return std::to_string(current.number()); }

std::size_t records_in(std::string const& path) {
    recoup::sqlite_store store{path, anywhere(recoup::durability::process_crash)};
    return store.list(recoup::record_filter{}).value().size();
}

}  // namespace

TEST_CASE("A process killed in its first attempt used it up, where the intent was recorded") {
    for (auto const when : {persist_when::start, persist_when::failure}) {
        temporary_folder const folder;
        auto const path = folder / "kept.db";
        REQUIRE(killed([&] {
            static_cast<void>(run(path, when, [](attempt&) -> result<std::string> { die(); }));
        }));
        CHECK(records_in(path) == (when == persist_when::start ? 1U : 0U));
        auto const end = run(
            path, when, [](attempt& current) -> result<std::string> { return number(current); });
        CHECK(end.value() == (when == persist_when::start ? "2" : "1"));
        CHECK(records_in(path) == 0);
    }
}

TEST_CASE("Checkpoint and token of a killed process are there for the next one") {
    temporary_folder const folder;
    auto const path = folder / "kept.db";
    auto const shown = folder / "token";
    REQUIRE(killed([&] {
        static_cast<void>(
            run(path, persist_when::failure, [&](attempt& current) -> result<std::string> {
                if (current.number() == 1) return reset;
                std::ofstream{shown} << current.idempotency_token() << std::flush;
                current.save_checkpoint(std::uint64_t{123'456'789});
                die();
            }));
    }));
    auto token = std::string{};
    std::ifstream{shown} >> token;
    CHECK(token.size() == 36);
    auto const end = run(path, persist_when::failure, [&](attempt& current) -> result<std::string> {
        CHECK(current.resumed());
        CHECK(current.checkpoint<std::uint64_t>() == 123'456'789U);
        CHECK(current.idempotency_token() == token);
        return number(current);
    });
    CHECK(end.value() == "3");
    CHECK(records_in(path) == 0);
}

TEST_CASE("A process killed in its wait leaves the rest of it to the next one") {
    temporary_folder const folder;
    auto const path = folder / "kept.db";
    REQUIRE(killed([&] {
        static_cast<void>(run(
            path, persist_when::failure, [](attempt&) -> result<std::string> { return reset; },
            [](recoup::duration) { die(); }));
    }));
    auto waits = std::vector<recoup::duration>{};
    auto const end = run(
        path, persist_when::failure,
        [](attempt& current) -> result<std::string> { return number(current); },
        [&](recoup::duration wait) { waits.push_back(wait); }, manual_clock{}.system_now() + 20min);
    CHECK(end.value() == "2");
    CHECK(waits == std::vector<recoup::duration>{40min});
}

TEST_CASE("field pain 1: a loop of killed processes ends with the budget", "[field]") {
    temporary_folder const folder;
    auto const path = folder / "kept.db";
    auto kills = 0;
    while (kills != 20 && killed([&] {
               static_cast<void>(
                   run(path, persist_when::start, [](attempt&) -> result<std::string> { die(); }));
           }))
        ++kills;
    CHECK(kills == 4);
    recoup::sqlite_store store{path, anywhere(recoup::durability::process_crash)};
    auto const kept = store.list(recoup::record_filter{}).value();
    REQUIRE(kept.size() == 1);
    CHECK(kept.front().status == recoup::record_status::failed);
    CHECK(kept.front().attempts == 4);
}

TEST_CASE("Progress saved by process after process adds up") {
    temporary_folder const folder;
    auto const path = folder / "kept.db";
    auto const step = [](attempt& current) -> result<std::string> {
        auto const done = current.checkpoint<int>().value_or(0);
        if (done == 3) return std::to_string(done);
        current.save_checkpoint(done + 1);
        die();
    };
    for (int i = 0; i != 3; ++i)
        REQUIRE(killed([&] { static_cast<void>(run(path, persist_when::start, step)); }));
    CHECK(run(path, persist_when::start, step).value() == "3");
}
