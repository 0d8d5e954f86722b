// SPDX-License-Identifier: BSL-1.0
// How long operations take, as a distribution: bare and with recovery, where all goes well and where three
// attempts of ten fail. All in turn, so that what else the machine does meets each alike.
#include "durable/folder.hpp"
#include "sections.hpp"
#include "support/work.hpp"

#include <recoup/core/random.hpp>
#include <recoup/core/result.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/journal_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/with_recovery.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace bench {

namespace {

constexpr auto work_span = 20us;
constexpr auto wait_span = 1ms;
constexpr auto failure_rate = 0.3;

/// One way of doing the operation. Its work is the same; how many attempts fail may differ.
struct way {
    std::string name{};
    bool recovery = false;
    double failures = 0;
    std::size_t operations = 0;
    std::function<bool(std::uint64_t)> run{};  ///< returns: whether it succeeded
    std::vector<double> nanoseconds{};
    std::size_t succeeded = 0;
};

struct operation {
    fixed_work const* work;
    double failures = 0;
    recoup::splitmix64 random{20250914};

    recoup::result<std::uint64_t> operator()(std::uint64_t) {
        auto const made = (*work)();
        if (static_cast<double>(random() >> 11U) * 0x1p-53 < failures)
            return std::make_error_code(std::errc::connection_reset);
        return made;
    }
};

template <class Call>
std::function<bool(std::uint64_t)> succeeding(Call call) {
    return [call = std::move(call)](std::uint64_t key) mutable { return call(key).has_value(); };
}

void time_once(way& one, std::uint64_t key) {
    auto const begin = std::chrono::steady_clock::now();
    auto const good = one.run(key);
    auto const took = std::chrono::steady_clock::now() - begin;
    one.nanoseconds.push_back(std::chrono::duration<double, std::nano>{took}.count());
    one.succeeded += good ? 1 : 0;
}

/// Bins that are a fifth wider than the one before, from the least to the greatest.
void tell_histogram(figures& point, std::vector<double> const& sorted) {
    constexpr auto ratio = 1.2;
    constexpr auto bins_max = 200;
    auto at = sorted.begin();
    auto low = std::max(sorted.front(), 1.0);
    for (auto bin = 0; bin != bins_max && at != sorted.end(); ++bin) {
        auto const high = low * ratio;
        auto const end =
            bin + 1 == bins_max ? sorted.end() : std::lower_bound(at, sorted.end(), high);
        if (end != at)
            point.add("histogram")
                .set("from_ns", low)
                .set("to_ns", high)
                .set("count", static_cast<std::int64_t>(end - at));
        at = end;
        low = high;
    }
}

void tell(report& into, way& one) {
    std::sort(one.nanoseconds.begin(), one.nanoseconds.end());
    auto const count = one.nanoseconds.size();
    auto& point = into.series.add("latency");
    point.set("name", one.name)
        .set("recovery", one.recovery)
        .set("transient_failures_per_attempt", one.failures)
        .set("operation_ns", std::int64_t{std::chrono::nanoseconds{work_span}.count()})
        .set("operations", static_cast<std::int64_t>(count))
        .set("success_rate_percent",
             100 * static_cast<double>(one.succeeded) / static_cast<double>(count));
    for (auto const percentile :
         {1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99}) {
        // Told only where ten operations, at least, took longer.
        if (static_cast<double>(count) * (100 - percentile) < 999.5) break;
        auto const rank = static_cast<double>(count - 1) * percentile / 100 + 0.5;
        point.add("percentiles")
            .set("percentile", percentile)
            .set("time_ns", one.nanoseconds[static_cast<std::size_t>(rank)]);
    }
    tell_histogram(point, one.nanoseconds);
}

}  // namespace

void measure_latency(plan const& chosen, report& into) {
    auto const folder = fresh_folder(chosen, "latency");
    auto const work = fixed_work{work_span};
    recoup::journal_store journal{folder + "/journal"};
    recoup::circuit_breaker breaker;
    auto const waits = recoup::retry{.max_attempts = 5, .backoff = recoup::constant(wait_span)};
    auto const many = std::size_t{chosen.quick ? 20'000U : 200'000U};
    auto const few = std::size_t{chosen.quick ? 3'000U : 30'000U};  // these wait
    std::vector<way> ways;
    ways.push_back(
        {.name = "bare, nothing fails", .operations = many, .run = succeeding(operation{&work})});
    ways.push_back({.name = "retry, breaker, deadline, nothing fails",
                    .recovery = true,
                    .operations = many,
                    .run = succeeding(recoup::with_recovery(operation{&work}, waits, breaker,
                                                            recoup::deadline{1min}))});
    ways.push_back({.name = "retry, journal (process_crash, start), nothing fails",
                    .recovery = true,
                    .operations = many,
                    .run = succeeding(recoup::with_recovery(
                        operation{&work}, waits,
                        recoup::persist(journal,
                                        recoup::persist_options{
                                            .name = "latency", .when = recoup::persist_when::start},
                                        [](std::uint64_t key) { return key; })))});
    ways.push_back({.name = "bare, 30 % of attempts fail",
                    .failures = failure_rate,
                    .operations = few,
                    .run = succeeding(operation{&work, failure_rate})});
    ways.push_back(
        {.name = "retry with a wait of 1 ms, 30 % of attempts fail",
         .recovery = true,
         .failures = failure_rate,
         .operations = few,
         .run = succeeding(recoup::with_recovery(operation{&work, failure_rate}, waits))});
    auto key = std::uint64_t{0};
    for (std::size_t i = 0; i != many; ++i)
        for (auto& one : ways)
            if (i < one.operations) time_once(one, ++key);
    for (auto& one : ways) tell(into, one);
}

}  // namespace bench
