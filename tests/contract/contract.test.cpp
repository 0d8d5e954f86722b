// SPDX-License-Identifier: BSL-1.0
// What users were promised to be able to write: each piece stands here as in the documentation, and
// does what its comment says.
#include <recoup/async/asio.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/recoup.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/testing.hpp>

#include "support/catch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;

// What is quoted keeps the form in which it is documented.
// clang-format off

namespace contract {

enum class my_errc { quota = 1 };

struct my_category final : std::error_category {
    char const* name() const noexcept override { return "contract"; }
    std::string message(int) const override { return "quota"; }
};
std::error_code make_error_code(my_errc code) {
    static my_category const instance;
    return {static_cast<int>(code), instance};
}

struct bad_manifest : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace contract

template <>
struct std::is_error_code_enum<contract::my_errc> : std::true_type {};

namespace contract {
namespace {

int calls = 0;
std::function<std::string(int)> answer = [](int) { return std::string{"page"}; };

std::string fetch_page(std::string const& url) {
    ++calls;
    return answer(calls) + " of " + url;
}

/// A folder of its own, gone with it.
struct folder {
    folder() {
        auto text = (std::filesystem::temp_directory_path() / "recoup-XXXXXX").string();
        REQUIRE(::mkdtemp(text.data()) != nullptr);
        path = text;
    }
    ~folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

TEST_CASE("1. Defaults: three attempts, where the failure is worth it, and nothing is hidden") {
    recoup::testing::manual_clock clock;
    auto fetch = recoup::with_recovery(fetch_page, recoup::on(clock));

    SECTION("a success") {
        calls = 0;
        answer = [](int) { return std::string{"page"}; };
        recoup::result<std::string> page = fetch("http://example.test/");
        CHECK(page.value() == "page of http://example.test/");
        CHECK(calls == 1);
        CHECK(clock.waits().empty());
    }
    SECTION("a transient failure is cured") {
        calls = 0;
        answer = [](int call) -> std::string {
            if (call < 3) throw std::system_error{std::make_error_code(std::errc::connection_reset)};
            return "page";
        };
        CHECK(fetch("u").value() == "page of u");
        CHECK(calls == 3);
        CHECK(clock.waits().size() == 2);
    }
    SECTION("after three attempts the error says all, and value() throws the callable's exception") {
        calls = 0;
        answer = [](int) -> std::string { throw std::runtime_error{"the line is dead"}; };
        recoup::result<std::string> page = fetch("u");
        REQUIRE(!page);
        CHECK(calls == 3);
        CHECK(page.error().attempts() == 3);
        CHECK(page.error().stopped() == recoup::stop_reason::attempts_exhausted);
        CHECK_THROWS_AS(page.value(), std::runtime_error);
        std::ostringstream text;
        text << page.error();
        CHECK(text.str() ==
              "unknown: the line is dead; 3 attempts, stopped: attempts_exhausted");
    }
    SECTION("what cannot be cured is not tried again") {
        calls = 0;
        answer = [](int) -> std::string { throw std::invalid_argument{"no such scheme"}; };
        auto const page = fetch("u");
        CHECK(calls == 1);
        CHECK(page.error().stopped() == recoup::stop_reason::not_retryable);
    }
}

TEST_CASE("2. Choose: policies in any order, a breaker shared by reference") {
    recoup::testing::manual_clock clock;
    auto attempts = 0;
    auto dead = true;
    auto parse_and_import = [&](std::string const& file) {
        ++attempts;
        if (dead) throw std::system_error{std::make_error_code(std::errc::connection_refused)};
        return file.size();
    };

    recoup::circuit_breaker breaker{{.failure_rate = 0.5, .window = recoup::last_calls(20), .open_for = 30s}};
    auto import_workflow = recoup::with_recovery(parse_and_import,
        recoup::retry{.max_attempts = 5, .backoff = recoup::exponential(200ms, 30s)},
        recoup::deadline{2min},
        breaker,
        recoup::on(clock));

    for (auto operation = 0; operation != 20; ++operation)
        CHECK(import_workflow("w").error().stopped() == recoup::stop_reason::attempts_exhausted);
    CHECK(attempts == 100);

    auto const rejected = import_workflow("w");
    CHECK(attempts == 100);
    CHECK(rejected.error().stopped() == recoup::stop_reason::breaker_open);
    CHECK(rejected.error().category() == recoup::category::service_unavailable);

    // The same breaker in another wrapper and another order is the same breaker.
    auto other = recoup::with_recovery(parse_and_import, breaker, recoup::on(clock), recoup::retry{});
    CHECK(other("w").error().stopped() == recoup::stop_reason::breaker_open);

    dead = false;
    clock.advance(31s);
    CHECK(import_workflow("workflow").value() == 8);
}

TEST_CASE("3. Failures: rules of the user's own, budgets per category") {
    recoup::testing::manual_clock clock;
    auto attempts = 0;
    std::function<recoup::result<int>(int)> call_api;
    auto const count = [&](int argument) {
        ++attempts;
        return call_api(argument);
    };

    recoup::classifier rules = recoup::default_rules()
        .on(my_errc::quota, recoup::category::rate_limited)
        .on_exception<bad_manifest>(recoup::category::invalid_input);
    auto careful = recoup::with_recovery(count, rules, recoup::retry{
        .max_attempts = 4,
        .per_category = {{recoup::category::rate_limited, {.max_attempts = 10, .backoff = recoup::constant(1s)}},
                         {recoup::category::permission,   recoup::never}}},
        recoup::on(clock));

    SECTION("a listed category has its own budget and backoff") {
        call_api = [](int) { return my_errc::quota; };
        CHECK(careful(1).error().category() == recoup::category::rate_limited);
        CHECK(attempts == 10);
        CHECK(clock.waits() == std::vector<recoup::duration>(9, 1s));
    }
    SECTION("a listed exception is not worth it") {
        call_api = [](int) -> recoup::result<int> { throw bad_manifest{"line 3"}; };
        auto const got = careful(1);
        CHECK(got.error().category() == recoup::category::invalid_input);
        CHECK(attempts == 1);
        CHECK_THROWS_AS(got.value(), bad_manifest);
    }
    SECTION("the rest share the budget") {
        call_api = [](int) { return std::make_error_code(std::errc::timed_out); };
        CHECK(careful(1).error().attempts() == 4);
    }
    SECTION("never is never") {
        call_api = [](int) { return std::make_error_code(std::errc::permission_denied); };
        CHECK(careful(1).error().stopped() == recoup::stop_reason::not_retryable);
        CHECK(attempts == 1);
    }
    SECTION("the unknown is tried again, unless told otherwise") {
        call_api = [](int) -> recoup::result<int> { throw 42; };
        CHECK(careful(1).error().attempts() == 4);
        auto strict = recoup::with_recovery(count, recoup::default_rules().unknown(recoup::never),
                                            recoup::on(clock));
        CHECK(strict(1).error().attempts() == 1);
    }
}

/// Snippet 4, with what the test wants to see.
struct download_log {
    std::vector<std::uint64_t> began_at{};
    std::vector<std::uint32_t> numbers{};
    std::vector<std::string> tokens{};
    std::vector<bool> resumed{};
};

recoup::result<std::uint64_t> download_model(std::filesystem::path const& database, std::uint32_t fails,
                                             bool dies, download_log& log) {
    recoup::testing::manual_clock clock;
    recoup::sqlite_store store{database};
    auto download = recoup::with_recovery(
        [&](recoup::attempt& attempt, std::string const& url, std::filesystem::path const& to) -> recoup::result<std::uint64_t> {
            auto from = attempt.checkpoint<std::uint64_t>().value_or(0);
            log.began_at.push_back(from);
            log.numbers.push_back(attempt.number());
            log.tokens.push_back(attempt.idempotency_token());
            log.resumed.push_back(attempt.resumed());
            CHECK(url == "http://example.test/m");
            CHECK(to == "models/m");
            auto const bytes_done = from + 100;
            attempt.save_checkpoint(bytes_done);
            if (dies) ::kill(::getpid(), SIGKILL);
            if (attempt.number() <= fails) return std::make_error_code(std::errc::connection_reset);
            return bytes_done;
        },
        recoup::retry{.max_attempts = 8},
        recoup::persist(store, "download-model", [](auto const& url, auto const&) { return url; }),
        recoup::on(clock));
    return download(std::string{"http://example.test/m"}, std::filesystem::path{"models/m"});
}

TEST_CASE("4. Persist: attempts share the checkpoint and the token, and a success leaves no record") {
    folder const home;
    download_log log;
    CHECK(download_model(home.path / "launcher.db", 2, false, log).value() == 300);
    CHECK(log.began_at == std::vector<std::uint64_t>{0, 100, 200});
    CHECK(log.numbers == std::vector<std::uint32_t>{1, 2, 3});
    CHECK(log.resumed == std::vector<bool>(3, false));
    CHECK(log.tokens == std::vector<std::string>(3, log.tokens.front()));
    CHECK(log.tokens.front().size() == 36);
    recoup::sqlite_store store{home.path / "launcher.db"};
    CHECK(store.list({}).value().empty());
}

TEST_CASE("4. Persist: a process that is killed inside an attempt is continued by the next") {
    folder const home;
    auto const database = home.path / "launcher.db";
    for (auto kills = 0; kills != 2; ++kills) {
        auto const child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            download_log log;
            static_cast<void>(download_model(database, 0, true, log));
            ::_exit(1);  // not reached: the attempt kills the process
        }
        auto status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));
        REQUIRE(WTERMSIG(status) == SIGKILL);
    }
    std::string token;
    {
        recoup::sqlite_store store{database};
        auto const kept = store.list({}).value();
        REQUIRE(kept.size() == 1);
        CHECK(kept[0].status == recoup::record_status::running);
        CHECK(kept[0].attempts == 2);
        CHECK(kept[0].spent == 1);
        token = recoup::detail::token_text(kept[0].token);
    }
    download_log log;
    CHECK(download_model(database, 0, false, log).value() == 300);
    CHECK(log.began_at == std::vector<std::uint64_t>{200});
    CHECK(log.numbers == std::vector<std::uint32_t>{3});
    CHECK(log.resumed == std::vector<bool>{true});
    CHECK(log.tokens == std::vector<std::string>{token});
}

// 6. Coroutines: the same line. <recoup/async/asio.hpp>; backoff waits on an Asio timer.
boost::asio::awaitable<std::string> fetch_async(std::string url) {
    co_return fetch_page(url);
}

TEST_CASE("6. Coroutines: the same line") {
    calls = 0;
    answer = [](int n) -> std::string {
        if (n < 3) throw std::system_error{std::make_error_code(std::errc::connection_reset)};
        return "page";
    };
    boost::asio::io_context context;
    auto ended = false;
    auto const main_coroutine = [&]() -> boost::asio::awaitable<void> {
        auto safe = recoup::with_recovery(fetch_async, recoup::retry{.max_attempts = 5});
        recoup::result<std::string> body = co_await safe("http://example.test/");
        CHECK(body.value() == "page of http://example.test/");
        CHECK(calls == 3);
        ended = true;
    };
    boost::asio::co_spawn(context, main_coroutine(), boost::asio::detached);
    context.run();
    CHECK(ended);
}

TEST_CASE("7. See it: counters, latency, overhead, alerts") {
    calls = 0;
    answer = [](int call) { return call % 2 == 0 ? throw std::invalid_argument{"no"} : std::string{"page"}; };
    std::vector<std::string> logged;
    auto const log = [&](recoup::alert const& a) {
        std::ostringstream text;
        text << a;
        logged.push_back(text.str());
    };

    recoup::metrics metrics;
    auto watched = recoup::with_recovery(fetch_page, recoup::retry{}, metrics.watch("fetch-page"));
    metrics.alert({.overhead_above = 0.05, .success_below = 0.90}, [&](recoup::alert const& a) { log(a); });
    for (auto call = 0; call != 40; ++call) static_cast<void>(watched("u"));
    std::ostringstream out;
    out << metrics.snapshot();         // also as JSON, and to Prometheus

    CHECK(out.str().find("fetch-page") != std::string::npos);
    REQUIRE_FALSE(logged.empty());
    CHECK(logged.front() == "raised: success of fetch-page is 0.5, below 0.9 (40 calls)");
    CHECK(metrics.snapshot().find("fetch-page")->failed == 20);
}

TEST_CASE("8. Test it without waiting") {
    calls = 0;
    answer = [](int) { return std::string{"page"}; };
    recoup::testing::manual_clock clock;
    recoup::testing::fault_plan faults{"fail,fail,ok"};             // `fail` is a transient network failure
    auto under_test = recoup::with_recovery(faults.wrap(fetch_page), recoup::retry{.max_attempts = 3}, recoup::on(clock));
    CHECK(under_test("u").value() == "page of u");
    CHECK(calls == 1);
    CHECK(clock.waits().size() == 2);
}

TEST_CASE("One call may have other policies, and a wrapper can be explained") {
    calls = 0;
    answer = [](int) -> std::string { throw std::runtime_error{"dead"}; };
    recoup::testing::manual_clock clock;
    auto fetch = recoup::with_recovery(fetch_page, recoup::on(clock));
    std::stop_source source;
    std::string const url = "u";
    CHECK(fetch.with(recoup::deadline{5s}, source.get_token())(url).error().attempts() == 3);
    CHECK(fetch.with(recoup::retry{.max_attempts = 0})(url).error().attempts() == 1);
    source.request_stop();
    CHECK(fetch.with(source.get_token())(url).error().stopped() == recoup::stop_reason::cancelled);

    std::ostringstream text;
    text << recoup::explain(fetch);
    CHECK(text.str().find("retry: up to 3 attempts\ncallable\nat most 3 attempts, waits of 600 ms in all") == 0);
    CHECK(text.str().find("recorded: nothing") != std::string::npos);
}

}  // namespace
}  // namespace contract
