// SPDX-License-Identifier: BSL-1.0
// A circuit breaker that is closed, and one that rejects.
#include "call/dependency.hpp"
#include "call/measure.hpp"

#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <cstdlib>

using namespace std::chrono_literals;

namespace bench {

namespace {

auto const ask_for_reply = [](std::uint64_t question) { return answer_or_error(question); };

/// One breaker for all threads, with a window full of successes.
recoup::circuit_breaker& closed_breaker() {
    static recoup::circuit_breaker breaker;
    static bool const filled = [] {
        auto const call = recoup::with_recovery(ask_for_reply, recoup::retry{}, breaker);
        for (auto i = 0; i != 1'000; ++i) static_cast<void>(call(std::uint64_t{1}));
        return true;
    }();
    static_cast<void>(filled);
    return breaker;
}

void closed(benchmark::State& state) {
    measure(state, recoup::with_recovery(ask_for_reply, recoup::retry{}, closed_breaker()));
    if (closed_breaker().state() != recoup::breaker_state::closed) std::abort();
}

void rejected(benchmark::State& state) {
    recoup::circuit_breaker breaker{{.open_for = 24h}};
    auto const call = recoup::with_recovery(always_down, recoup::retry{.max_attempts = 1}, breaker);
    while (breaker.state() == recoup::breaker_state::closed)
        static_cast<void>(call(std::uint64_t{1}));
    measure(state, call);
    if (call(std::uint64_t{1}).error().stopped() != recoup::stop_reason::breaker_open) std::abort();
}

}  // namespace

void add_breaker() {
    add("call/reply/recoup_breaker", 1, closed);
    add("call/reply/recoup_breaker", 2, closed);
    add("call/reply/recoup_breaker_deadline", 1, [](benchmark::State& state) {
        measure(state, recoup::with_recovery(ask_for_reply, recoup::retry{}, recoup::deadline{1min},
                                             closed_breaker()));
    });
    add("call/rejected/recoup_breaker", 1, rejected);
}

}  // namespace bench
