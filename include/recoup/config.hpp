// SPDX-License-Identifier: BSL-1.0
#pragma once

/// Policies from JSON and to JSON: `recoup::config::read`, `read_text` and `write` for
/// - `retry`, `backoff` (all models of the library's own), `category_budget`, `retry_budget_options`,
///   `not_idempotent`;
/// - `deadline`, `attempt_timeout`, `abandon_limit`, `abandon_pool_options`, `hedge_options`,
///   `circuit_breaker_options`, `call_window`, `rate_limit`, `bulkhead_options`, `concurrency_limit_options`,
///   `cache_options`;
/// - `chaos_options`, but for `may_crash`, which code alone can say;
/// - `config::classifier_rules`; `config::policy_document`, which has all of these; and a `std::map` of such
///   documents by names.
///
/// Fields are called as the members are. A span of time is text with a unit, `"200ms"`, `"1.5h"`, `"2min"`, or
/// `"unlimited"`; a number alone is a mistake, for nobody can say what it counts. A category is its name, a set
/// of them a list. All mistakes are told at once, each with its path, what is there and what was expected.
///
/// `recoup::config::apply(document, breaker, limiter, …)` has policies go on with a document that was read anew,
/// while calls run.

#include <recoup/config/apply.hpp>
#include <recoup/config/classifier_rules.hpp>
#include <recoup/config/detail/describe_chaos.hpp>
#include <recoup/config/duration_text.hpp>
#include <recoup/config/policy_document.hpp>
#include <recoup/config/problem.hpp>
#include <recoup/config/read.hpp>
