// SPDX-License-Identifier: BSL-1.0
#include <recoup/validation.hpp>

#include "validation_support.hpp"

#include <recoup/classify/rules.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/fallback.hpp>
#include <recoup/retry/retry_budget.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <system_error>
#include <utility>

using namespace validation_test;
using Catch::Matchers::ContainsSubstring;

namespace {

template <class... Policies>
validation::verdict validate_planned(validation::options const& chosen, Policies&&... policies) {
    planted_machine machine;
    return validation::validator{chosen}.measured_with(machine)(
        machine.work(1ms), std::forward<Policies>(policies)...);
}

std::uint64_t stopped(validation::verdict const& seen, recoup::stop_reason why) {
    return seen.success.stopped[static_cast<std::size_t>(why)];
}

}  // namespace

TEST_CASE("what attempts cure is what the arithmetic says, and the calls for it as well") {
    for (auto const attempts : {1U, 2U, 3U, 5U}) {
        auto const seen = validate_planned(
            planned(), recoup::retry{.max_attempts = attempts, .backoff = recoup::constant(0ms)});
        auto const& success = seen.success;
        CHECK(success.attempts == attempts);
        CHECK(success.arithmetic == Approx(1 - std::pow(0.3, attempts)));
        REQUIRE(success.share);
        CHECK(success.share->low <= success.arithmetic);
        CHECK(success.share->high >= success.arithmetic);
        CHECK(success.amplification() == Approx(success.arithmetic_calls).epsilon(0.05));
        CHECK(success.found == (attempts == 1   ? finding::missed
                                : attempts == 2 ? finding::too_noisy_to_tell  // 91 % possible
                                                : finding::met));
        CHECK(stopped(seen, recoup::stop_reason::attempts_exhausted) ==
              success.operations - success.succeeded);
    }
}

TEST_CASE("faults for good are counted apart, and never as what could be cured") {
    auto chosen = planned();
    chosen.permanent_rate = 0.4;
    auto const seen = validate_planned(chosen, at_once);
    CHECK(seen.success.operations + seen.success.permanent == 2'000);
    CHECK(static_cast<double>(seen.success.permanent) == Approx(800).margin(70));
    CHECK(seen.success.permanent_calls == seen.success.permanent);
    CHECK(seen.success.permanent_succeeded == 0);
    CHECK(seen.success.found == finding::met);
    CHECK_FALSE(seen.has(remark_kind::permanent_retried));
}

TEST_CASE("a classifier that calls the curable permanent misses the requirement, and is named") {
    // The defect of the original: what its faults said was no pattern that its classifier knew.
    auto const rules =
        recoup::default_rules().on(std::errc::connection_reset, recoup::category::configuration);
    auto const seen = validate_planned(planned(), at_once, rules);
    CHECK(seen.success.found == finding::missed);
    CHECK(seen.success.attempts == 1);
    CHECK(seen.success.fault == recoup::category::configuration);
    CHECK(seen.success.rate() == Approx(0.7).margin(0.04));
    CHECK(seen.success.calls == seen.success.operations);
    CHECK_THAT(remark_of(seen, remark_kind::never_retried),
               ContainsSubstring("configuration") && ContainsSubstring("Connection reset"));
}

TEST_CASE("a fault of the user's own goes through the user's own classifier") {
    struct quota_error : std::runtime_error {
        using std::runtime_error::runtime_error;
    };
    auto chosen = planned();
    chosen.transient = []() -> recoup::failure { throw quota_error{"Simulated failure"}; };
    auto const refused =
        validate_planned(chosen, at_once, recoup::default_rules().unknown(recoup::never));
    CHECK(refused.success.found == finding::missed);
    CHECK_THAT(remark_of(refused, remark_kind::never_retried),
               ContainsSubstring("unknown") && ContainsSubstring("Simulated failure"));

    auto const known =
        validate_planned(chosen, at_once,
                         recoup::default_rules()
                             .unknown(recoup::never)
                             .on_exception<quota_error>(recoup::category::rate_limited));
    CHECK(known.success.found == finding::met);
    CHECK(known.success.fault == recoup::category::rate_limited);
    CHECK_FALSE(known.has(remark_kind::never_retried));
}

TEST_CASE("attempts that cannot cure enough are named, with the number that would") {
    auto chosen = planned();
    chosen.failure_rate = 0.5;
    auto const seen = validate_planned(chosen, at_once);
    CHECK(seen.success.found == finding::missed);
    CHECK_THAT(remark_of(seen, remark_kind::too_few_attempts),
               ContainsSubstring("3 attempts cure at most 87.5 %") &&
                   ContainsSubstring("4 are needed for 90 %"));
}

TEST_CASE("a breaker that opens although its faults could be cured is named") {
    recoup::circuit_breaker hasty{{.open_for = 1h, .consecutive_failures = 1}};
    auto const seen = validate_planned(planned(), at_once, hasty);
    CHECK(seen.success.found == finding::missed);
    CHECK(stopped(seen, recoup::stop_reason::breaker_open) > 0);
    CHECK_THAT(remark_of(seen, remark_kind::breaker_opened), ContainsSubstring("rejected"));
}

TEST_CASE("the default breaker beside retries stays closed") {
    recoup::circuit_breaker breaker;
    auto const seen = validate_planned(planned(), at_once, breaker);
    CHECK(seen.met());
    CHECK_FALSE(seen.has(remark_kind::breaker_opened));
    CHECK(breaker.snapshot().opened == 0);
}

TEST_CASE("other policies that end what could be cured are named by their reason") {
    auto const seen = validate_planned(
        planned(), recoup::retry{.max_attempts = 3, .backoff = recoup::constant(1s)},
        recoup::deadline{500ms});
    CHECK(seen.success.found == finding::missed);
    CHECK(stopped(seen, recoup::stop_reason::deadline) > 0);
    CHECK_THAT(remark_of(seen, remark_kind::stopped_early), ContainsSubstring("deadline ended"));

    recoup::retry_budget small{{.ratio = 0.05, .per_second = 0}};
    auto const poor = validate_planned(planned(), at_once, small);
    CHECK(poor.success.found == finding::missed);
    CHECK_THAT(remark_of(poor, remark_kind::stopped_early),
               ContainsSubstring("budget_empty ended"));
}

TEST_CASE("retries of what no attempt cures are named") {
    auto const rules = recoup::default_rules().on(std::errc::permission_denied,
                                                  recoup::category::service_unavailable);
    auto const seen = validate_planned(planned(), at_once, rules);
    CHECK(seen.success.permanent_calls == 3 * seen.success.permanent);
    CHECK(seen.has(remark_kind::permanent_retried));
    CHECK(seen.success.found == finding::met);
}

TEST_CASE("a fallback cures nothing") {
    auto const seen =
        validate_planned(planned(), recoup::retry{.max_attempts = 1}, recoup::fallback(7));
    CHECK(seen.success.found == finding::missed);
    CHECK(seen.success.fell_back > 0);
    CHECK(seen.success.permanent_succeeded == seen.success.permanent);
    CHECK(seen.has(remark_kind::fell_back));
}

TEST_CASE("no wait between attempts is waited for where only successes are counted") {
    planted_machine machine;
    auto chosen = planned();
    chosen.recoveries = 1;
    auto const seen = validation::validator{chosen}.measured_with(machine)(
        machine.work(1ms), recoup::retry{.max_attempts = 3, .backoff = recoup::constant(1min)});
    CHECK(seen.success.found == finding::met);
    CHECK(seen.took < 10min);
    CHECK(machine.time.waits().size() < 10);
}

TEST_CASE("equal seeds give equal verdicts, and others other faults") {
    auto const jittered = recoup::retry{.max_attempts = 3};
    auto const first = validate_planned(planned(), jittered);
    CHECK(first == validate_planned(planned(), jittered));
    auto other = planned();
    other.seed = 2;
    auto const second = validate_planned(other, jittered);
    CHECK(second.success.calls != first.success.calls);
    CHECK(second.success.found == finding::met);
}
