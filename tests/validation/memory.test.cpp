// SPDX-License-Identifier: BSL-1.0
#include <recoup/validation.hpp>

#include "validation_support.hpp"

using namespace validation_test;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a callable that leaks misses the requirement on memory, and is named") {
    planted_machine machine;
    auto const leaks = [&] {
        machine.time.advance(1ms);
        *machine.resident += 10'000;
    };
    auto const seen = validation::validator{planned()}.measured_with(machine)(leaks, at_once);
    CHECK(seen.memory.found == finding::missed);
    CHECK(seen.memory.calls == 640);
    CHECK(seen.memory.growth > 5'000'000);
    CHECK(seen.memory.callable_growth == 6'400'000);
    CHECK(seen.has(remark_kind::callable_grows));
    CHECK(seen.has(remark_kind::still_growing));
    CHECK(seen.overhead.found == finding::met);
}

TEST_CASE("a policy that leaks misses the requirement on memory, and the callable is not blamed") {
    planted_machine machine;
    auto const leaks = recoup::on_event([&](recoup::event const& what) {
        if (what.kind == recoup::event_kind::operation_started) *machine.resident += 10'000;
    });
    auto const seen =
        validation::validator{planned()}.measured_with(machine)(machine.work(1ms), at_once, leaks);
    CHECK(seen.memory.found == finding::missed);
    CHECK(seen.memory.growth == 6'400'000);
    CHECK(seen.memory.late_growth == 3'200'000);
    CHECK(seen.memory.callable_growth == 0);
    CHECK_FALSE(seen.has(remark_kind::callable_grows));
    CHECK_THAT(remark_of(seen, remark_kind::still_growing),
               ContainsSubstring("10000 bytes a call"));
}

TEST_CASE("memory that is below the bound and still grows does not meet it") {
    planted_machine machine;
    auto const leaks = recoup::on_event([&](recoup::event const& what) {
        if (what.kind == recoup::event_kind::operation_started) *machine.resident += 1'000;
    });
    auto const seen =
        validation::validator{planned()}.measured_with(machine)(machine.work(1ms), at_once, leaks);
    CHECK(seen.memory.growth == 640'000);
    CHECK(seen.memory.found == finding::too_noisy_to_tell);
    CHECK(seen.has(remark_kind::still_growing));
}

TEST_CASE("memory that is taken at the beginning and then kept meets the requirement") {
    planted_machine machine;
    auto calls = 0;
    auto const fills = recoup::on_event([&](recoup::event const& what) {
        if (what.kind == recoup::event_kind::operation_started && ++calls <= 250)
            *machine.resident += 10'000;
    });
    auto const seen =
        validation::validator{planned()}.measured_with(machine)(machine.work(1ms), at_once, fills);
    CHECK(seen.memory.found == finding::met);
    CHECK(seen.memory.growth > 1'000'000);
    CHECK(seen.memory.late_growth == 0);
}

TEST_CASE("a peak counts, although it is given back") {
    planted_machine machine;
    auto calls = 0;
    auto const swells = recoup::on_event([&](recoup::event const& what) {
        if (what.kind != recoup::event_kind::operation_started) return;
        ++calls;
        machine.resident = 100'000'000 + (calls % 300 > 250 ? 6'000'000 : 0);
    });
    auto const seen =
        validation::validator{planned()}.measured_with(machine)(machine.work(1ms), at_once, swells);
    CHECK(seen.memory.growth == 6'000'000);
    CHECK(seen.memory.found == finding::missed);
}

TEST_CASE("where nobody tells how much memory there is, nothing is met") {
    planted_machine machine;
    machine.resident = std::nullopt;
    auto const seen =
        validation::validator{planned()}.measured_with(machine)(machine.work(1ms), at_once);
    CHECK(seen.memory.growth == std::nullopt);
    CHECK(seen.memory.found == finding::too_noisy_to_tell);
}
