// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/allocations.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>

namespace bench {

/// Names of the counters that a benchmark leaves behind, each a mean over its threads.
inline constexpr auto time_counter = "ns_per_call";
inline constexpr auto allocations_counter = "allocations_per_call";

/// Leaves behind what the calls of `state` took since `begin`, when `allocated` allocations had been made.
inline void record(benchmark::State& state, std::chrono::steady_clock::time_point begin,
                   std::uint64_t allocated) {
    auto const took =
        std::chrono::duration<double, std::nano>{std::chrono::steady_clock::now() - begin};
    auto const made = support::allocations() - allocated;  // before the counters take memory
    auto const calls = static_cast<double>(state.iterations());
    state.counters[time_counter] =
        benchmark::Counter{took.count() / calls, benchmark::Counter::kAvgThreads};
    state.counters[allocations_counter] =
        benchmark::Counter{static_cast<double>(made) / calls, benchmark::Counter::kAvgThreads};
}

/// Times `call(question)`. By its own clock, since versions of Google Benchmark differ in what they
/// call the time of a call where there is more than one thread.
template <class Call>
void measure(benchmark::State& state, Call&& call) {
    std::uint64_t question = 0;
    auto const allocated = support::allocations();
    auto const begin = std::chrono::steady_clock::now();
    for (auto _ : state) {
        auto outcome = call(question++);
        benchmark::DoNotOptimize(outcome);
    }
    record(state, begin, allocated);
}

/// Registers `run`, to be interleaved with all others.
template <class Run>
void add(char const* name, int threads, Run run) {
    benchmark::RegisterBenchmark(name, run)->Threads(threads);
}

void add_success();
void add_breaker();
void add_cache();
void add_failed_once();
void add_guards();
void add_coroutine();
void add_hedge();
void add_metrics();

}  // namespace bench
