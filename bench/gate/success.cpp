// SPDX-License-Identifier: BSL-1.0
// How many operations succeed: failures that are transient, and some that are not, beside what is
// arithmetically possible.
#include "call/instant_clock.hpp"
#include "sections.hpp"

#include <recoup/core/on.hpp>
#include <recoup/core/result.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <cmath>
#include <cstdio>
#include <string>

namespace bench {

namespace {

constexpr double failure_rate = 0.3;
constexpr double permanent_share = 0.1;

/// Every attempt draws its own lot: a transient failure has nothing to do with the operation. What
/// is permanent is decided once an operation, by the caller.
class unreliable {
  public:
    explicit unreliable(double rate) : below_{static_cast<std::uint64_t>(rate * 0x1p53)} {}

    recoup::result<std::uint64_t> operator()(bool permanent) {
        ++attempts;
        if (permanent) return std::make_error_code(std::errc::permission_denied);
        if (random_() >> 11U < below_) return std::make_error_code(std::errc::connection_reset);
        return attempts;
    }

    std::uint64_t attempts = 0;

  private:
    std::uint64_t below_;
    recoup::splitmix64 random_{20250914};
};

struct outcome {
    std::int64_t operations = 0;
    std::int64_t succeeded = 0;
    std::int64_t rejected = 0;
    std::uint64_t attempts = 0;
    std::uint64_t attempts_on_permanent = 0;
    std::int64_t permanent = 0;
};

template <class Call>
outcome run(unreliable& callee, Call const& call, std::int64_t operations, double permanent_rate) {
    outcome seen{.operations = operations};
    recoup::splitmix64 random{8};
    auto const below = static_cast<std::uint64_t>(permanent_rate * 0x1p53);
    for (std::int64_t i = 0; i != operations; ++i) {
        auto const permanent = random() >> 11U < below;
        auto const before = callee.attempts;
        auto const result = call(permanent);
        seen.succeeded += result.has_value() ? 1 : 0;
        seen.permanent += permanent ? 1 : 0;
        if (permanent) seen.attempts_on_permanent += callee.attempts - before;
        if (!result && result.error().stopped() == recoup::stop_reason::breaker_open)
            ++seen.rejected;
    }
    seen.attempts = callee.attempts;
    return seen;
}

double percent(std::int64_t part, std::int64_t whole) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

/// Whether `seen` is what chance makes of `expected`, both in percent: within 5 standard deviations.
bool within_chance(double seen, double expected, std::int64_t operations) {
    auto const share = expected / 100;
    auto const deviation = 100 * std::sqrt(share * (1 - share) / static_cast<double>(operations));
    return std::abs(seen - expected) <= 5 * deviation + 1e-9;
}

std::string shown(double seen, double expected) {
    char text[96];
    std::snprintf(text, sizeof text, "%.3f %% (arithmetic: %.3f %%)", seen, expected);
    return text;
}

}  // namespace

void measure_success(plan const& chosen, report& into) {
    auto const operations = std::int64_t{chosen.quick ? 100'000 : 1'000'000};
    auto& details = into.details.at("recovery_success");
    details.set("operations", operations)
        .set("transient_failures_per_attempt", failure_rate)
        .set("breaker", "the default one, beside retry; none beside a single attempt")
        .set("gate", "within 5 standard deviations of the arithmetic, and the requirement");

    for (auto const attempts : {1U, 2U, 3U, 4U, 5U, 6U, 8U}) {
        instant_clock time;
        unreliable callee{failure_rate};
        recoup::circuit_breaker breaker;
        auto const seen_with = [&](auto&... guards) {
            return run(callee,
                       recoup::with_recovery(std::ref(callee), recoup::on(time), guards...,
                                             recoup::retry{.max_attempts = attempts}),
                       operations, 0);
        };
        // A single attempt leaves three failures in ten operations: among a million there are fifty in a hundred
        // by chance, at which a breaker opens, and should.
        auto const seen = attempts == 1 ? seen_with() : seen_with(breaker);
        auto const rate = percent(seen.succeeded, seen.operations);
        auto const possible = 100 * (1 - std::pow(failure_rate, attempts));
        auto const state = breaker.snapshot();
        details.at("max_attempts_" + std::to_string(attempts))
            .set("success_rate_percent", rate)
            .set("arithmetic_maximum_percent", possible)
            .set("attempts", static_cast<std::int64_t>(seen.attempts))
            .set("rejected", seen.rejected)
            .set("breaker_opened", static_cast<std::int64_t>(state.opened));
        if (attempts <= 6)
            into.series.add("success")
                .set("max_attempts", std::int64_t{attempts})
                .set("operations", operations)
                .set("transient_failures_per_attempt", failure_rate)
                .set("success_rate_percent", rate)
                .set("arithmetic_maximum_percent", possible);
        auto const name = "success: 30 % transient, " + std::to_string(attempts) +
                          (attempts == 1 ? " attempt, no breaker" : " attempts");
        auto const arithmetic = within_chance(rate, possible, operations);
        if (attempts == 3) into.success_rate_percent = rate;
        if (attempts < 3)
            into.judge(name, arithmetic, shown(rate, possible), "the arithmetic");
        else
            into.judge(name, arithmetic && rate >= 90, shown(rate, possible),
                       "the arithmetic, ≥ 90 %", requirement::success)
                .figure = rate;
        if (attempts == 3)
            into.judge("breaker beside retry: 30 % transient",
                       state.opened == 0 && seen.rejected == 0 &&
                           state.state == recoup::breaker_state::closed,
                       "opened " + std::to_string(state.opened) + " times, " +
                           std::to_string(seen.rejected) + " rejected",
                       "stays closed", requirement::success);
    }

    {
        instant_clock time;
        unreliable callee{failure_rate};
        recoup::circuit_breaker breaker;
        auto const seen = run(callee,
                              recoup::with_recovery(std::ref(callee), recoup::on(time), breaker,
                                                    recoup::retry{.max_attempts = 5}),
                              operations, permanent_share);
        auto const curable = seen.operations - seen.permanent;
        auto const rate = percent(seen.succeeded, curable);
        auto const possible = 100 * (1 - std::pow(failure_rate, 5));
        auto const wasted =
            static_cast<double>(seen.attempts_on_permanent) / static_cast<double>(seen.permanent);
        details.at("mixed_with_permanent")
            .set("permanent_operations", seen.permanent)
            .set("success_rate_percent_of_all", percent(seen.succeeded, seen.operations))
            .set("success_rate_percent_of_curable", rate)
            .set("arithmetic_maximum_percent_of_curable", possible)
            .set("attempts_on_a_permanent_failure", wasted);
        into.judge("success: 10 % of operations permanent, of the others",
                   within_chance(rate, possible, curable) && rate >= 90, shown(rate, possible),
                   "the arithmetic, ≥ 90 %", requirement::success)
            .figure = rate;
        into.judge("success: attempts on a permanent failure",
                   seen.attempts_on_permanent == static_cast<std::uint64_t>(seen.permanent),
                   text(wasted, "an operation", 3), "1");
    }

    instant_clock time;
    unreliable dead{1};
    recoup::circuit_breaker breaker;
    auto const call =
        recoup::with_recovery(std::ref(dead), recoup::on(time), breaker, recoup::retry{});
    auto calls = std::int64_t{0};
    while (breaker.state() == recoup::breaker_state::closed && calls != operations) {
        static_cast<void>(call(false));
        ++calls;
    }
    auto const attempts_before = dead.attempts;
    for (auto i = 0; i != 1'000; ++i) static_cast<void>(call(false));
    details.at("everything_fails")
        .set("operations_until_the_breaker_opened", calls)
        .set("attempts_of_the_next_1000_operations",
             static_cast<std::int64_t>(dead.attempts - attempts_before));
    into.judge("breaker beside retry: everything fails",
               breaker.state() == recoup::breaker_state::open && calls <= 100,
               "opened after " + std::to_string(calls) + " operations", "≤ 100");
}

}  // namespace bench
