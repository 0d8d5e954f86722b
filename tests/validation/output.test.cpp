// SPDX-License-Identifier: BSL-1.0
#include <recoup/validation.hpp>

#include "validation_support.hpp"

#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/validation/validation_json.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <sstream>
#include <string>

using namespace validation_test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string text_of(validation::verdict const& seen) {
    std::ostringstream out;
    out << seen;
    return out.str();
}

validation::verdict validate_with_tenth_added() {
    planted_machine machine;
    return validation::validator{planned()}.measured_with(machine)(machine.work(1ms), at_once,
                                                                   machine.slows(100us));
}

}  // namespace

TEST_CASE("a verdict is a table with margins, the figures behind it and the remarks") {
    auto const text = text_of(validate_with_tenth_added());
    CHECK_THAT(text,
               ContainsSubstring(
                   "overhead  10.00 % (10.00 % … 10.00 %)    < 5.0 %  5.00 % too much  MISSED"));
    CHECK_THAT(text, ContainsSubstring("bare 1 ms, decorated 1.1 ms a call, 60 rounds"));
    CHECK_THAT(text, ContainsSubstring("3 attempts make 97.30 % possible"));
    CHECK_THAT(text, ContainsSubstring("requirements NOT met"));

    planted_machine machine;
    auto const well = text_of(
        validation::validator{planned()}.measured_with(machine)(machine.work(1ms), at_once));
    CHECK_THAT(well, ContainsSubstring("all requirements met") && ContainsSubstring("to spare"));

    machine.resident = std::nullopt;
    auto const untold = text_of(
        validation::validator{planned()}.measured_with(machine)(machine.work(1ms), at_once));
    CHECK_THAT(untold, ContainsSubstring("not told by this system") &&
                           ContainsSubstring("not all requirements could be told"));
}

TEST_CASE("a verdict is JSON with all that the table has") {
    auto const seen = validate_with_tenth_added();
    auto const made = nlohmann::json(seen);
    CHECK(made.at("met") == false);
    CHECK(made.at("missed") == true);
    CHECK(made.at("seed") == 1);
    CHECK(made.at("wanted").at("recovery_below_ns") == 500'000'000);
    CHECK(made.at("overhead").at("found") == "missed");
    CHECK(made.at("overhead").at("added").at("median").get<double>() == Approx(0.1));
    CHECK(made.at("overhead").at("median_within").at("confidence") == 0.95);
    CHECK(made.at("memory").at("growth_bytes") == 0);
    CHECK(made.at("success").at("fault") == "network_connection");
    CHECK(made.at("success").at("stopped").at("attempts_exhausted") ==
          seen.success.operations - seen.success.succeeded);
    CHECK(made.at("success").at("permanent").at("operations") == seen.success.permanent);
    CHECK(made.at("recovery").at("recovered") == 40);
    CHECK(made.at("remarks").is_array());

    auto const nothing = nlohmann::json(validation::verdict{});
    CHECK(nothing.at("memory").at("growth_bytes").is_null());
    CHECK(nothing.at("overhead").at("median_within").is_null());
}

TEST_CASE("every kind of remark and finding has a name") {
    for (auto i = 0U; i <= static_cast<unsigned>(remark_kind::time_limit_reached); ++i)
        CHECK(to_string(static_cast<remark_kind>(i)) != "unknown");
    CHECK(to_string(finding::met) == "met");
    CHECK(to_string(finding::missed) == "missed");
    CHECK(to_string(finding::too_noisy_to_tell) == "too_noisy_to_tell");
}

TEST_CASE("on the real machine a verdict is whole, whatever it says") {
    recoup::circuit_breaker breaker;
    auto const chosen = validation::options{
        .rounds = 12, .operations = 200, .memory_calls = 200, .recoveries = 6, .time_limit = 10min};
    auto const seen = validation::validator{chosen}(
        [] {
            auto volatile chain = std::uint64_t{1};
            for (auto i = 0; i != 1'000; ++i) chain = chain * 3 + 1;
            return std::uint64_t{chain};
        },
        recoup::retry{.max_attempts = 3, .backoff = recoup::constant(1ms)}, breaker);
    CHECK(seen.overhead.rounds == 12);
    CHECK(seen.overhead.bare_ns.median > 0);
    CHECK(seen.overhead.median);
    CHECK(seen.overhead.control_median);
    CHECK(seen.memory.calls == 200);
    CHECK(seen.memory.growth);
    CHECK(seen.recovery.recovered == 6);
    CHECK(seen.recovery.median >= 1ms);
    CHECK(seen.recovery.waits >= 1ms);
    CHECK(seen.success.operations + seen.success.permanent == 200);
    CHECK(seen.success.succeeded > 150);
    CHECK_FALSE(text_of(seen).empty());
}
