// SPDX-License-Identifier: BSL-1.0
// What limiters add to a call that they admit, one by one and all together.
#include "call/dependency.hpp"
#include "call/measure.hpp"

#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/concurrency_limit.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <utility>

using namespace std::chrono_literals;

namespace bench {

namespace {

auto const ask = [](std::uint64_t question) { return answer_or_error(question); };

template <class... Policies>
void measure_with(benchmark::State& state, Policies&&... policies) {
    auto const call =
        recoup::with_recovery(ask, recoup::retry{}, std::forward<Policies>(policies)...);
    measure(state, call);
    if (!call(std::uint64_t{1})) std::abort();
}

/// Never empty: a token drops in every nanosecond.
recoup::rate_limiter& bucket() {
    static recoup::rate_limiter limiter{recoup::token_bucket(1'000'000'000, 1s)};
    return limiter;
}

/// Never full: what it holds has left it before it comes round.
recoup::rate_limiter& window() {
    static recoup::rate_limiter limiter{recoup::sliding_window(4'096, 1us)};
    return limiter;
}

recoup::bulkhead& pool() {
    static recoup::bulkhead one{{.at_once = 1'000, .waiting = 1'000}};
    return one;
}

recoup::concurrency_limit& limit() {
    static recoup::concurrency_limit one{{.initial = 1'000, .least = 1'000}};
    return one;
}

recoup::circuit_breaker& breaker() {
    static recoup::circuit_breaker one;
    return one;
}

}  // namespace

void add_guards() {
    for (auto const threads : {1, 2}) {
        add("call/reply/recoup_token_bucket", threads,
            [](benchmark::State& state) { measure_with(state, bucket()); });
        add("call/reply/recoup_sliding_window", threads,
            [](benchmark::State& state) { measure_with(state, window()); });
        add("call/reply/recoup_bulkhead", threads,
            [](benchmark::State& state) { measure_with(state, pool()); });
        add("call/reply/recoup_concurrency_limit", threads,
            [](benchmark::State& state) { measure_with(state, limit()); });
        add("call/reply/recoup_all_guards", threads, [](benchmark::State& state) {
            measure_with(state, recoup::deadline{1min}, breaker(), bucket(), pool());
        });
        // What any limit must do that threads share: take a place, and give it back.
        add("call/reply/shared_count", threads, [](benchmark::State& state) {
            alignas(64) static std::atomic<std::uint64_t> running{0};
            measure(state, [](std::uint64_t question) {
                auto now = running.load(std::memory_order_relaxed);
                while (!running.compare_exchange_weak(now, now + 1)) {}
                auto found = answer_or_error(question);
                running.fetch_sub(1);
                return found;
            });
        });
    }
    add("call/reply/clock_read", 1, [](benchmark::State& state) {
        measure(state, [](std::uint64_t question) {
            benchmark::DoNotOptimize(std::chrono::steady_clock::now());
            return answer_or_error(question);
        });
    });
}

}  // namespace bench
