// SPDX-License-Identifier: BSL-1.0
// Bounds the retries of all calls that share it: what is down sees hardly more calls than without retries.
// prints: 1000 calls of what is down made 1100 attempts
#include <recoup/recoup.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

int main() {
    recoup::retry_budget budget{{.ratio = 0.1, .per_second = 0, .reserve = 0}};
    auto attempts = 0;
    auto const call = recoup::with_recovery(
        [&]() -> recoup::result<int> {
            ++attempts;
            return recoup::failure{recoup::category::network_connection};
        },
        recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ms)}, budget);
    for (auto i = 0; i < 1000; ++i) static_cast<void>(call());
    std::cout << "1000 calls of what is down made " << attempts << " attempts\n";
}
