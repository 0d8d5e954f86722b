// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/never.hpp>
#include <recoup/core/category.hpp>
#include <recoup/retry/backoff.hpp>
#include <recoup/retry/retry_policy.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace recoup::inline v1 {

/// What one category may use of its own, apart from all others.
struct category_budget {
    std::uint32_t max_attempts =
        3;  ///< failures of this category before it stops; 0: never retried
    recoup::backoff backoff = exponential(std::chrono::milliseconds{200}, std::chrono::seconds{30});

    static category_budget never() { return {.max_attempts = 0}; }
    friend bool operator==(category_budget const&, category_budget const&) = default;
};

/// A category with a budget of its own.
struct category_rule {
    recoup::category category{};
    category_budget budget{};

    friend bool operator==(category_rule const&, category_rule const&) = default;
};

/// Tries again what is worth it: plain data.
///
/// Which failures are worth it is their category's business (`worth_retrying`), unless
/// `per_category` lists it: then its own budget and backoff hold.
/// Example: `retry{.max_attempts = 5, .backoff = recoup::exponential(200ms, 30s)}`.
struct retry {
    /// Attempts in all, the first one included. The first is always made: 0 and 1 both mean that
    /// nothing is tried again.
    std::uint32_t max_attempts = 3;
    recoup::backoff backoff = exponential(std::chrono::milliseconds{200}, std::chrono::seconds{30});
    /// Listed categories count separately, the rest share `max_attempts`.
    std::vector<category_rule> per_category{};
    /// The most that a hint (`Retry-After`) can make us wait; 0: hints are not obeyed.
    recoup::duration retry_after_max = std::chrono::minutes{2};
    /// A rejection by an open breaker ends the operation; with this it waits and uses an attempt up.
    bool wait_when_rejected = false;
    /// An attempt that saved a new checkpoint makes all budgets whole again: for long transfers
    /// over bad lines, where progress matters and not the number of interruptions.
    bool refill_on_progress = false;
    /// A failure that a wrapped call inside the attempt has tried again already is not tried again here, for
    /// layers of retries multiply (3 × 3 × 3); with this it is. Coroutines know it by the failure
    /// that comes back, plain calls also where something else is made of it on the way.
    bool retry_nested = false;

    // Inline: what it sees and says would go through memory.
    [[nodiscard, gnu::always_inline]] inline verdict decide(
        failed_attempt const& seen) const noexcept {
        auto const* const own = find(seen.failure.category());
        auto const most = own ? own->max_attempts : max_attempts;
        auto const spent = own ? seen.spent_in_category : seen.spent;
        auto const worth_it =
            own ? most != 0 : seen.failure.recoverability() != recoverability::permanent;
        if (!worth_it) return {.why = stop_reason::not_retryable};
        if (spent >= most) return {.why = stop_reason::attempts_exhausted};
        return again(own ? own->backoff : backoff, spent, seen);
    }

    /// The most attempts that can be made, all budgets together; saturates.
    [[nodiscard]] std::uint32_t most_attempts() const noexcept {
        std::uint64_t sum = std::max<std::uint32_t>(max_attempts, 1);
        for (auto const& rule : per_category)
            sum += rule.budget.max_attempts > 0 ? rule.budget.max_attempts - 1 : 0;
        return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, UINT32_MAX));
    }

    /// Whether failures of this category are counted apart from the others.
    [[nodiscard]] bool counts_apart(recoup::category what) const noexcept {
        return find(what) != nullptr;
    }

    friend bool operator==(retry const&, retry const&) = default;

  private:
    [[nodiscard]] category_budget const* find(recoup::category what) const noexcept {
        for (auto const& rule : per_category)
            if (rule.category == what) return &rule.budget;
        return nullptr;
    }

    [[nodiscard, gnu::always_inline]] inline verdict again(
        recoup::backoff const& waits, std::uint32_t count,
        failed_attempt const& seen) const noexcept {
        auto delay =
            waits.delay({.retry = count, .previous = seen.previous_delay, .random = seen.random});
        // By value: std::max would have the delay go through memory.
        if (auto const hint = seen.failure.retry_after()) [[unlikely]] {
            auto const obeyed = *hint < retry_after_max ? duration{*hint} : retry_after_max;
            if (delay < obeyed) delay = obeyed;
        }
        return {.retry = true, .delay = delay, .why = stop_reason::none};
    }
};

static_assert(retry_policy<retry>);

}  // namespace recoup::inline v1
