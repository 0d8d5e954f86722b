// SPDX-License-Identifier: BSL-1.0
#include "call/dependency.hpp"
#include "peers/recoup/roles.hpp"

#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

using namespace std::chrono_literals;

namespace bench::peers {

namespace {

auto const ask = [](std::uint64_t question) { return answer_or_error(question); };

constexpr auto attempts_max = 3;

/// The loop by hand that the peers' programs have, too: three attempts, and nothing else.
template <class Call>
reply retried(Call& call, std::uint64_t question) {
    for (auto attempt = 1;; ++attempt) {
        auto got = call(question);
        if (got.has_value() || attempt == attempts_max) return got;
    }
}

/// By itself, as in a program: in a caller with much to clean up a throw costs half as much again.
template <class Call>
[[gnu::noinline]] std::uint64_t retried_throwing(Call& call, std::uint64_t question) {
    for (auto attempt = 1;; ++attempt) {
        try {
            return call(question);
        } catch (...) {
            if (attempt == attempts_max) throw;
        }
    }
}

/// Nanoseconds a call.
template <class Call>
double timed(std::size_t batch, Call& call) {
    auto const begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i != batch; ++i) {
        auto outcome = call(static_cast<std::uint64_t>(i));
        asm volatile("" : : "g"(&outcome) : "memory");
    }
    return std::chrono::duration<double, std::nano>{std::chrono::steady_clock::now() - begin}
               .count() /
           static_cast<double>(batch);
}

struct compared {
    double bare = 0;
    double whole = 0;
};

/// Both in turn, many times. The least of each counts: what else the machine does only adds.
template <class Bare, class With>
compared compare(bool quick, std::size_t batch, Bare&& bare, With&& with) {
    constexpr auto forever = std::numeric_limits<double>::infinity();
    compared seen{forever, forever};
    for (auto i = 0; i != (quick ? 50 : 200); ++i) {
        seen.bare = std::min(seen.bare, timed(batch, bare));
        seen.whole = std::min(seen.whole, timed(batch, with));
    }
    return seen;
}

void tell(std::string const& work, std::string const& name, compared const& seen,
          std::string const& above) {
    print({{"work", work},
           {"name", name},
           {"version", RECOUP_BENCH_VERSION},
           {"unit", "ns above " + above},
           {"value", seen.whole - seen.bare},
           {"whole", seen.whole}});
}

}  // namespace

void calls(bool quick) {
    constexpr std::size_t many = 100'000;
    constexpr std::size_t some = 20'000;
    recoup::circuit_breaker breaker;
    auto const bare = "the bare call";
    auto const retry_alone = compare(quick, many, ask, recoup::with_recovery(ask, recoup::retry{}));
    print({{"work", "bare call"},
           {"name", "C++"},
           {"version", __VERSION__},
           {"unit", "ns"},
           {"value", retry_alone.bare}});
    tell("success at once, retry", "recoup", retry_alone, bare);
    tell("success at once, breaker", "recoup",
         compare(quick, many, ask,
                 recoup::with_recovery(ask, recoup::retry{.max_attempts = 1}, breaker)),
         bare);
    tell("success at once, retry and breaker", "recoup",
         compare(quick, many, ask, recoup::with_recovery(ask, recoup::retry{}, breaker)), bare);

    auto const by_hand = "the loop by hand";
    auto const at_once = recoup::retry{.backoff = recoup::constant(0ms)};
    fails_once failing;
    tell("one failure, then success, no wait", "recoup, error values",
         compare(
             quick, some, [&](std::uint64_t question) { return retried(failing, question); },
             recoup::with_recovery(fails_once{}, at_once)),
         by_hand);
    throws_once throwing;
    tell("one failure, then success, no wait", "recoup, exceptions",
         compare(
             quick, some / 40,
             [&](std::uint64_t question) { return retried_throwing(throwing, question); },
             recoup::with_recovery(throws_once{}, at_once)),
         by_hand);
}

}  // namespace bench::peers
