// SPDX-License-Identifier: BSL-1.0
#include <recoup/with_recovery.hpp>

#include <recoup/retry/retry.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <chrono>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;
using recoup::category;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;

auto const thrice = retry{.max_attempts = 3, .backoff = recoup::constant(0ms)};

/// Fails with a reset connection, by throwing, and counts.
struct resets {
    int& calls;
    int operator()() const {
        ++calls;
        throw std::system_error{std::make_error_code(std::errc::connection_reset)};
    }
};

}  // namespace

TEST_CASE("field pain 6: nested retries do not multiply", "[nested][field]") {
    auto calls = 0;
    auto const inner = with_recovery(resets{calls}, thrice);
    SECTION("where the failure comes back as a result") {
        auto const middle = with_recovery([&] { return inner(); }, thrice);
        auto const outer = with_recovery([&] { return middle(); }, thrice);
        auto const ended = outer();
        REQUIRE_FALSE(ended);
        CHECK(ended.error().stopped() == stop_reason::retried_within);
        CHECK(ended.error().code() == std::errc::connection_reset);
    }
    SECTION("where it comes back as the callable's own exception") {
        auto const middle = with_recovery([&] { return inner().value(); }, thrice);
        auto const outer = with_recovery([&] { return middle().value(); }, thrice);
        CHECK(outer().error().stopped() == stop_reason::retried_within);
    }
    SECTION("where nothing of it comes back but its code") {
        auto const outer = with_recovery(
            [&]() -> result<int> {
                auto const got = inner();
                return std::error_code{got.error().code().value(), got.error().code().category()};
            },
            thrice);
        CHECK(outer().error().stopped() == stop_reason::retried_within);
    }
    SECTION("where the inner call runs in another thread") {
        auto const outer = with_recovery(
            [&] {
                auto got = result<int>{0};
                std::jthread{[&] { got = inner(); }}.join();
                return got;
            },
            thrice);
        CHECK(outer().error().stopped() == stop_reason::retried_within);
    }
    CHECK(calls == 3);
}

TEST_CASE("what the call inside has not tried again is tried again outside", "[nested]") {
    auto calls = 0;
    SECTION("because it makes one attempt only") {
        auto const inner = with_recovery(resets{calls}, retry{.max_attempts = 1});
        CHECK_FALSE(with_recovery([&] { return inner(); }, thrice)());
        CHECK(calls == 3);
    }
    SECTION("because it was overcome, and something else failed") {
        auto inside = 0;
        auto const inner = with_recovery(resets{inside}, thrice);
        CHECK_FALSE(with_recovery(
            [&]() -> result<int> {
                static_cast<void>(inner());  // optional, say
                ++calls;
                return recoup::failure{category::network_dns};
            },
            thrice)());
        CHECK(calls == 3);
    }
    SECTION("because it happened before this call") {
        auto inside = 0;
        CHECK_FALSE(with_recovery(resets{inside}, thrice)());
        CHECK_FALSE(with_recovery(resets{calls}, thrice)());
        CHECK(calls == 3);
    }
    SECTION("because somebody wants it") {
        auto const inner = with_recovery(resets{calls}, thrice);
        auto patient = thrice;
        patient.retry_nested = true;
        CHECK_FALSE(with_recovery([&] { return inner(); }, patient)());
        CHECK(calls == 9);
    }
}
