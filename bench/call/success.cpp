// SPDX-License-Identifier: BSL-1.0
// Success at once: the callable, the loop written by hand, and recoup with more and more policies.
#include "call/dependency.hpp"
#include "call/hand_written.hpp"
#include "call/instant_clock.hpp"
#include "call/measure.hpp"

#include <recoup/core/on.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>

using namespace std::chrono_literals;

namespace bench {

namespace {

auto const ask = [](std::uint64_t question) { return answer(question); };
auto const ask_for_reply = [](std::uint64_t question) { return answer_or_error(question); };

}  // namespace

void add_success() {
    add("call/value/bare", 1, [](benchmark::State& state) { measure(state, ask); });
    add("call/value/hand_written", 1, [](benchmark::State& state) {
        hand_written::options const chosen;
        instant_clock time;
        measure(state, [&](std::uint64_t question) {
            return hand_written::retried_throwing(ask, question, chosen, time);
        });
    });
    add("call/value/recoup", 1, [](benchmark::State& state) {
        measure(state, recoup::with_recovery(ask, recoup::retry{}));
    });
    add("call/reply/bare", 1, [](benchmark::State& state) { measure(state, ask_for_reply); });
    add("call/reply/hand_written", 1, [](benchmark::State& state) {
        hand_written::options const chosen;
        instant_clock time;
        measure(state, [&](std::uint64_t question) {
            return hand_written::retried(ask_for_reply, question, chosen, time);
        });
    });
    add("call/reply/recoup", 1, [](benchmark::State& state) {
        measure(state, recoup::with_recovery(ask_for_reply, recoup::retry{}));
    });
    add("call/reply/recoup", 2, [](benchmark::State& state) {
        measure(state, recoup::with_recovery(ask_for_reply, recoup::retry{}));
    });
    add("call/reply/recoup_deadline", 1, [](benchmark::State& state) {
        measure(state,
                recoup::with_recovery(ask_for_reply, recoup::retry{}, recoup::deadline{1min}));
    });
}

}  // namespace bench
