// SPDX-License-Identifier: BSL-1.0
// Something else in place of a failure that nothing has cured: another mirror, a cache, a value.
// prints: model from mirror-2.example
// prints: no news: network_dns
#include <recoup/recoup.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

int main() {
    auto const twice = recoup::retry{.max_attempts = 2, .backoff = recoup::constant(1ms)};
    auto const fetch = recoup::with_recovery(
        [](std::string const& mirror) -> recoup::result<std::string> {
            if (mirror == "mirror-2.example") return "model from " + mirror;
            return recoup::failure{recoup::category::network_connection};
        },
        twice, recoup::fallback_to({"mirror-1.example", "mirror-2.example"}));
    std::cout << fetch("first.example").value() << '\n';

    auto const news = recoup::with_recovery(
        []() -> recoup::result<std::string> {
            return recoup::failure{recoup::category::network_dns};
        },
        twice, recoup::fallback([](recoup::failure const& why) {
            return "no news: " + std::string{to_string(why.category())};
        }));
    std::cout << news().value() << '\n';
}
