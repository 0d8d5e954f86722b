// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/random.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <set>
#include <thread>

static_assert(noexcept(recoup::splitmix64{1}()));
static_assert(noexcept(recoup::detail::thread_random()));

TEST_CASE("The generator gives what its paper gives") {
    // The first numbers of the reference implementation for this seed.
    auto generator = recoup::splitmix64{1234567};
    CHECK(generator() == 6457827717110365317U);
    CHECK(generator() == 3203168211198807973U);
    CHECK(generator() == 9817491932198370423U);
    CHECK(generator() == 4593380528125082431U);
    CHECK(generator() == 16408922859458223821U);
}

TEST_CASE("Threads draw from sequences of their own", "[concurrent]") {
    std::set<std::uint64_t> drawn;
    for (int i = 0; i != 100; ++i) drawn.insert(recoup::detail::thread_random());
    std::uint64_t other = 0;
    std::thread{[&] { other = recoup::detail::thread_random(); }}.join();
    drawn.insert(other);
    CHECK(drawn.size() == 101);
}
