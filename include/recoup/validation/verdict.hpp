// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/validation/finding.hpp>
#include <recoup/validation/remark.hpp>
#include <recoup/validation/requirements.hpp>
#include <recoup/validation/statistics.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace recoup::inline v1::validation {

/// What decorating adds to a call that succeeds at once. Shares are of the bare call's time.
struct overhead_figures {
    finding found = finding::too_noisy_to_tell;
    std::uint32_t rounds = 0;           ///< in which both sides were timed
    std::uint64_t calls_per_batch = 1;  ///< that were timed at once
    std::uint64_t failed = 0;           ///< decorated calls that failed while they were timed
    spread bare_ns{};                   ///< of one call
    spread decorated_ns{};              ///< of one call
    spread added{};                     ///< decorated beside bare, round by round
    std::optional<interval> median{};   ///< where the median of `added` lies
    spread control{};                   ///< bare beside bare, in the same rounds: it should be 0
    std::optional<interval> control_median{};

    friend bool operator==(overhead_figures const&, overhead_figures const&) = default;
};

/// By how much the process grows, in bytes of resident memory.
struct memory_figures {
    finding found = finding::too_noisy_to_tell;
    std::uint32_t calls = 0;  ///< decorated, under faults
    std::optional<std::int64_t>
        growth{};                  ///< the most seen above the start; nothing where nobody tells
    std::int64_t late_growth = 0;  ///< in the second half of the calls
    std::int64_t callable_growth = 0;  ///< over as many bare calls

    friend bool operator==(memory_figures const&, memory_figures const&) = default;
};

/// How long it takes from the first failure of a call to its success.
struct recovery_figures {
    finding found = finding::too_noisy_to_tell;
    std::uint32_t recovered = 0;  ///< calls that failed and then succeeded
    duration median{};
    duration p99{};
    duration longest{};
    std::optional<interval> median_ns{};  ///< where the median lies
    duration waits{};                     ///< of it, what the policy chose to wait: the median
    duration rest{};                      ///< attempts, library, and waking up late: the median

    friend bool operator==(recovery_figures const&, recovery_figures const&) = default;
};

/// How many operations succeed under faults. Those that a fault for good falls on are counted apart.
struct success_figures {
    finding found = finding::too_noisy_to_tell;
    std::uint64_t operations = 0;     ///< that can be cured
    std::uint64_t succeeded = 0;      ///< of these; not by a fallback
    std::optional<interval> share{};  ///< where their share lies
    double arithmetic = 0;            ///< what the attempts make possible: 1 - rate^attempts
    std::uint32_t attempts = 0;       ///< that the retry policy makes at the most for such a fault
    category fault{};                 ///< what the classifier says of it
    std::uint64_t calls = 0;          ///< attempts that these operations made
    double arithmetic_calls = 0;      ///< what is to be expected of them, an operation
    std::uint64_t fell_back = 0;      ///< operations for which a fallback stood in
    std::array<std::uint64_t, stop_reason_count> stopped{};  ///< of those that failed
    std::uint64_t permanent = 0;                             ///< operations that nothing can cure
    std::uint64_t permanent_calls = 0;      ///< attempts that these made: one each is enough
    std::uint64_t permanent_succeeded = 0;  ///< a fallback stood in

    /// The share of those that can be cured; 0 where there are none.
    [[nodiscard]] double rate() const noexcept {
        return operations == 0 ? 0
                               : static_cast<double>(succeeded) / static_cast<double>(operations);
    }
    /// Attempts an operation.
    [[nodiscard]] double amplification() const noexcept {
        return operations == 0 ? 0 : static_cast<double>(calls) / static_cast<double>(operations);
    }

    friend bool operator==(success_figures const&, success_figures const&) = default;
};

/// What a validation found: plain data. Streamed it is a table; as JSON with
/// `<recoup/validation/validation_json.hpp>`.
struct verdict {
    requirements wanted{};
    std::uint64_t seed = 0;
    double failure_rate = 0;
    overhead_figures overhead{};
    memory_figures memory{};
    recovery_figures recovery{};
    success_figures success{};
    std::vector<remark> remarks{};
    duration took{};

    /// Whether each of the four requirements is met.
    [[nodiscard]] bool met() const noexcept {
        return all([](finding found) { return found == finding::met; });
    }
    /// Whether one of them is missed: what is too noisy to tell is neither.
    [[nodiscard]] bool missed() const noexcept {
        return !all([](finding found) { return found != finding::missed; });
    }
    [[nodiscard]] bool has(remark_kind kind) const noexcept {
        return std::any_of(remarks.begin(), remarks.end(),
                           [&](remark const& one) { return one.kind == kind; });
    }

    friend bool operator==(verdict const&, verdict const&) = default;

  private:
    template <class Holds>
    [[nodiscard]] bool all(Holds holds) const {
        return holds(overhead.found) && holds(memory.found) && holds(recovery.found) &&
               holds(success.found);
    }
};

}  // namespace recoup::inline v1::validation
