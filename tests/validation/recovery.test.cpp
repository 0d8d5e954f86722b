// SPDX-License-Identifier: BSL-1.0
#include <recoup/validation.hpp>

#include "validation_support.hpp"

using namespace validation_test;
using Catch::Matchers::ContainsSubstring;

namespace {

validation::verdict validate_waiting(recoup::duration wait, recoup::duration work) {
    planted_machine machine;
    return validation::validator{planned()}.measured_with(machine)(
        machine.work(work), recoup::retry{.max_attempts = 2, .backoff = recoup::constant(wait)});
}

}  // namespace

TEST_CASE("a recovery is the policy's wait and the attempt behind it, told apart") {
    auto const seen = validate_waiting(10ms, 1ms);
    CHECK(seen.recovery.found == finding::met);
    CHECK(seen.recovery.recovered == 40);
    CHECK(seen.recovery.median == 11ms);
    CHECK(seen.recovery.p99 == 11ms);
    CHECK(seen.recovery.longest == 11ms);
    CHECK(seen.recovery.waits == 10ms);
    CHECK(seen.recovery.rest == 1ms);
    CHECK_FALSE(seen.has(remark_kind::waits_dominate));
}

TEST_CASE("a backoff that is too long misses the requirement on recovery, and is named") {
    auto const seen = validate_waiting(800ms, 1ms);
    CHECK(seen.recovery.found == finding::missed);
    CHECK(seen.recovery.waits == 800ms);
    CHECK_THAT(remark_of(seen, remark_kind::waits_dominate), ContainsSubstring("wait 800 ms"));
}

TEST_CASE("a callable that is too slow misses it as well, and the backoff is not blamed") {
    auto const seen = validate_waiting(10ms, 600ms);
    CHECK(seen.recovery.found == finding::missed);
    CHECK(seen.recovery.rest == 600ms);
    CHECK_FALSE(seen.has(remark_kind::waits_dominate));
}

TEST_CASE("the slowest recoveries are shown beside the median") {
    planted_machine machine;
    // 1 s only before a third attempt, which few need.
    auto const seen = validation::validator{planned()}.measured_with(machine)(
        machine.work(1ms),
        recoup::retry{.max_attempts = 3, .backoff = recoup::linear(10ms, 2s, 1s)});
    CHECK(seen.recovery.found == finding::met);
    CHECK(seen.recovery.median == 11ms);
    CHECK(seen.recovery.longest == 1'021ms);
    CHECK(seen.recovery.p99 == 1'021ms);
}

TEST_CASE("where nothing is tried again nothing recovers, and nothing is met") {
    auto chosen = planned();
    planted_machine machine;
    auto const seen = validation::validator{chosen}.measured_with(machine)(
        machine.work(1ms), recoup::retry{.max_attempts = 1});
    CHECK(seen.recovery.recovered == 0);
    CHECK(seen.recovery.found == finding::too_noisy_to_tell);
}

TEST_CASE("few recoveries are too few to tell") {
    auto chosen = planned();
    chosen.recoveries = 5;
    planted_machine machine;
    auto const seen =
        validation::validator{chosen}.measured_with(machine)(machine.work(1ms), at_once);
    CHECK(seen.recovery.recovered == 5);
    CHECK(seen.recovery.found == finding::too_noisy_to_tell);
}

TEST_CASE("waits end with the time limit") {
    auto chosen = planned();
    chosen.time_limit = 20s;
    planted_machine machine;
    auto const seen = validation::validator{chosen}.measured_with(machine)(
        machine.work(1ms), recoup::retry{.max_attempts = 2, .backoff = recoup::constant(4s)});
    CHECK(seen.recovery.recovered < 40);
    CHECK_THAT(remark_of(seen, remark_kind::time_limit_reached),
               ContainsSubstring("recovery: ") && ContainsSubstring("of 40 recoveries"));
    CHECK(seen.took < 30s);
}
