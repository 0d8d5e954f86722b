// SPDX-License-Identifier: BSL-1.0
// A user's program that writes what its metrics have counted in the format of Prometheus.
#include <recoup/observe/prometheus.hpp>
#include <recoup/recoup.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

#include <prometheus/text_serializer.h>

int main() {
    recoup::metrics metrics;
    auto const call =
        recoup::with_recovery([] { return 42; }, recoup::retry{}, metrics.watch("answer"));
    static_cast<void>(call());
    recoup::prometheus_collectable const shown{metrics};
    auto const text = prometheus::TextSerializer{}.Serialize(shown.Collect());
    bool const right = text.find("recoup_calls_total{watch=\"answer\"} 1\n") != std::string::npos;
    std::cout << (right ? "right\n" : "wrong\n" + text);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
