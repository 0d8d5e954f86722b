// SPDX-License-Identifier: BSL-1.0
#pragma once

/// Everything that needs headers only; no JSON, no library to link. Stores, and durable operations, have
/// headers of their own: `recoup/store/memory_store.hpp`, `recoup/durable.hpp`, …

#include <recoup/classify/http.hpp>
#include <recoup/classify/retry_after.hpp>
#include <recoup/classify/rules.hpp>
#include <recoup/core/attempt.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/on.hpp>
#include <recoup/core/result.hpp>
#include <recoup/explain.hpp>
#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/concurrency_limit.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/fallback.hpp>
#include <recoup/guard/hedge.hpp>
#include <recoup/guard/per_key.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/reloadable.hpp>
#include <recoup/retry/backoff.hpp>
#include <recoup/retry/not_idempotent.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/retry/retry_budget.hpp>
#include <recoup/retry/retry_if.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/with_recovery.hpp>
