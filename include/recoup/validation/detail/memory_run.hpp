// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/detail/guarded_call.hpp>
#include <recoup/validation/detail/faults.hpp>
#include <recoup/validation/detail/keep.hpp>
#include <recoup/validation/detail/text.hpp>
#include <recoup/validation/finding.hpp>
#include <recoup/validation/options.hpp>
#include <recoup/validation/remark.hpp>
#include <recoup/validation/verdict.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace recoup::inline v1::validation::detail {

/// So often memory is looked at.
inline constexpr std::uint32_t memory_looks = 64;
/// What grows by less in the second half of the calls is at rest: an allocator takes memory in pieces.
inline constexpr std::int64_t at_rest_bytes = 256 * 1024;

/// What was resident in the course of some calls.
struct memory_course {
    std::uint32_t calls = 0;
    std::vector<std::int64_t> looks{};  ///< before the first call, and on the way

    [[nodiscard]] std::optional<std::int64_t> growth() const {
        if (looks.empty()) return std::nullopt;
        return *std::max_element(looks.begin(), looks.end()) - looks.front();
    }
    [[nodiscard]] std::int64_t late_growth() const {
        return looks.empty() ? 0 : looks.back() - looks[looks.size() / 2];
    }
};

/// Makes calls and looks at memory. `call` makes the one of a number.
template <class Trial, class Call>
memory_course watch_memory(Trial& trial, double share_of_time, Call call) {
    auto seen = memory_course{};
    seen.looks.reserve(memory_looks + 2);  // or it would be part of what is seen
    auto const look = [&] {
        if (auto const bytes = trial.measured_with.resident_bytes()) seen.looks.push_back(*bytes);
    };
    auto const all = trial.given.memory_calls;
    auto const step = std::max<std::uint32_t>(all / memory_looks, 1);
    auto const numbers = trial.take_numbers(all);
    look();
    for (; seen.calls != all && !trial.spent(share_of_time); ++seen.calls) {
        call(numbers + seen.calls);
        if (seen.calls % step == step - 1 || seen.calls + 1 == all) look();
    }
    return seen;
}

/// By how much the process grows over many calls, of which some fail and are cured, beside the bare calls.
template <class Trial>
void run_memory(Trial& trial, verdict& into, double share_of_bare, double share_of_time) {
    auto const bare = watch_memory(trial, share_of_bare, [&](std::uint64_t number) {
        auto with = trial.arguments(number);
        static_cast<void>(recoup::detail::guarded_call<result<void>>([&] {
            call_and_keep(
                [&]() -> decltype(auto) { return Trial::call_bare(trial.callable(), with); });
            return result<void>{boost::outcome_v2::in_place_type<void>};
        }));
    });

    auto time = typename Trial::trial_clock_type{trial.clock(), trial.given.seed, true};
    auto const by = std::make_shared<faults>(trial.given, trial.given.failure_rate);
    auto const call = trial.failing(by, std::make_shared<typename Trial::watch_type>(time), time);
    auto const seen = watch_memory(trial, share_of_time, [&](std::uint64_t number) {
        auto with = trial.arguments(number);
        keep(Trial::call_decorated(call, with));
    });

    auto& made = into.memory;
    made.calls = seen.calls;
    made.growth = seen.growth();
    made.late_growth = seen.late_growth();
    made.callable_growth = bare.growth().value_or(0);
    if (!made.growth) return;
    auto const at_rest = made.late_growth <= at_rest_bytes;
    auto const enough = made.calls >= std::min(memory_looks, trial.given.memory_calls);
    if (*made.growth >= into.wanted.memory_below)
        made.found = finding::missed;
    else if (at_rest && enough)
        made.found = finding::met;
    if (!at_rest)
        trial.note(
            into, remark_kind::still_growing,
            "memory grew by " + megabytes(made.late_growth) + " in the second half of " +
                std::to_string(made.calls) + " calls, " +
                std::to_string(made.late_growth * 2 / std::max<std::uint32_t>(made.calls, 1)) +
                " bytes a call, and had not come to rest");
    if (made.callable_growth > at_rest_bytes && made.callable_growth >= *made.growth / 2)
        trial.note(into, remark_kind::callable_grows,
                   "the bare callable grows as well, by " + megabytes(made.callable_growth) +
                       " in " + std::to_string(bare.calls) + " calls: look for the leak there");
    if (made.calls < trial.given.memory_calls)
        trial.note(into, remark_kind::time_limit_reached,
                   "memory: " + std::to_string(made.calls) + " of " +
                       std::to_string(trial.given.memory_calls) + " calls fit into the time limit");
}

}  // namespace recoup::inline v1::validation::detail
