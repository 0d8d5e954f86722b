// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/detail/breaker_word.hpp>

#include <cstdint>

#include "support/catch.hpp"

using recoup::breaker_state;
using namespace recoup::detail;

TEST_CASE("a window is clean from the success that fills it with successes to the next failure",
          "[circuit_breaker]") {
    for (auto const size : {1U, 2U, 20U, 100U, 32'768U}) {
        window_head head;
        CAPTURE(size);
        for (std::uint32_t i = 0; i < size; ++i) {
            REQUIRE_FALSE(head.clean);
            REQUIRE(head.filled(size) == i);
            head = head.after(false, size);
        }
        REQUIRE(head.clean);
        REQUIRE(head.filled(size) == size);
        head = head.after(true, size);
        for (std::uint32_t i = 0; i < size; ++i) {
            REQUIRE_FALSE(head.clean);
            REQUIRE(head.filled(size) == size);
            head = head.after(false, size);
        }
        REQUIRE(head.clean);
    }
}

TEST_CASE("what is packed into a breaker's word comes out of it", "[circuit_breaker]") {
    auto const word = enter(enter(0, breaker_state::isolated), breaker_state::closed);
    CHECK(state_of(tag_of(word)) == breaker_state::closed);
    auto const packed =
        window_head{.cursor = 32'767, .streak = 32'767, .wrapped = true, .clean = true}.into(word);
    auto const head = window_head::of(packed);
    CHECK(head.cursor == 32'767);
    CHECK(head.streak == 32'767);
    CHECK(head.wrapped);
    CHECK(head.clean);
    CHECK(same_generation(packed, tag_of(word)));
    CHECK(window_head{}.into(packed) == word);

    auto const half_open = enter(packed, breaker_state::half_open);
    CHECK_FALSE(same_generation(half_open, tag_of(packed)));
    auto const probes = probe_counts::of(
        probe_counts{.running = 1000, .failed = 999, .succeeded = 998}.into(half_open));
    CHECK(probes.running == 1000);
    CHECK(probes.failed == 999);
    CHECK(probes.succeeded == 998);
}

TEST_CASE("generations that run out begin again, and the state is left whole",
          "[circuit_breaker]") {
    auto const last = breaker_word{0xFFFF'FFF8U} << 32U;
    auto const next = enter(last, breaker_state::open);
    CHECK(state_of(tag_of(next)) == breaker_state::open);
    CHECK_FALSE(same_generation(next, tag_of(last)));
}
