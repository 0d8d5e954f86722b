// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/failure.hpp>

#include <recoup/core/errc.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <future>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

namespace {

using namespace std::chrono_literals;
using recoup::category;
using recoup::failure;
using recoup::stop_reason;
using access = recoup::detail::failure_access;

static_assert(std::regular<failure>);
static_assert(std::is_nothrow_default_constructible_v<failure>);
static_assert(std::is_nothrow_copy_constructible_v<failure>);
static_assert(std::is_nothrow_copy_assignable_v<failure>);
static_assert(std::is_nothrow_move_constructible_v<failure>);
static_assert(std::is_nothrow_move_assignable_v<failure>);
static_assert(std::is_nothrow_constructible_v<failure, std::error_code>);
static_assert(std::is_nothrow_constructible_v<failure, std::errc>);
static_assert(std::is_nothrow_constructible_v<failure, category>);
static_assert(std::is_nothrow_constructible_v<failure, category, std::error_code>);
static_assert(std::is_convertible_v<std::error_code, failure>);
static_assert(std::is_convertible_v<std::errc, failure>);
static_assert(std::is_convertible_v<std::future_errc, failure>);
static_assert(std::is_convertible_v<recoup::errc, failure>);
static_assert(!std::is_convertible_v<category, failure>, "a category alone is no error: say so");
static_assert(!std::is_convertible_v<std::exception_ptr, failure>);
static_assert(!std::is_constructible_v<failure, int>);
static_assert(!std::is_constructible_v<failure, bool>);
static_assert(sizeof(failure) <= 64, "results that hold one stay within a cache line and a bit");

std::string line(failure const& what) {
    std::ostringstream out;
    out << what;
    return std::move(out).str();
}

}  // namespace

TEST_CASE("A failure made of nothing says nothing") {
    auto const none = failure{};
    CHECK(none.category() == category::unknown);
    CHECK_FALSE(none.code());
    CHECK(none.exception() == nullptr);
    CHECK(none.attempts() == 0);
    CHECK(none.stopped() == stop_reason::none);
    CHECK_FALSE(none.retry_after());
    CHECK(none.message() == "unknown");
    CHECK(line(none) == "unknown");
    CHECK(none == failure{});
}

TEST_CASE("A failure keeps its error code, and any enumeration of codes or conditions makes one") {
    auto const refused = failure{std::make_error_code(std::errc::connection_refused)};
    CHECK(refused.code() == std::errc::connection_refused);
    CHECK(refused == failure{std::errc::connection_refused});
    CHECK(failure{std::future_errc::broken_promise}.code() == std::future_errc::broken_promise);
    CHECK(failure{recoup::errc::no_value}.code() == recoup::errc::no_value);
    auto const system = failure{std::error_code{110, std::system_category()}};
    CHECK(system.code().category() == std::system_category());
    CHECK(system.code().value() == 110);
    CHECK(failure{std::error_code{-5, std::system_category()}}.code().value() == -5);
}

TEST_CASE(
    "The text of a failure is the one given, else the exception's, the code's, the category's") {
    auto const code = std::make_error_code(std::errc::timed_out);
    auto const thrown = std::make_exception_ptr(std::runtime_error{"thrown"});
    CHECK(failure{category::quota_exceeded}.message() == "quota_exceeded");
    CHECK(failure{code}.message() == code.message());
    CHECK(failure{category::quota_exceeded, code}.message() == code.message());
    CHECK(failure{thrown}.message() == "thrown");
    CHECK(failure{thrown, code}.message() == "thrown");
    CHECK(failure{thrown, code}.code() == code);
    CHECK(failure{category::quota_exceeded, "given"}.message() == "given");
    CHECK(failure{category::quota_exceeded, code, "given"}.message() == "given");
    CHECK(failure{std::make_exception_ptr(42)}.message() ==
          "an exception that is not derived from std::exception");
}

TEST_CASE("A failure prints what, where and how it ended, on one line") {
    auto timed_out = failure{category::network_timeout, std::make_error_code(std::errc::timed_out)};
    CHECK(line(timed_out) == "network_timeout: Connection timed out (generic:110)");
    access::set_end(timed_out, stop_reason::attempts_exhausted, 3);
    CHECK(line(timed_out) ==
          "network_timeout: Connection timed out (generic:110); 3 attempts, stopped: "
          "attempts_exhausted");
    auto once = failure{category::permission, "no"};
    access::set_end(once, stop_reason::not_retryable, 1);
    CHECK(line(once) == "permission: no; 1 attempt, stopped: not_retryable");
    auto never = failure{recoup::errc::breaker_open};
    access::set_end(never, stop_reason::breaker_open, 0);
    CHECK(line(never) ==
          "unknown: the circuit breaker is open (recoup:1); 0 attempts, stopped: breaker_open");
    CHECK(line(never) == never.describe());
}

TEST_CASE("What a failure prints has no control characters and no credentials") {
    auto const hostile =
        failure{category::unknown, "line\none\x1b[31m of\x07 https://me:secret@host/x"};
    auto const shown = line(hostile);
    CHECK(shown.find('\n') == std::string::npos);
    CHECK(shown.find('\x1b') == std::string::npos);
    CHECK(shown.find('\x07') == std::string::npos);
    CHECK(shown.find("secret") == std::string::npos);
    CHECK(hostile.message().find("secret") != std::string::npos);  // the text itself stays whole
}

TEST_CASE("Copies share the exception and are equal; another exception of the same kind is not") {
    auto const one = failure{std::make_exception_ptr(std::runtime_error{"x"})};
    auto const copy = one;
    CHECK(copy == one);
    CHECK(copy.exception() == one.exception());
    CHECK_FALSE(failure{std::make_exception_ptr(std::runtime_error{"x"})} == one);
}

TEST_CASE("Failures differ in each thing that they say") {
    auto const base =
        failure{category::network_dns, std::make_error_code(std::errc::timed_out), "text"};
    auto same = failure{category::network_dns, std::make_error_code(std::errc::timed_out), "text"};
    CHECK(base == same);
    CHECK_FALSE(base ==
                failure{category::network_tls, std::make_error_code(std::errc::timed_out), "text"});
    CHECK_FALSE(base ==
                failure{category::network_dns, std::make_error_code(std::errc::io_error), "text"});
    CHECK_FALSE(base == failure{category::network_dns, std::make_error_code(std::errc::timed_out),
                                "other"});
    CHECK_FALSE(base == failure{same}.retry_after(1s));
    access::set_end(same, stop_reason::deadline, 0);
    CHECK_FALSE(base == same);
    access::set_end(same, stop_reason::none, 1);
    CHECK_FALSE(base == same);
}

TEST_CASE("A hint is kept within 0 and 24 days") {
    CHECK(failure{}.retry_after(1500ms).retry_after() == 1500ms);
    CHECK(failure{}.retry_after(0ms).retry_after() == 0ms);
    CHECK(failure{}.retry_after(-1ms).retry_after() == 0ms);
    CHECK(failure{}.retry_after(std::chrono::milliseconds::min()).retry_after() == 0ms);
    CHECK(failure{}.retry_after(std::chrono::milliseconds::max()).retry_after() ==
          std::chrono::milliseconds{INT32_MAX});
    auto noted = failure{category::rate_limited};
    noted.retry_after(3s);
    CHECK(noted.retry_after() == 3s);
}

TEST_CASE("A failure can be told to be of another category, and then is known to be") {
    auto const unknown = failure{std::errc::timed_out};
    CHECK_FALSE(access::classified(unknown));
    auto const known = unknown.as(category::maintenance);
    CHECK(known.category() == category::maintenance);
    CHECK(known.code() == std::errc::timed_out);
    CHECK(access::classified(known));
    CHECK(unknown.category() == category::unknown);
    CHECK(failure{std::errc::timed_out}.as(category::quota_exceeded).category() ==
          category::quota_exceeded);
    CHECK(access::classified(failure{category::unknown}));
}

TEST_CASE("Recoverability is the category's unless a rule says otherwise") {
    CHECK(failure{category::permission}.recoverability() == recoup::recoverability::permanent);
    CHECK(failure{category::network_dns}.recoverability() == recoup::recoverability::transient);
    CHECK(failure{}.recoverability() == recoup::recoverability::unknown);
    auto ruled = failure{category::network_dns};
    access::set_recoverability(ruled, recoup::recoverability::permanent);
    CHECK(ruled.recoverability() == recoup::recoverability::permanent);
}
