// SPDX-License-Identifier: BSL-1.0
// What counting, timing and watching adds to a call.
#include "call/dependency.hpp"
#include "call/measure.hpp"

#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <utility>

using namespace std::chrono_literals;

namespace bench {

namespace {

auto const ask_watched = [](std::uint64_t question) { return answer_or_error(question); };

recoup::metrics& counted() {
    static recoup::metrics one;
    return one;
}

recoup::metrics& alerting() {
    struct watching : recoup::metrics {
        watching() {
            alert({.overhead_above = 1e6, .success_below = 0.9, .recovery_above = 500ms},
                  [](recoup::alert const&) {});
        }
    };
    static watching one;
    return one;
}

recoup::circuit_breaker& watched_breaker() {
    static recoup::circuit_breaker one;
    return one;
}

template <class... Policies>
void measure_watched(benchmark::State& state, Policies&&... policies) {
    auto const call =
        recoup::with_recovery(ask_watched, recoup::retry{}, std::forward<Policies>(policies)...);
    measure(state, call);
    if (!call(std::uint64_t{1})) std::abort();
}

}  // namespace

void add_metrics() {
    for (auto const threads : {1, 2}) {
        add("call/reply/recoup_metrics", threads,
            [](benchmark::State& state) { measure_watched(state, counted().watch("metrics")); });
        add("call/reply/recoup_metrics_alerts", threads,
            [](benchmark::State& state) { measure_watched(state, alerting().watch("alerts")); });
        add("call/reply/recoup_everything", threads, [](benchmark::State& state) {
            measure_watched(state, recoup::deadline{1min}, watched_breaker(),
                            alerting().watch("everything"));
        });
    }
}

}  // namespace bench
