// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/guarded_call.hpp>
#include <recoup/validation/detail/keep.hpp>
#include <recoup/validation/detail/text.hpp>
#include <recoup/validation/finding.hpp>
#include <recoup/validation/remark.hpp>
#include <recoup/validation/statistics.hpp>
#include <recoup/validation/verdict.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace recoup::inline v1::validation::detail {

/// The most calls that are timed at once. What a clock does not see of so many is nothing that can be measured.
inline constexpr std::uint64_t batch_max = 65'536;
/// Rounds before those that count, for caches and clock frequencies.
inline constexpr std::uint32_t warm_rounds = 3;

/// Times batches of bare and decorated calls.
template <class Trial>
class stopwatch {
    using tuple_type = typename Trial::tuple_type;

  public:
    explicit stopwatch(Trial& trial) : trial_{trial} {}

    /// The numbers of the calls of the next batches: the same for all sides, for they do the same work.
    void take_numbers(std::uint64_t count) {
        first_ = trial_.take_numbers(count);
        count_ = count;
    }

    /// Returns: how long the batch took; nothing where a call threw.
    std::optional<duration> bare() {
        make_arguments();
        auto const begin = trial_.clock().now();
        auto const done = recoup::detail::guarded_call<result<void>>([&] {
            run_bare(trial_.callable(), arguments_);
            return result<void>{boost::outcome_v2::in_place_type<void>};
        });
        auto const took = saturating_between(begin, trial_.clock().now());
        return done.has_value() ? std::optional{took} : std::nullopt;
    }

    /// Adds to `failed` how many of the calls have failed.
    template <class Call>
    duration decorated(Call const& call, std::uint64_t& failed) {
        make_arguments();
        auto const begin = trial_.clock().now();
        failed += run_decorated(call, arguments_);
        return saturating_between(begin, trial_.clock().now());
    }

  private:
    // Out of line both: neither side is compiled together with what is around it.
    [[gnu::noinline]] static void run_bare(typename Trial::callable_type& callable,
                                           std::vector<tuple_type>& arguments) {
        for (auto& with : arguments)
            call_and_keep([&]() -> decltype(auto) { return Trial::call_bare(callable, with); });
    }

    template <class Call>
    [[gnu::noinline]] static std::uint64_t run_decorated(Call const& call,
                                                         std::vector<tuple_type>& arguments) {
        std::uint64_t failed = 0;
        for (auto& with : arguments) {
            auto const outcome = Trial::call_decorated(call, with);
            keep(outcome);
            failed += outcome.has_value() ? 0U : 1U;
        }
        return failed;
    }

    // Before the time is taken: making them is no part of the call.
    void make_arguments() {
        arguments_.clear();
        arguments_.reserve(count_);
        for (std::uint64_t i = 0; i != count_; ++i)
            arguments_.push_back(trial_.arguments(first_ + i));
    }

    Trial& trial_;
    std::uint64_t first_ = 0;
    std::uint64_t count_ = 1;
    std::vector<tuple_type> arguments_;
};

/// Finds out how many calls take long enough together.
template <class Trial>
std::uint64_t find_batch(Trial& trial, stopwatch<Trial>& timed) {
    std::uint64_t count = 1;
    while (count < batch_max) {
        timed.take_numbers(count);
        auto const took = timed.bare();
        if (!took || *took >= trial.given.batch_at_least) break;
        count *= 2;
    }
    return count;
}

template <class Trial>
void judge_overhead(Trial& trial, verdict& into, double bare_ns) {
    auto& made = into.overhead;
    auto const bound = into.wanted.overhead_below;
    auto const noise = made.control_median ? std::max(std::abs(made.control_median->low),
                                                      std::abs(made.control_median->high))
                                           : 0.0;
    made.found = judge_below(made.median, bound, noise);
    if (made.rounds == 0)
        trial.note(into, remark_kind::not_measurable,
                   "the bare call takes no time that the clock can see, in " +
                       std::to_string(made.calls_per_batch) + " calls at once");
    if (made.failed != 0) {
        made.found = finding::too_noisy_to_tell;
        trial.note(
            into, remark_kind::fails_without_faults,
            std::to_string(made.failed) +
                " calls failed while their time was taken: the two sides did not do the same work");
    }
    if (made.calls_per_batch > 1 && made.rounds != 0)
        trial.note(into, remark_kind::measured_in_batches,
                   "a bare call takes " + span(bare_ns) + ": timed " +
                       std::to_string(made.calls_per_batch) + " at once");
    if (made.median && made.median->high + noise < -bound) {
        made.found = finding::too_noisy_to_tell;
        trial.note(into, remark_kind::faster_than_bare,
                   "decorated calls take " + percent(-made.added.median) +
                       " less time than bare ones: they cannot do the same work");
    }
    if (noise > bound)
        trial.note(into, remark_kind::noisy,
                   "the bare call differs from itself by up to " + percent(noise) +
                       ", more than is allowed: the machine is busy, or the call is uneven");
}

/// What decorating adds: the same calls on both sides, and on one of them twice, taking turns in every order.
///
/// `works`: whether the callable succeeds by itself. One that does not is called once at a time, for each call may
/// wait for its retries.
template <class Trial>
void run_overhead(Trial& trial, verdict& into, bool works, double share_of_time) {
    enum side : std::size_t { bare, decorated, again };
    static constexpr std::array<std::array<side, 3>, 6> orders{{{bare, decorated, again},
                                                                {again, bare, decorated},
                                                                {decorated, again, bare},
                                                                {bare, again, decorated},
                                                                {decorated, bare, again},
                                                                {again, decorated, bare}}};
    auto const call = trial.decorated();
    auto timed = stopwatch<Trial>{trial};
    auto& made = into.overhead;
    made.calls_per_batch = works ? find_batch(trial, timed) : 1;
    std::vector<double> added;
    std::vector<double> control;
    std::array<std::vector<double>, 2> nanoseconds;
    auto const rounds = trial.given.rounds + warm_rounds;
    for (std::uint32_t round = 0; round != rounds && !trial.spent(share_of_time); ++round) {
        timed.take_numbers(made.calls_per_batch);
        std::array<std::optional<duration>, 3> took{};
        for (auto const one : orders[round % orders.size()])
            took[one] = one == decorated ? timed.decorated(call, made.failed) : timed.bare();
        // A call that takes too long for the time that there is has no round to warm up in.
        auto const warms = round < warm_rounds && made.calls_per_batch > 1;
        auto const seen = took[bare] && took[again] && *took[bare] > duration{};
        if (warms || !seen || made.rounds == trial.given.rounds) continue;
        auto const base = static_cast<double>(took[bare]->count());
        added.push_back(static_cast<double>(took[decorated]->count()) / base - 1);
        control.push_back(static_cast<double>(took[again]->count()) / base - 1);
        auto const calls = static_cast<double>(made.calls_per_batch);
        nanoseconds[0].push_back(base / calls);
        nanoseconds[1].push_back(static_cast<double>(took[decorated]->count()) / calls);
        ++made.rounds;
    }
    made.bare_ns = spread_of(nanoseconds[0]);
    made.decorated_ns = spread_of(nanoseconds[1]);
    made.added = spread_of(added);
    made.median = median_interval(added);
    made.control = spread_of(control);
    made.control_median = median_interval(control);
    judge_overhead(trial, into, made.bare_ns.median);
    if (made.rounds < trial.given.rounds && trial.spent(share_of_time))
        trial.note(into, remark_kind::time_limit_reached,
                   "overhead: " + std::to_string(made.rounds) + " of " +
                       std::to_string(trial.given.rounds) + " rounds fit into the time limit");
}

}  // namespace recoup::inline v1::validation::detail
