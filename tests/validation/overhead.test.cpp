// SPDX-License-Identifier: BSL-1.0
#include <recoup/validation.hpp>

#include "validation_support.hpp"

#include <recoup/core/random.hpp>
#include <recoup/core/result.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>

#include <cstdint>
#include <system_error>

using namespace validation_test;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Planted: 1 ms of work, and a policy that adds so much.
validation::verdict validate_slowed_by(recoup::duration added) {
    planted_machine machine;
    return validation::validator{planned()}.measured_with(machine)(machine.work(1ms), at_once,
                                                                   machine.slows(added));
}

/// The same where each call takes between half and one and a half of a millisecond.
validation::verdict validate_uneven(recoup::duration added) {
    planted_machine machine;
    auto random = recoup::splitmix64{3};
    auto const uneven = [&] {
        machine.time.advance(500us + std::chrono::nanoseconds{random() % 1'000'000});
        return 5;
    };
    return validation::validator{planned()}.measured_with(machine)(uneven, at_once,
                                                                   machine.slows(added));
}

}  // namespace

TEST_CASE(
    "a policy that adds a tenth of the work misses the requirement, by as much as was planted") {
    auto const seen = validate_slowed_by(100us);
    CHECK(seen.overhead.found == finding::missed);
    CHECK(seen.overhead.added.median == Approx(0.1));
    CHECK(seen.overhead.bare_ns.median == Approx(1e6));
    CHECK(seen.overhead.decorated_ns.median == Approx(1.1e6));
    CHECK(seen.overhead.rounds == 60);
    CHECK(seen.overhead.control.greatest == Approx(0.0));
    CHECK(seen.missed());
    CHECK_FALSE(seen.met());
}

TEST_CASE("a policy that adds a hundredth of the work meets it") {
    auto const seen = validate_slowed_by(10us);
    CHECK(seen.overhead.found == finding::met);
    CHECK(seen.overhead.added.median == Approx(0.01));
    CHECK(seen.met());
    CHECK_FALSE(seen.missed());
}

TEST_CASE("what is exactly the bound is not below it") {
    CHECK(validate_slowed_by(50us).overhead.found == finding::missed);
    CHECK(validate_slowed_by(49us).overhead.found == finding::met);
}

TEST_CASE(
    "uneven calls are too noisy to tell, although the median of what was added may lie below the "
    "bound") {
    auto const seen = validate_uneven(0us);
    CHECK(seen.overhead.found == finding::too_noisy_to_tell);
    CHECK(seen.has(remark_kind::noisy));
    REQUIRE(seen.overhead.control_median);
    CHECK(seen.overhead.control_median->high > 0.05);
    CHECK_FALSE(seen.met());
    CHECK_FALSE(seen.missed());
}

TEST_CASE("uneven calls do not hide what is far above the noise") {
    auto const seen = validate_uneven(5ms);
    CHECK(seen.overhead.found == finding::missed);
}

TEST_CASE("a call that is shorter than the clock can see is timed in batches") {
    planted_machine machine;
    auto const seen =
        validation::validator{planned()}.measured_with(machine)(machine.work(1us), at_once);
    CHECK(seen.overhead.found == finding::met);
    CHECK(seen.overhead.calls_per_batch == 256);
    CHECK(seen.overhead.bare_ns.median == Approx(1e3));
    CHECK_THAT(remark_of(seen, remark_kind::measured_in_batches),
               ContainsSubstring("takes 1 us: timed 256 at once"));
}

TEST_CASE("a call that takes no time is not said to meet anything") {
    planted_machine machine;
    auto chosen = planned();
    chosen.rounds = 6;  // of 65,536 calls, three times each
    auto const seen =
        validation::validator{chosen}.measured_with(machine)([] { return 5; }, at_once);
    CHECK(seen.overhead.found == finding::too_noisy_to_tell);
    CHECK(seen.overhead.rounds == 0);
    CHECK(seen.has(remark_kind::not_measurable));
}

TEST_CASE("a callable that fails while its time is taken meets nothing") {
    planted_machine machine;
    auto calls = 0;
    auto const once_in_twenty = [&]() -> recoup::result<int> {
        machine.time.advance(1ms);
        if (++calls % 20 == 0) return std::make_error_code(std::errc::permission_denied);
        return 5;
    };
    auto const seen =
        validation::validator{planned()}.measured_with(machine)(once_in_twenty, at_once);
    CHECK(seen.overhead.failed > 0);
    CHECK(seen.overhead.found == finding::too_noisy_to_tell);
    CHECK(seen.has(remark_kind::fails_without_faults));
}

TEST_CASE("a callable that fails by itself is named before all else, with its failure") {
    planted_machine machine;
    auto const broken = [&]() -> recoup::result<int> {
        machine.time.advance(1ms);
        return std::make_error_code(std::errc::permission_denied);
    };
    auto const seen = validation::validator{planned()}.measured_with(machine)(broken, at_once);
    REQUIRE_FALSE(seen.remarks.empty());
    CHECK(seen.remarks.front().kind == remark_kind::fails_without_faults);
    CHECK_THAT(seen.remarks.front().text,
               ContainsSubstring("in 3 of 3 calls") && ContainsSubstring("Permission denied"));
    CHECK(seen.overhead.found != finding::met);
    CHECK(seen.success.found == finding::missed);
}

TEST_CASE("a bare call that throws is no time, and no end of the validation") {
    planted_machine machine;
    auto const throws = [&]() -> int {
        machine.time.advance(1ms);
        throw std::system_error{std::make_error_code(std::errc::permission_denied)};
    };
    auto const seen = validation::validator{planned()}.measured_with(machine)(throws, at_once);
    CHECK(seen.overhead.rounds == 0);
    CHECK(seen.overhead.found == finding::too_noisy_to_tell);
    CHECK(seen.has(remark_kind::fails_without_faults));
}

TEST_CASE("a recorded success that is returned in place of a call is named, and is no speed") {
    planted_machine machine;
    recoup::memory_store store;
    auto const remembers = recoup::persist(
        store,
        recoup::persist_options{
            .name = "validated", .when = recoup::persist_when::start, .retain = 24h},
        [](std::uint64_t) { return std::uint64_t{1}; });
    auto const check =
        validation::validator{planned()}.with(std::uint64_t{1}).measured_with(machine);
    auto const seen = check(
        [&](std::uint64_t) {
            machine.time.advance(1ms);
            return 5;
        },
        at_once, remembers);
    CHECK_THAT(remark_of(seen, remark_kind::not_called), ContainsSubstring("with_each"));
    CHECK(seen.has(remark_kind::faster_than_bare));
    CHECK(seen.overhead.found == finding::too_noisy_to_tell);
}

TEST_CASE("each call has a number of its own, and so a key of its own") {
    planted_machine machine;
    recoup::memory_store store;
    auto const remembers = recoup::persist(
        store,
        recoup::persist_options{
            .name = "validated", .when = recoup::persist_when::start, .retain = 24h},
        [](std::uint64_t key) { return key; });
    auto const check = validation::validator{planned()}
                           .with_each([](std::uint64_t number) { return number; })
                           .measured_with(machine);
    auto const seen = check(
        [&](std::uint64_t) {
            machine.time.advance(1ms);
            return 5;
        },
        at_once, remembers);
    CHECK_FALSE(seen.has(remark_kind::not_called));
    CHECK(seen.met());
}

TEST_CASE(
    "calls that are too long for the time limit give few samples, and no verdict out of them") {
    planted_machine machine;
    auto chosen = planned();
    chosen.time_limit = 60s;
    auto const seen =
        validation::validator{chosen}.measured_with(machine)(machine.work(2s), at_once);
    CHECK(seen.overhead.rounds < 6);
    CHECK(seen.overhead.found == finding::too_noisy_to_tell);
    CHECK_THAT(remark_of(seen, remark_kind::time_limit_reached), ContainsSubstring("of 60 rounds"));
    CHECK(seen.memory.calls < 10);
    CHECK(seen.memory.found == finding::too_noisy_to_tell);
    CHECK(seen.took < 90s);
}
