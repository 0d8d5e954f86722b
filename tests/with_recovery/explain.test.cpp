// SPDX-License-Identifier: BSL-1.0
#include <recoup/explain.hpp>

#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/fallback.hpp>
#include <recoup/guard/hedge.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/retry/not_idempotent.hpp>
#include <recoup/retry/retry_budget.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/testing/manual_clock.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using recoup::category;
using recoup::explain;
using recoup::retry;
using recoup::with_recovery;
using stages = std::vector<std::string>;

int fetch(int x) { return x; }

}  // namespace

TEST_CASE("A wrapper with defaults explains itself") {
    auto const made = explain(with_recovery(fetch));
    CHECK(made.stages == stages{"retry: up to 3 attempts", "callable"});
    CHECK(made.most_attempts == 3);
    CHECK(made.longest_wait == 600ms);
    CHECK(made.longest_hint == 2min);
    CHECK(made.recorded == "nothing");
    std::ostringstream out;
    out << made;
    CHECK(out.str() ==
          "retry: up to 3 attempts\n"
          "callable\n"
          "at most 3 attempts, waits of 600 ms in all (up to 2 min each where the other "
          "side asks for it); recorded: nothing\n");
}

TEST_CASE("A hedge explains when it begins others") {
    recoup::circuit_breaker breaker;
    recoup::hedge fixed{{.delay = 50ms, .most = 2}};
    CHECK(
        explain(with_recovery(fetch, breaker, fixed)).stages ==
        stages{"retry: up to 3 attempts",
               "hedge: up to 2 more beside each attempt, after 50 ms, as far as their budget pays "
               "for them",
               "circuit_breaker: asked once an attempt", "callable"});
    recoup::hedge observed{{.delay = 50ms, .percentile = 0.95}};
    CHECK(
        explain(with_recovery(fetch, observed)).stages[1] ==
        "hedge: up to 1 more beside each attempt, after 95 % of recent successes would have ended "
        "(50 ms while few are known), as far as their budget pays for them");
}

TEST_CASE("Stages are named outermost first, whatever the order of the arguments") {
    recoup::circuit_breaker breaker;
    recoup::memory_store store;
    auto const by_input = [](int x) { return x; };
    auto const made = explain(with_recovery(
        fetch, breaker, recoup::deadline{2min}, retry{.max_attempts = 5},
        recoup::persist(store, {.name = "fetch", .when = recoup::persist_when::start, .retain = 1h},
                        by_input)));
    CHECK(made.stages == stages{"persist: \"fetch\", survives none", "deadline: 2 min",
                                "retry: up to 5 attempts", "circuit_breaker: asked once an attempt",
                                "callable"});
    CHECK(made.recorded ==
          "attempts, budget, due time, token and checkpoint, from before the first attempt; a "
          "result is kept");
    auto const ordered = explain(with_recovery(fetch, recoup::in_order(breaker, retry{}, breaker)));
    CHECK(ordered.stages == stages{"circuit_breaker: asked once an operation",
                                   "retry: up to 3 attempts",
                                   "circuit_breaker: asked once an attempt", "callable"});
}

TEST_CASE("Budgets add up, and so do the longest waits") {
    auto const policy =
        retry{.max_attempts = 4,
              .backoff = recoup::constant(1s),
              .per_category = {{category::rate_limited,
                                {.max_attempts = 3, .backoff = recoup::constant(1min)}},
                               {category::permission, recoup::never}},
              .retry_after_max = 0s};
    auto const made = explain(with_recovery(fetch, policy));
    CHECK(made.most_attempts == 6);
    CHECK(made.longest_wait == 3s + 2min);
    CHECK(made.stages.front() ==
          "retry: up to 6 attempts, rate_limited: up to 3, permission: never");
    CHECK(made.text() ==
          "retry: up to 6 attempts, rate_limited: up to 3, permission: never\ncallable\n"
          "at most 6 attempts, waits of 123 s in all; recorded: nothing\n");
}

TEST_CASE("What is explained is what happens at worst") {
    auto const policy =
        retry{.max_attempts = 4,
              .backoff = recoup::exponential(100ms, 250ms),
              .per_category = {{category::rate_limited,
                                {.max_attempts = 3, .backoff = recoup::linear(1s, 1h)}}}};
    recoup::testing::manual_clock clock{{.fixed_random = UINT64_MAX}};
    auto calls = 0;
    auto const worst = with_recovery(
        [&]() -> recoup::result<int> {
            return recoup::failure{++calls <= 2 ? category::rate_limited : category::network_dns};
        },
        policy, recoup::on(clock));
    auto const made = explain(worst);
    CHECK(worst().error().attempts() == made.most_attempts);
    CHECK(clock.elapsed() == made.longest_wait);
}

TEST_CASE("A deadline bounds the waits, and an endless budget saturates") {
    auto const patient = retry{.max_attempts = UINT32_MAX, .backoff = recoup::constant(24h)};
    CHECK(explain(with_recovery(fetch, patient, recoup::deadline{1h})).longest_wait == 1h);
    CHECK(explain(with_recovery(fetch, patient)).longest_wait == recoup::unlimited);
    CHECK(explain(with_recovery(fetch, retry{.max_attempts = 0})).most_attempts == 1);
    CHECK(explain(with_recovery(fetch, retry{.max_attempts = 0})).longest_wait == 0s);
    CHECK(explain(with_recovery(fetch, recoup::deadline{-1s})).longest_wait == 0s);
    recoup::circuit_breaker breaker;
    auto const waits = retry{.wait_when_rejected = true};
    CHECK(explain(with_recovery(fetch, waits, breaker)).longest_wait == recoup::unlimited);
    CHECK(explain(with_recovery(fetch, waits)).longest_wait == 600ms);
}

TEST_CASE("A retry policy of one's own is not known") {
    struct own {
        recoup::verdict decide(recoup::failed_attempt const&) const noexcept { return {}; }
    };
    auto const made = explain(with_recovery(fetch, own{}));
    CHECK(made.most_attempts == 0);
    CHECK(made.text() ==
          "retry: a policy of your own\ncallable\nat most an unknown number of attempts, "
          "waits of unlimited in all; recorded: nothing\n");
}

TEST_CASE("what guards wait for, budgets and fallbacks are explained", "[explain]") {
    recoup::rate_limiter limiter{recoup::token_bucket(10, 1s).waiting(5s)};
    recoup::bulkhead pool{{.at_once = 2}};
    recoup::retry_budget budget;
    auto const wrapped = recoup::with_recovery([](int x) { return x; }, pool, limiter, budget,
                                               recoup::not_idempotent{}, recoup::fallback(1));
    CHECK(
        recoup::explain(wrapped).stages ==
        std::vector<std::string>{
            "fallback",
            "retry: up to 3 attempts, as far as the retry budget pays for them, where nothing has "
            "happened yet",
            "rate_limiter: asked once an attempt, waits up to 5 s for its turn",
            "bulkhead: asked once an attempt", "callable"});
}
