// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config/classifier_rules.hpp>
#include <recoup/config/detail/describe_guards.hpp>
#include <recoup/config/detail/describe_retry.hpp>
#include <recoup/config/detail/value.hpp>
#include <recoup/guard/abandon_pool_options.hpp>
#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/guard/bulkhead_options.hpp>
#include <recoup/guard/cache_options.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/guard/concurrency_limit_options.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/hedge_options.hpp>
#include <recoup/guard/rate_limit.hpp>
#include <recoup/retry/not_idempotent.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/retry/retry_budget.hpp>

#include <optional>

namespace recoup::inline v1::config {

/// The policies of one callable, those of them that a document names. A document for many callables is a
/// `std::map<std::string, policy_document>`.
struct policy_document {
    std::optional<recoup::retry> retry{};
    std::optional<retry_budget_options> retry_budget{};
    std::optional<recoup::not_idempotent> not_idempotent{};
    std::optional<cache_options> cache{};
    std::optional<recoup::deadline> deadline{};
    std::optional<recoup::attempt_timeout> attempt_timeout{};
    std::optional<abandon_limit>
        abandon_after{};  ///< `abandon_after{*document.abandon_after, pool}`
    std::optional<abandon_pool_options> abandon_pool{};
    std::optional<hedge_options> hedge{};
    std::optional<circuit_breaker_options> circuit_breaker{};
    std::optional<recoup::rate_limit> rate_limit{};
    std::optional<bulkhead_options> bulkhead{};
    std::optional<concurrency_limit_options> concurrency_limit{};
    std::optional<classifier_rules> classifier{};

    friend bool operator==(policy_document const&, policy_document const&) = default;
};

namespace detail {

template <class Fields>
void describe(Fields& fields, policy_document& it) {
    fields("retry", it.retry);
    fields("retry_budget", it.retry_budget);
    fields("not_idempotent", it.not_idempotent);
    fields("cache", it.cache);
    fields("deadline", it.deadline);
    fields("attempt_timeout", it.attempt_timeout);
    fields("abandon_after", it.abandon_after);
    fields("abandon_pool", it.abandon_pool);
    fields("hedge", it.hedge);
    fields("circuit_breaker", it.circuit_breaker);
    fields("rate_limit", it.rate_limit);
    fields("bulkhead", it.bulkhead);
    fields("concurrency_limit", it.concurrency_limit);
    fields("classifier", it.classifier);
}

}  // namespace detail

}  // namespace recoup::inline v1::config
