// SPDX-License-Identifier: BSL-1.0
// Stops calling what is down, and finds out when it is up again.
// prints: closed -> open
// prints: 1000 calls while it is down: 3 reached it
// prints: open -> half_open
// prints: half_open -> closed
// prints: and it answers: yes
#include <recoup/recoup.hpp>

#include <chrono>
#include <iostream>
#include <thread>

using namespace std::chrono_literals;

int main() {
    recoup::circuit_breaker breaker{
        {.open_for = 500ms, .half_open_permits = 1, .consecutive_failures = 3}};
    breaker.on_state_change([](recoup::breaker_change const& change) {
        std::cout << change.from << " -> " << change.to << '\n';
    });
    auto is_up = false;
    auto reached = 0;
    auto const call = recoup::with_recovery(
        [&]() -> recoup::result<int> {
            ++reached;
            if (is_up) return 1;
            return recoup::failure{recoup::category::service_unavailable};
        },
        recoup::retry{.max_attempts = 1}, breaker);
    for (auto i = 0; i < 1000; ++i) static_cast<void>(call());
    std::cout << "1000 calls while it is down: " << reached << " reached it\n";
    is_up = true;
    recoup::real_clock clock;
    std::this_thread::sleep_for(breaker.retry_in(clock));
    auto const answer = call();
    std::cout << "and it answers: " << (answer ? "yes" : "no") << '\n';
}
