// SPDX-License-Identifier: BSL-1.0
// A cache: a result is returned again for a while, and stands in for a failure for a while longer.
// prints: fetched models.example: version 1
// prints: again: version 1
// prints: after its time, while the server is down: version 1
// prints: at last: network_connection (attempts made: 1)
// prints: hits 1, misses 3, stale 1
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

int main() {
    recoup::testing::manual_clock clock;
    auto down = false;
    recoup::cache<std::string, std::string> indices{
        {.capacity = 1'000, .time_to_live = 5min, .stale_if_error = 1h}};
    auto const fetch = recoup::with_recovery(
        [&](std::string const& host) -> recoup::result<std::string> {
            if (down) return recoup::failure{recoup::category::network_connection};
            std::cout << "fetched " << host << ": ";
            return "version 1";
        },
        indices, recoup::retry{.max_attempts = 1}, recoup::on(clock));
    std::cout << fetch("models.example").value() << '\n';
    std::cout << "again: " << fetch("models.example").value() << '\n';
    down = true;
    clock.advance(5min);
    std::cout << "after its time, while the server is down: " << fetch("models.example").value()
              << '\n';
    clock.advance(1h);
    auto const last = fetch("models.example").error();
    std::cout << "at last: " << last.category() << " (attempts made: " << last.attempts() << ")\n";
    auto const seen = indices.snapshot();
    std::cout << "hits " << seen.hits << ", misses " << seen.misses << ", stale " << seen.stale
              << '\n';
}
