// SPDX-License-Identifier: BSL-1.0
// One failed attempt, then success: classification, decision, backoff arithmetic, no real wait.
#include "call/dependency.hpp"
#include "call/hand_written.hpp"
#include "call/instant_clock.hpp"
#include "call/measure.hpp"

#include <recoup/core/on.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

namespace bench {

void add_failed_once() {
    add("call/failed_once/hand_written", 1, [](benchmark::State& state) {
        hand_written::options const chosen;
        instant_clock time;
        fails_once call;
        measure(state, [&](std::uint64_t question) {
            return hand_written::retried(call, question, chosen, time);
        });
    });
    add("call/failed_once/recoup", 1, [](benchmark::State& state) {
        instant_clock time;
        measure(state, recoup::with_recovery(fails_once{}, recoup::retry{}, recoup::on(time)));
    });
    add("call/thrown_once/hand_written", 1, [](benchmark::State& state) {
        hand_written::options const chosen;
        instant_clock time;
        throws_once call;
        measure(state, [&](std::uint64_t question) {
            return hand_written::retried_throwing(call, question, chosen, time);
        });
    });
    add("call/thrown_once/recoup", 1, [](benchmark::State& state) {
        instant_clock time;
        measure(state, recoup::with_recovery(throws_once{}, recoup::retry{}, recoup::on(time)));
    });
}

}  // namespace bench
