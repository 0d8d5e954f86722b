// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <valgrind/callgrind.h>

// Hot paths whose instructions callgrind counts. Nothing here is timed: what time and randomness there is comes
// from fixed_world.cpp, so that each run takes the same branches.

namespace bench::regression {

/// One hot path while it is counted.
struct counted_path {
    std::string name{};
    std::string twin{};     ///< the path that does the same without recoup, or empty
    std::string scratch{};  ///< a folder for its stores
    /// Turns of a loop of three instructions that slow each call down.
    std::uint64_t planted = 0;
};

/// What is run; `body` sets up and calls `count`.
struct path {
    std::string name;
    std::string twin;
    std::function<void(counted_path const&)> body;
};

/// Calls that are not counted: caches fill, tables reach their size, symbols are bound.
inline constexpr std::uint64_t warming_calls = 512;
/// So many that what is rare, such as a sample in 16 calls, is a steady share.
inline constexpr std::uint64_t counted_calls = 2'048;

/// Makes the compiler believe that `value` is looked at.
template <class T>
void keep(T const& value) {
    asm volatile("" : : "r"(&value) : "memory");
}

/// Three instructions a turn.
inline void slow_down(std::uint64_t turns) {
    for (; turns != 0; --turns) asm volatile("nop");
}

/// What is counted begins.
inline void begin() { CALLGRIND_ZERO_STATS; }

/// Leaves behind what was counted since `begin`, under `name`: for the judge, in a file of callgrind's.
inline void end(char const* name) { CALLGRIND_DUMP_STATS_AT(name); }

/// What is left behind of a path: its name, its calls, its twin.
std::string left_name(counted_path const& of);

/// Counts `call(question)`.
template <class Call>
[[gnu::noinline]] void count(counted_path const& of, Call&& call) {
    std::uint64_t question = 0;
    auto const planted = of.planted;
    auto const run = [&](std::uint64_t until) __attribute__((noinline)) {
        for (; question != until; ++question) {
            auto outcome = call(question);
            keep(outcome);
            slow_down(planted);
        }
    };
    auto const name = left_name(of);
    run(warming_calls);
    begin();
    run(warming_calls + counted_calls);
    end(name.c_str());
}

using paths = std::vector<path>;

/// Those that the program runs, in this order.
paths all();

void add_success(paths& into);
void add_failed_once(paths& into);
void add_guards(paths& into);
void add_cache(paths& into);
void add_durable(paths& into);
void add_coroutine(paths& into);

}  // namespace bench::regression
