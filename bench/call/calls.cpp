// SPDX-License-Identifier: BSL-1.0
// Runs the benchmarks of single calls, and judges them.
#include "call/measure.hpp"
#include "sections.hpp"

#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

struct samples {
    std::vector<double> nanoseconds;
    double allocations = 0;  ///< the most seen in a repetition
};

/// Keeps the repetitions of each benchmark; prints nothing.
class collector final : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(Context const&) override { return true; }

    void ReportRuns(std::vector<Run> const& runs) override {
        for (auto const& run : runs) {
            auto const time = run.counters.find(time_counter);
            if (run.run_type != Run::RT_Iteration || time == run.counters.end()) continue;
            auto name = run.run_name.function_name;
            if (run.threads > 1) name += "/threads:" + std::to_string(run.threads);
            auto& kept = found[name];
            kept.nanoseconds.push_back(time->second);
            kept.allocations =
                std::max(kept.allocations, double{run.counters.at(allocations_counter)});
        }
    }

    std::map<std::string, samples> found;
};

std::map<std::string, samples> run_all(plan const& chosen) {
    add_success();
    add_breaker();
    add_cache();
    add_failed_once();
    add_guards();
    add_coroutine();
    add_hedge();
    add_metrics();
    // Interleaved: a burst of noise hits a little of each instead of all of one.
    auto arguments = std::vector<std::string>{
        "bench", "--benchmark_enable_random_interleaving=true",
        std::string{"--benchmark_repetitions="} + (chosen.quick ? "15" : "41"),
        std::string{"--benchmark_min_time="} + (chosen.quick ? "0.01" : "0.02")};
    std::vector<char*> pointers;
    for (auto& one : arguments) pointers.push_back(one.data());
    auto count = static_cast<int>(pointers.size());
    benchmark::Initialize(&count, pointers.data());
    collector results;
    benchmark::RunSpecifiedBenchmarks(&results);
    return std::move(results.found);
}

std::string difference_text(samples const& more, samples const& less) {
    auto const one = spread_of(more.nanoseconds);
    auto const other = spread_of(less.nanoseconds);
    char buffer[128];
    std::snprintf(buffer, sizeof buffer, "%+.2f ns (%.2f vs %.2f; medians %.2f vs %.2f)",
                  one.least - other.least, one.least, other.least, one.median, other.median);
    return buffer;
}

double median(samples const& what) { return spread_of(what.nanoseconds).median; }
double least(samples const& what) { return spread_of(what.nanoseconds).least; }

}  // namespace

void measure_calls(plan const& chosen, report& into) {
    auto found = run_all(chosen);
    auto& details = into.details.at("call");
    details.set(
        "note",
        "per call, in one run, repetitions interleaved at random; verdicts compare the least "
        "of each, since noise on a shared machine only adds");
    for (auto const& [name, one] : found)
        details.at(name)
            .set("time_ns", spread_of(one.nanoseconds))
            .set("allocations", one.allocations);

    auto const above = [&](char const* title, char const* more, char const* less, double most) {
        into.judge(title, least(found.at(more)) - least(found.at(less)) <= most,
                   difference_text(found.at(more), found.at(less)),
                   "≤ " + text(most, "ns", 0) + " more", requirement::goal);
    };
    above("call: value, above the hand-written loop", "call/value/recoup",
          "call/value/hand_written", 1);
    above("call: reply, above the hand-written loop", "call/reply/recoup",
          "call/reply/hand_written", 1);
    above("call: closed breaker", "call/reply/recoup_breaker", "call/reply/recoup", 5);
    above("call: closed breaker, 2 threads", "call/reply/recoup_breaker/threads:2",
          "call/reply/recoup/threads:2", 5);
    auto const rejected = spread_of(found.at("call/rejected/recoup_breaker").nanoseconds);
    into.judge("call: rejected by an open breaker", rejected.least <= 12,
               text(rejected.least, "ns") + " (median " + text(rejected.median, "ns") + ")",
               "≤ 12 ns", requirement::goal);
    above("call: failed once, above the hand-written loop", "call/failed_once/recoup",
          "call/failed_once/hand_written", 15);

    // Beside what cannot be had for less: reading the clock, and a count that threads share.
    auto const clock_read =
        least(found.at("call/reply/clock_read")) - least(found.at("call/reply/hand_written"));
    auto const guarded = [&](std::string const& title, std::string const& name, double clock_reads,
                             double most) {
        for (std::string const threads : {"", "/threads:2"}) {
            auto const shared = median(found.at("call/reply/shared_count" + threads));
            auto const bound =
                clock_reads * clock_read + (threads.empty() ? most : most + 2 * shared);
            auto const& with = found.at(name + threads);
            auto const& without = found.at("call/reply/recoup" + threads);
            into.judge(title + (threads.empty() ? "" : ", 2 threads"),
                       least(with) - least(without) <= bound, difference_text(with, without),
                       "≤ " + text(bound, "ns", 0) + " more", requirement::goal);
        }
    };
    guarded("call: token bucket", "call/reply/recoup_token_bucket", 1, 15);
    guarded("call: sliding window", "call/reply/recoup_sliding_window", 1, 25);
    guarded("call: bulkhead", "call/reply/recoup_bulkhead", 0, 15);
    guarded("call: concurrency limit", "call/reply/recoup_concurrency_limit", 2, 30);
    above("call: cache, a result that it has, above a map and a mutex by hand",
          "call/cache_hit/recoup", "call/cache_hit/hand_written", 25);
    above("call: cache, the same, 2 threads", "call/cache_hit/recoup/threads:2",
          "call/cache_hit/hand_written/threads:2", 25);
    auto const all = spread_of(found.at("call/reply/recoup_all_guards").nanoseconds);
    auto const bare = spread_of(found.at("call/reply/bare").nanoseconds);
    into.judge(
        "call: deadline, breaker, token bucket and bulkhead together", all.least - bare.least <= 60,
        text(all.least - bare.least, "ns") + " above the bare call", "≤ 60 ns", requirement::goal);

    // A coroutine of a wrapper's own costs a frame, as the loop by hand does: what that comes to beside the least
    // that a request costs is what users see.
    above("call: coroutine that is ready, above the hand-written loop",
          "call/coroutine_ready/recoup", "call/coroutine_ready/hand_written", 25);
    above("call: coroutine that failed once, above the hand-written loop",
          "call/coroutine_failed_once/recoup", "call/coroutine_failed_once/hand_written", 125);
    auto const exchange = least(found.at("call/coroutine_socket/bare"));
    auto const recovered = least(found.at("call/coroutine_socket/recoup"));
    into.judge("call: coroutine that asks over a local socket", recovered <= 1.1 * exchange,
               text(recovered / exchange, "times the bare one", 2) + " (" +
                   difference_text(found.at("call/coroutine_socket/recoup"),
                                   found.at("call/coroutine_socket/bare")) +
                   ")",
               "≤ 1.1 times", requirement::goal);
    // A plain call that others may overtake runs on another thread: two changes of threads, whoever does it.
    auto const beside_by_hand = [&](char const* name, char const* by_recoup, char const* by_hand,
                                    double most, char const* wanted) {
        auto const times = least(found.at(by_recoup)) / least(found.at(by_hand));
        into.judge(name, times <= most,
                   text(times, "times that", 2) + " (" +
                       difference_text(found.at(by_recoup), found.at(by_hand)) + ")",
                   wanted, requirement::goal);
    };
    beside_by_hand("call: plain, with a hedge that does not begin, beside a thread by hand",
                   "call/hedge_plain/recoup", "call/hedge_plain/hand_written", 1.5, "≤ 1.5 times");
    beside_by_hand("call: coroutine, with a hedge that does not begin, beside Asio's `||` by hand",
                   "call/coroutine_post/recoup_hedge", "call/coroutine_post/hand_written_hedge", 1,
                   "≤ 1 times");
    for (std::string const threads : {"", "/threads:2"}) {
        auto const many = threads.empty() ? "" : ", 2 threads";
        auto const without = found.at("call/reply/recoup" + threads);
        for (auto const& [title, name] :
             {std::pair{"call: metrics", "call/reply/recoup_metrics"},
              std::pair{"call: metrics and alerts", "call/reply/recoup_metrics_alerts"}}) {
            auto const& with = found.at(name + threads);
            into.judge(std::string{title} + many, least(with) - least(without) <= 15,
                       difference_text(with, without), "≤ 15 ns more", requirement::goal);
        }
        auto const& everything = found.at("call/reply/recoup_everything" + threads);
        into.judge(std::string{"call: everything on (deadline, breaker, metrics, alerts)"} + many,
                   least(everything) - bare.least <= 60,
                   text(least(everything) - bare.least, "ns") + " above the bare call", "≤ 60 ns",
                   requirement::goal);
    }

    auto allocated = 0.0;
    for (auto const& [name, one] : found)
        // What is kept takes memory, and so does what may outlive its call.
        if (name.find("thrown") == std::string::npos &&
            name.find("cache_miss") == std::string::npos && name.find("hedge") == std::string::npos)
            allocated = std::max(allocated, one.allocations);
    into.judge("call: allocations where nothing is thrown", allocated == 0,
               text(allocated, "a call", 6), "0");
}

}  // namespace bench
