// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/attempt.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using recoup::attempt;
using recoup::steady_time;
using recoup::detail::operation_state;

static_assert(!std::is_copy_constructible_v<attempt>);
static_assert(sizeof(attempt) == sizeof(void*));

/// `token` with `x` for its digits, but for the version, and `v` for a variant of RFC 9562.
std::string shape(std::string const& token) {
    auto seen = token;
    for (std::size_t i = 0; i != seen.size(); ++i) {
        auto const digit =
            std::string_view{"0123456789abcdef"}.find(token[i]) != std::string_view::npos;
        if (digit && i != 14)
            seen[i] = i == 19 && (token[i] == '8' || token[i] == '9' || token[i] == 'a' ||
                                  token[i] == 'b')
                          ? 'v'
                          : 'x';
    }
    return seen;
}

struct counting_sink : recoup::detail::progress_sink {
    recoup::failure const* save_progress() override {
        ++saves;
        return refuses ? &trouble : nullptr;
    }
    int saves = 0;
    bool refuses = false;
    recoup::failure trouble{recoup::category::service_unavailable, "the store is down"};
};

}  // namespace

TEST_CASE("An attempt shows the state of its operation") {
    auto const before = recoup::failure{recoup::category::network_dns};
    std::stop_source stop;
    auto state = operation_state{
        .attempt = 3, .resumed = true, .stop = stop.get_token(), .previous = &before};
    auto current = attempt{state};
    CHECK(current.number() == 3);
    CHECK(current.resumed());
    CHECK(current.previous_failure() == &before);
    CHECK_FALSE(current.stop_token().stop_requested());
    stop.request_stop();
    CHECK(current.stop_token().stop_requested());
}

TEST_CASE("What remains of the deadline is unlimited without one, and never negative") {
    auto now = steady_time{100s};
    auto state = operation_state{
        .now = [](void const* at) noexcept { return *static_cast<steady_time const*>(at); },
        .clock = &now};
    auto const current = attempt{state};
    CHECK(current.remaining() == recoup::unlimited);
    state.give_up_at = steady_time{130s};
    CHECK(current.remaining() == 30s);
    now = steady_time{130s};
    CHECK(current.remaining() == 0s);
    now = steady_time{131s};
    CHECK(current.remaining() == 0s);
    now = steady_time::max();
    state.give_up_at = steady_time::min();
    CHECK(current.remaining() == 0s);
    CHECK(operation_state{}.now == nullptr);
}

TEST_CASE("A checkpoint is given back as it was saved, and a first attempt has none") {
    auto state = operation_state{};
    auto current = attempt{state};
    CHECK(current.checkpoint<std::uint64_t>() == std::nullopt);
    current.save_checkpoint(std::uint64_t{4096});
    CHECK(current.checkpoint<std::uint64_t>() == 4096U);
    current.save_checkpoint(std::string{"part 3"});
    CHECK(current.checkpoint<std::string>() == "part 3");
    current.save_checkpoint("a literal");
    CHECK(current.checkpoint<std::string>() == "a literal");
    current.save_checkpoint(std::string{});
    CHECK(current.checkpoint<std::string>() == "");
}

TEST_CASE("A checkpoint of another type is an error, and is kept") {
    auto state = operation_state{};
    auto current = attempt{state};
    current.save_checkpoint(std::uint64_t{4096});
    try {
        static_cast<void>(current.checkpoint<std::string>());
        FAIL("it must throw");
    } catch (recoup::recovery_error const& caught) {
        CHECK(caught.code() == recoup::errc::value_unreadable);
        CHECK(caught.failure().category() == recoup::category::corruption);
    }
    CHECK_THROWS_AS(current.checkpoint<std::int64_t>(), recoup::recovery_error);
    CHECK(current.checkpoint<std::uint64_t>() == 4096U);
}

TEST_CASE("Only a checkpoint that differs is progress, and each is handed to the sink") {
    auto sink = counting_sink{};
    auto state = operation_state{.sink = &sink};
    auto current = attempt{state};
    current.save_checkpoint(1);
    CHECK(state.progressed);
    state.progressed = false;
    current.save_checkpoint(1);
    CHECK_FALSE(state.progressed);
    current.save_checkpoint(2);
    current.save_checkpoint(2);
    CHECK(state.progressed);
    CHECK(sink.saves == 4);
}

TEST_CASE("The token is a UUID that stays the same, and is recorded before it is shown first") {
    auto sink = counting_sink{};
    auto state = operation_state{.sink = &sink};
    auto current = attempt{state};
    auto const token = current.idempotency_token();
    CHECK(sink.saves == 1);
    CHECK(shape(token) == "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx");
    CHECK(current.idempotency_token() == token);
    CHECK(attempt{state}.idempotency_token() == token);
    CHECK(sink.saves == 1);
}

TEST_CASE("A token that may not be shown is not shown, and another is made when it may") {
    auto sink = counting_sink{};
    sink.refuses = true;
    auto state = operation_state{.sink = &sink};
    auto current = attempt{state};
    for (int i = 1; i != 3; ++i) {
        CHECK_THROWS_AS(current.idempotency_token(), recoup::recovery_error);
        CHECK(recoup::detail::is_zero(state.token));
        CHECK(sink.saves == i);
    }
    sink.refuses = false;
    CHECK(current.idempotency_token() == current.idempotency_token());
    CHECK(sink.saves == 3);
}

TEST_CASE("A token is printed byte by byte") {
    recoup::detail::token_bytes bytes{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x4d, 0xef,
                                      0x80, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0xff};
    CHECK(recoup::detail::token_text(bytes) == "01234567-89ab-4def-8011-2233445566ff");
}

TEST_CASE("Tokens of different operations differ") {
    std::set<std::string> tokens;
    for (int i = 0; i != 1000; ++i) {
        auto state = operation_state{};
        tokens.insert(attempt{state}.idempotency_token());
    }
    CHECK(tokens.size() == 1000);
}
