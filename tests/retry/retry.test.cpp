// SPDX-License-Identifier: BSL-1.0
#include <recoup/retry/retry.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

// The policy as a pure function; what the machine makes of it is tested with the engine.

namespace {

using namespace std::chrono_literals;
using recoup::category;
using recoup::duration;
using recoup::failure;
using recoup::retry;
using recoup::stop_reason;

static_assert(std::is_aggregate_v<retry>);
static_assert(std::copyable<retry>);
static_assert(recoup::retry_policy<retry>);
static_assert(
    noexcept(std::declval<retry const&>().decide({.failure = std::declval<failure const&>()})));

constexpr auto net = category::network_connection;

}  // namespace

TEST_CASE(
    "The defaults are 3 attempts, 200 ms doubled up to 30 s with full jitter, hints up to 2 min") {
    auto const policy = retry{};
    CHECK(policy.max_attempts == 3);
    CHECK(policy.per_category.empty());
    CHECK(policy.retry_after_max == 2min);
    CHECK_FALSE(policy.wait_when_rejected);
    CHECK_FALSE(policy.refill_on_progress);
    CHECK(policy.backoff.longest() == 30s);
    auto const seen = failure{net};
    CHECK(policy.decide({.failure = seen, .random = UINT64_MAX}).delay == 200ms);
    CHECK(policy.decide({.failure = seen, .spent = 2, .random = UINT64_MAX}).delay == 400ms);
    CHECK(policy.decide({.failure = seen, .spent = 2, .random = 0}).delay == 0ms);
}

TEST_CASE("Equal inputs give equal verdicts") {
    auto const policy = retry{.max_attempts = 9};
    auto const seen = failure{net};
    for (std::uint64_t random : {std::uint64_t{0}, std::uint64_t{1} << 63U, UINT64_MAX}) {
        auto const one = policy.decide({.failure = seen, .spent = 3, .random = random});
        auto const two = policy.decide({.failure = seen, .spent = 3, .random = random});
        CHECK(one.retry == two.retry);
        CHECK(one.delay == two.delay);
        CHECK(one.why == stop_reason::none);
    }
}

TEST_CASE("A verdict says why it is not tried again") {
    auto const policy =
        retry{.max_attempts = 2, .per_category = {{category::rate_limited, recoup::never}}};
    auto const why = [&](category what, std::uint32_t spent) {
        auto const seen = failure{what};
        auto const told = policy.decide({.failure = seen, .spent = spent});
        CHECK_FALSE(told.retry);
        return told.why;
    };
    CHECK(why(net, 2) == stop_reason::attempts_exhausted);
    CHECK(why(net, UINT32_MAX) == stop_reason::attempts_exhausted);
    CHECK(why(category::permission, 1) == stop_reason::not_retryable);
    CHECK(why(category::rate_limited, 1) == stop_reason::not_retryable);
}

TEST_CASE("What is listed counts apart, the rest does not") {
    auto const policy = retry{.per_category = {{category::rate_limited, {.max_attempts = 10}}}};
    CHECK(policy.counts_apart(category::rate_limited));
    CHECK_FALSE(policy.counts_apart(net));
    CHECK(policy.per_category.front().budget.backoff.longest() == 30s);
    recoup::category_budget const none = recoup::never;
    CHECK(none.max_attempts == 0);
}

TEST_CASE("The most attempts are those of all budgets together, and saturate") {
    using rules = std::vector<recoup::category_rule>;
    CHECK(retry{}.most_attempts() == 3);
    CHECK(retry{.max_attempts = 0}.most_attempts() == 1);
    CHECK(retry{.max_attempts = 1}.most_attempts() == 1);
    CHECK(retry{.max_attempts = 3, .per_category = {{net, {.max_attempts = 10}}}}.most_attempts() ==
          12);
    CHECK(retry{.max_attempts = 3, .per_category = {{net, recoup::never}}}.most_attempts() == 3);
    auto const much = rules{{net, {.max_attempts = UINT32_MAX}},
                            {category::unknown, {.max_attempts = UINT32_MAX}}};
    CHECK(retry{.max_attempts = UINT32_MAX, .per_category = much}.most_attempts() == UINT32_MAX);
}

TEST_CASE("No failure, however it was made up, gives a negative delay") {
    auto const policy = retry{.max_attempts = UINT32_MAX,
                              .backoff = recoup::exponential(duration::max(), duration::max()),
                              .retry_after_max = duration::min()};
    for (auto const hint : {std::chrono::milliseconds::min(), std::chrono::milliseconds::max()}) {
        auto const seen = failure{net}.retry_after(hint);
        for (std::uint32_t spent : {0U, 1U, 63U, 64U, 65U, 1024U, UINT32_MAX - 1}) {
            auto const told = policy.decide({.failure = seen,
                                             .spent = spent,
                                             .previous_delay = duration::max(),
                                             .random = UINT64_MAX});
            CHECK(told.retry);
            CHECK(told.delay >= 0ns);
        }
    }
}
