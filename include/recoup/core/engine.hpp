// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failed_attempt.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>
#include <recoup/retry/retry_policy.hpp>

#include <array>
#include <cstdint>

namespace recoup::inline v1 {

/// What an operation has used up: what must survive a restart for budgets to mean anything.
struct budget_spent {
    std::uint32_t attempt = 1;  ///< number of the attempt that was begun last
    std::uint32_t shared = 0;   ///< failed attempts of all categories that are not counted apart
    std::array<std::uint32_t, category_count> by_category{};  ///< failed attempts of each category
    duration previous_delay{};
};

/// What the driver must do next.
struct step {
    enum class action : std::uint8_t {
        attempt,  ///< wait `delay`, then call the callable
        finish,   ///< give the failure to the caller, stopped for `why`
    };
    action next = action::finish;
    duration delay{};
    stop_reason why = stop_reason::none;

    friend bool operator==(step const&, step const&) noexcept = default;
};

/// The state machine of one operation: it sequences attempts and touches nothing else.
///
/// Plain calls and coroutines drive the same machine: they call, wait and record; it is told what
/// happened, and says what follows. It reads no clock and draws no random number: both are handed in.
/// A success at the first attempt needs no machine at all.
template <retry_policy Retry>
class engine {
  public:
    /// Pre: `policy` outlives the machine.
    explicit engine(Retry const& policy) noexcept : policy_{&policy} {}

    /// Continues with what was used up before.
    engine(Retry const& policy, budget_spent const& before) noexcept
        : policy_{&policy},
          attempt_{before.attempt},
          shared_{before.shared},
          previous_delay_{before.previous_delay},
          counted_{every_category},
          by_category_{before.by_category} {}

    /// Tells that the running attempt failed.
    ///
    /// Pre: `what` is classified. `left` is what remains of the deadline, `unlimited` without one.
    /// Returns: the next step; `finish` with `deadline` where the next attempt could not begin in time.
    // Inline: the step would go through memory, and with it the machine.
    [[gnu::always_inline]] inline step failed(failure const& what, duration left,
                                              std::uint64_t random) noexcept {
        auto const next = follow(what, charge(what.category()), left, random);
        if (next.next == step::action::attempt && attempt_ != UINT32_MAX) ++attempt_;
        return next;
    }

    /// Tells that a guard did not admit the attempt, which keeps its number; `waits` is whether the
    /// policy wants to wait until the guard may admit again, in `retry_in`. Each rejection is charged
    /// to the budget, so that waiting for a dead dependency ends.
    step rejected(failure const& what, bool waits, duration retry_in, duration left,
                  std::uint64_t random) noexcept {
        if (!waits) return {.next = step::action::finish, .why = what.stopped()};
        auto next = follow(what, charge(what.category()), left, random);
        if (next.next == step::action::attempt && next.delay < retry_in) {
            // A guard that says `unlimited` will not admit again by itself: no deadline's fault.
            if (retry_in >= left)
                return {.next = step::action::finish,
                        .why = left == unlimited ? what.stopped() : stop_reason::deadline};
            previous_delay_ = next.delay = retry_in;
        }
        if (next.why == stop_reason::attempts_exhausted) next.why = what.stopped();
        return next;
    }

    /// Tells that an earlier process ended inside the attempt. It is charged, so that a crash loop
    /// ends, but not waited for: the restart took its time.
    step crashed(failure const& what, duration left, std::uint64_t random) noexcept {
        auto next = failed(what, left, random);
        if (next.next == step::action::attempt) previous_delay_ = next.delay = duration{};
        return next;
    }

    /// Tells that the running attempt made progress that the policy lets count.
    void refill() noexcept {
        shared_ = 0;
        counted_ = 0;
        previous_delay_ = {};
    }

    /// What has been used up so far; `attempt` is the number of the attempt that comes next.
    [[nodiscard]] budget_spent spent() const noexcept {
        auto all =
            budget_spent{.attempt = attempt_, .shared = shared_, .previous_delay = previous_delay_};
        for (std::size_t i = 0; i != category_count; ++i)
            if ((counted_ >> i & 1U) != 0) all.by_category[i] = by_category_[i];
        return all;
    }

    /// The number of the attempt that comes next.
    [[nodiscard]] std::uint32_t attempt() const noexcept { return attempt_; }

  private:
    static_assert(category_count < 32);
    static constexpr std::uint32_t every_category = (std::uint32_t{1} << category_count) - 1;

    /// The failed attempts of one category.
    std::uint32_t& own(category what) noexcept {
        auto const given = static_cast<std::size_t>(what);
        auto const index = given < category_count ? given : 0;  // a division would take longer
        auto const bit = std::uint32_t{1} << index;
        if ((counted_ & bit) == 0) {
            counted_ |= bit;
            by_category_[index] = 0;
        }
        return by_category_[index];
    }

    /// Returns: how often attempts have failed with `what`.
    std::uint32_t charge(category what) noexcept {
        auto& count = own(what);
        if (count != UINT32_MAX) ++count;
        if constexpr (requires { policy_->counts_apart(what); }) {
            if (policy_->counts_apart(what)) return count;
        }
        if (shared_ != UINT32_MAX) ++shared_;
        return count;
    }

    [[gnu::always_inline]] inline step follow(failure const& what, std::uint32_t in_category,
                                              duration left, std::uint64_t random) noexcept {
        auto const verdict = policy_->decide({.failure = what,
                                              .attempt = attempt_,
                                              .spent = shared_,
                                              .spent_in_category = in_category,
                                              .previous_delay = previous_delay_,
                                              .random = random});
        if (!verdict.retry) return {.next = step::action::finish, .why = verdict.why};
        if (verdict.delay >= left)
            return {.next = step::action::finish, .why = stop_reason::deadline};
        previous_delay_ = verdict.delay;
        return {.next = step::action::attempt, .delay = verdict.delay};
    }

    Retry const* policy_;
    std::uint32_t attempt_ = 1;
    std::uint32_t shared_ = 0;
    duration previous_delay_{};
    // As a rule an operation fails with one category, and only its counter is ever written: zeroing
    // them all costs as much as the rest of the bookkeeping of a failed attempt.
    std::uint32_t counted_ = 0;  ///< a bit for each category whose counter means something
    std::array<std::uint32_t, category_count> by_category_;
};

}  // namespace recoup::inline v1
