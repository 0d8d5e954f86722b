// SPDX-License-Identifier: BSL-1.0
#include <recoup/retry/not_idempotent.hpp>

#include <recoup/retry/retry.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <string>
#include <system_error>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;
using recoup::attempt;
using recoup::not_idempotent;
using recoup::result;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::manual_clock;

auto const four = recoup::retry{.max_attempts = 4, .backoff = recoup::constant(0ms)};

/// How many attempts a failure is worth where nothing may happen twice.
int attempts_after(recoup::failure const& what) {
    auto calls = 0;
    auto const pay = with_recovery(
        [&]() -> result<int> {
            ++calls;
            return what;
        },
        four, not_idempotent{});
    auto const ended = pay();
    REQUIRE_FALSE(ended);
    if (calls == 1) CHECK(ended.error().stopped() == stop_reason::not_idempotent);
    return calls;
}

}  // namespace

TEST_CASE("what must not happen twice is tried again only where nothing has happened",
          "[not_idempotent]") {
    CHECK(attempts_after(std::make_error_code(std::errc::connection_refused)) == 4);
    CHECK(attempts_after(std::make_error_code(std::errc::host_unreachable)) == 4);
    CHECK(attempts_after(recoup::failure{recoup::category::network_dns}) == 4);
    CHECK(attempts_after(recoup::errc::rate_limited) == 4);
    CHECK(attempts_after(recoup::errc::breaker_open) == 4);
    // A request may have gone through before these.
    CHECK(attempts_after(std::make_error_code(std::errc::connection_reset)) == 1);
    CHECK(attempts_after(std::make_error_code(std::errc::timed_out)) == 1);
    CHECK(attempts_after(recoup::failure{recoup::category::service_unavailable}) == 1);
    CHECK(attempts_after(recoup::failure{recoup::category::unknown}) == 1);
}

TEST_CASE("what cannot be cured ends for that, as everywhere", "[not_idempotent]") {
    auto const pay =
        with_recovery([]() -> result<int> { return recoup::failure{recoup::category::permission}; },
                      four, not_idempotent{});
    CHECK(pay().error().stopped() == stop_reason::not_retryable);
}

TEST_CASE("field pain 17: with its token handed on it is tried again, with the same token",
          "[not_idempotent][field]") {
    auto calls = 0;
    auto tokens = std::string{};
    auto first = std::string{};
    auto const pay = with_recovery(
        [&](attempt& current) -> result<int> {
            if (++calls == 1) first = current.idempotency_token();
            if (current.idempotency_token() != first) tokens = "differ";
            return std::make_error_code(std::errc::connection_reset);
        },
        four, not_idempotent{});
    CHECK_FALSE(pay());
    CHECK(calls == 4);
    CHECK(tokens.empty());
}

TEST_CASE(
    "an operation that a crash interrupted is not begun again, unless its token was handed on",
    "[not_idempotent]") {
    recoup::memory_store store;
    auto const kept_in = [](recoup::memory_store& in) {
        return recoup::persist(in, {.name = "pay", .when = recoup::persist_when::start},
                               [](std::string const& key) { return key; });
    };
    // As a crash leaves it: the record as it is in the middle of the attempt.
    auto const leave_behind = [&](std::string const& key, bool with_token) {
        recoup::memory_store earlier;
        auto left = recoup::record{};
        auto const pay = with_recovery(
            [&](attempt& current, std::string const& order) {
                if (with_token) static_cast<void>(current.idempotency_token());
                left = earlier.load({"", "pay", order}).value().value();
                return 0;
            },
            not_idempotent{}, kept_in(earlier));
        REQUIRE(pay(key));
        left.revision = 0;
        REQUIRE(store.save(left));
    };
    leave_behind("without", false);
    leave_behind("with", true);
    auto calls = 0;
    auto const pay = with_recovery([&](attempt&, std::string const&) { return ++calls; }, four,
                                   not_idempotent{}, kept_in(store));
    auto const refused = pay(std::string{"without"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().stopped() == stop_reason::not_idempotent);
    CHECK(refused.error().code() == recoup::errc::process_ended);
    CHECK(calls == 0);
    CHECK(pay(std::string{"with"}));
    CHECK(calls == 1);
}
