// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include "async/async_support.hpp"
#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/temporary_folder.hpp"

#include <recoup/retry/retry.hpp>
#include <recoup/store/journal_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <unistd.h>

// Coroutines in real processes, killed for real.

namespace async_persist_kill {

using namespace std::chrono_literals;
using namespace async_test;
using recoup::attempt;
using recoup::persist_when;
using recoup::result;
using recoup::testing::manual_clock;
using work = std::function<asio::awaitable<result<std::string>>(attempt&)>;

struct in_sqlite {
    static recoup::sqlite_store open(std::string const& path) {
        recoup::sqlite_store_options options{.durability = recoup::durability::process_crash};
        options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
        return recoup::sqlite_store{path, options};
    }
};
struct in_journal {
    static recoup::journal_store open(std::string const& path) {
        recoup::journal_store_options options{.durability = recoup::durability::process_crash};
        options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
        return recoup::journal_store{path, options};
    }
};

/// The operation, as every process runs it: 4 attempts, an hour between them.
template <class Kept>
result<std::string> run_once(std::string const& path, persist_when when, work const& what,
                             std::function<void(recoup::duration)> on_wait = {},
                             recoup::duration later = {}) {
    auto store = Kept::open(path);
    manual_clock clock{
        {.system_start = manual_clock{}.system_now() + later, .on_wait = std::move(on_wait)}};
    return run(recoup::with_recovery(
        [&](attempt& current, std::string const&) { return what(current); },
        recoup::retry{.max_attempts = 4, .backoff = recoup::constant(1h)},
        recoup::persist(store, {.name = "op", .when = when}, [](auto const& key) { return key; }),
        recoup::on(clock))(std::string{"key"}));
}

[[noreturn]] void die() {
    ::kill(::getpid(), SIGKILL);
    ::_exit(99);
}

bool killed(std::function<void()> const& body) {
    recoup_test::child process{[&](int) {
        body();
        return 0;
    }};
    return process.wait() == -SIGKILL;
}

asio::awaitable<result<std::string>> numbered(attempt& current) {
    co_return std::to_string(current.number()) + (current.resumed() ? " resumed" : "");
}

}  // namespace async_persist_kill

using namespace async_persist_kill;

TEMPLATE_TEST_CASE("a coroutine whose process is killed in an attempt has used that up",
                   "[async][persist]", in_sqlite, in_journal) {
    for (auto const when : {persist_when::start, persist_when::failure}) {
        recoup_test::temporary_folder const folder;
        auto const path = folder / "kept";
        REQUIRE(killed([&] {
            static_cast<void>(run_once<TestType>(
                path, when, [](attempt&) -> asio::awaitable<result<std::string>> {
                    co_await sleep(0ms);
                    die();
                }));
        }));
        CHECK(run_once<TestType>(path, when, numbered).value() ==
              (when == persist_when::start ? "2 resumed" : "1"));
    }
}

TEMPLATE_TEST_CASE("checkpoint and token of a killed coroutine are there for the next process",
                   "[async][persist]", in_sqlite, in_journal) {
    recoup_test::temporary_folder const folder;
    auto const path = folder / "kept";
    auto const shown = folder / "token";
    REQUIRE(killed([&] {
        static_cast<void>(run_once<TestType>(
            path, persist_when::failure,
            [&](attempt& current) -> asio::awaitable<result<std::string>> {
                if (current.number() == 1)
                    co_return std::make_error_code(std::errc::connection_reset);
                auto const token = co_await recoup::async_idempotency_token(current);
                std::ofstream{shown} << token << std::flush;
                co_await recoup::async_save_checkpoint(current, std::uint64_t{123'456'789});
                die();
            }));
    }));
    auto token = std::string{};
    std::ifstream{shown} >> token;
    CHECK(token.size() == 36);
    auto const end = run_once<TestType>(
        path, persist_when::failure, [&](attempt& current) -> asio::awaitable<result<std::string>> {
            CHECK(current.checkpoint<std::uint64_t>() == 123'456'789U);
            CHECK(co_await recoup::async_idempotency_token(current) == token);
            co_return co_await numbered(current);
        });
    CHECK(end.value() == "3 resumed");
}

TEMPLATE_TEST_CASE("a coroutine killed in its wait leaves the rest of it to the next process",
                   "[async][persist]", in_sqlite, in_journal) {
    recoup_test::temporary_folder const folder;
    auto const path = folder / "kept";
    REQUIRE(killed([&] {
        static_cast<void>(run_once<TestType>(
            path, persist_when::failure,
            [](attempt&) -> asio::awaitable<result<std::string>> {
                co_return std::make_error_code(std::errc::connection_reset);
            },
            [](recoup::duration) { die(); }));
    }));
    // In a child as well: waits on this clock take threads of Asio's that no fork would have.
    recoup_test::child next{[&](int) {
        auto waits = std::vector<recoup::duration>{};
        auto const end = run_once<TestType>(
            path, persist_when::failure, numbered,
            [&](recoup::duration wait) { waits.push_back(wait); }, 20min);
        return end.value() == "2 resumed" && waits == std::vector<recoup::duration>{40min} ? 0 : 1;
    }};
    CHECK(next.wait() == 0);
}
