// SPDX-License-Identifier: BSL-1.0
// A circuit breaker for each host: one that is down does not stop the calls of the others.
// prints: models.example: service_unavailable: the circuit breaker is open (recoup:1); 0 attempts, stopped: breaker_open
// prints: images.example: answers
#include <recoup/recoup.hpp>

#include <iostream>
#include <string>

int main() {
    auto per_host = recoup::per_key<recoup::circuit_breaker>(
        recoup::circuit_breaker_options{.consecutive_failures = 2},
        [](std::string const& host) { return host; }, {.most = 100});
    auto const fetch = recoup::with_recovery(
        [](std::string const& host) -> recoup::result<std::string> {
            if (host == "models.example")
                return recoup::failure{recoup::category::network_connection};
            return "answers";
        },
        recoup::retry{.max_attempts = 1}, per_host);
    for (auto i = 0; i < 2; ++i) static_cast<void>(fetch("models.example"));
    std::cout << "models.example: " << fetch("models.example").error() << '\n';
    std::cout << "images.example: " << fetch("images.example").value() << '\n';
}
