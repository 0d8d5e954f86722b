// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config.hpp>

#include <rapidcheck.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

// Policies drawn at random, every field of them.

namespace config_test {

using recoup::category;
using recoup::duration;

inline std::uint32_t number(std::uint32_t least, std::uint32_t most) {
    return static_cast<std::uint32_t>(
        *rc::gen::inRange<std::uint64_t>(least, std::uint64_t{most} + 1));
}
inline bool coin() { return number(0, 1) == 1; }

/// From `least`: round ones, which are written in large units, and crooked ones; or no limit.
inline duration span(duration least = duration{}, duration most = recoup::unlimited) {
    if (most == recoup::unlimited && number(0, 9) == 0) return most;
    auto const units =
        std::vector<std::int64_t>{1, 1'000, 1'000'000, 1'000'000'000, 60'000'000'000};
    auto const unit = units[number(0, 4)];
    auto const longest = most == recoup::unlimited ? INT64_MAX - 1 : most.count();
    auto const count =
        *rc::gen::inRange<std::int64_t>(0, std::min(longest / unit, std::int64_t{1} << 40));
    return std::max(duration{count * unit}, least);
}
inline double share() { return number(1, 1'000'000) / 1e6; }
inline category any_category() {
    return static_cast<category>(number(0, recoup::category_count - 1));
}
inline recoup::category_set categories() {
    auto set = recoup::category_set{};
    for (auto i = number(0, 8); i != 0; --i) set.insert(any_category());
    return set;
}
inline recoup::jitter any_jitter() { return static_cast<recoup::jitter>(number(0, 2)); }
inline std::string text() {
    auto const letters = std::string{"abz AZ09_.\"\\\n\t/{}[]:,"};
    auto made = std::string{};
    for (auto i = number(0, 20); i != 0; --i)
        made += letters[number(0, static_cast<std::uint32_t>(letters.size()) - 1)];
    return made;
}

inline recoup::backoff any_backoff() {
    switch (number(0, 4)) {
        case 0: return recoup::constant_backoff{span(), any_jitter()};
        case 1: return recoup::linear_backoff{span(), span(), span(), any_jitter()};
        case 2:
            return recoup::exponential_backoff{span(), span(), 1 + number(0, 1'000'000) / 3e4,
                                               any_jitter()};
        case 3: return recoup::fibonacci_backoff{span(), span(), any_jitter()};
        default: return recoup::decorrelated_backoff{span(), span()};
    }
}

inline recoup::retry any_retry() {
    auto made = recoup::retry{.max_attempts = number(0, UINT32_MAX),
                              .backoff = any_backoff(),
                              .retry_after_max = span(),
                              .wait_when_rejected = coin(),
                              .refill_on_progress = coin(),
                              .retry_nested = coin()};
    auto rules =
        std::map<std::string, recoup::category_rule>{};  // in the order of names, as in JSON
    for (auto i = number(0, 4); i != 0; --i) {
        auto const what = any_category();
        rules[std::string{to_string(what)}] = {
            what, coin() ? recoup::category_budget::never()
                         : recoup::category_budget{number(0, UINT32_MAX), any_backoff()}};
    }
    for (auto& [name, rule] : rules) made.per_category.push_back(rule);
    return made;
}

inline recoup::circuit_breaker_options any_breaker() {
    return {.failure_rate = share(),
            .window = coin() ? recoup::last_calls(number(1, recoup::window_calls_max))
                             : recoup::last(span(duration{1})),
            .minimum_calls = number(0, UINT32_MAX),
            .open_for = span(),
            .half_open_permits = number(1, recoup::half_open_permits_max),
            .half_open_failure_rate = share(),
            .neutral = categories(),
            .name = text(),
            .consecutive_failures = number(0, UINT32_MAX),
            .slow_after = span(duration{1}),
            .slow_rate = share(),
            .open_growth = 1 + number(0, 999'000) / 1e3,
            .open_for_max = span()};
}

inline recoup::rate_limit any_rate_limit() {
    if (coin())
        return recoup::sliding_window(number(1, recoup::sliding_window_calls_max),
                                      span(duration{1}, recoup::rate_limit_span_max))
            .waiting(span());
    auto const calls = number(1, UINT32_MAX);
    return recoup::token_bucket(calls, span(duration{calls}, recoup::rate_limit_span_max),
                                number(1, UINT32_MAX))
        .waiting(span());
}

inline recoup::bulkhead_options any_bulkhead() {
    return {number(1, 1'000'000), number(0, 1'000'000), span()};
}

inline recoup::cache_options any_cache() {
    return {number(1, 10'000'000), span(), span(), span(), span()};
}

inline recoup::abandon_pool_options any_abandon_pool() {
    return {number(1, recoup::detail::abandon_threads_max), span(), text()};
}

inline recoup::chaos_options any_chaos() {
    auto made = recoup::chaos_options{.failure_rate = share() / 4,
                                      .failure_as = any_category(),
                                      .throw_rate = share() / 4,
                                      .latency_rate = share(),
                                      .latency = span(),
                                      .wrong_rate = share() / 4,
                                      .crash_rate = share() / 4,
                                      .seed = *rc::gen::arbitrary<std::uint64_t>(),
                                      .enabled = coin()};
    if (coin()) made.schedule = "ok*3,fail,slow 200ms,wrong,rate_limited*2";
    return made;
}

inline recoup::hedge_options any_hedge() {
    auto const most = number(0, recoup::detail::hedges_saved_max);
    return {.delay = span(),
            .percentile = coin() ? 0 : 0.5 + number(0, 499'999) / 1e6,
            .delay_min = span(),
            .samples = number(recoup::detail::hedge_samples_min, recoup::detail::hedge_samples_max),
            .most = number(1, recoup::detail::hedges_max),
            .ratio = number(0, 1'000) / 1e3,
            .reserve = number(0, most),
            .at_most = most};
}

inline recoup::concurrency_limit_options any_concurrency_limit() {
    auto const least = number(1, 1'000);
    auto const most = number(least, 1'000'000);
    using algorithm = recoup::concurrency_limit_options::algorithm;
    return {.found_by = coin() ? algorithm::aimd : algorithm::gradient,
            .initial = number(least, most),
            .least = least,
            .most = most,
            .overloaded = categories(),
            .decrease = 0.5 + number(0, 499'999) / 1e6,
            .slow_after = span(duration{1}),
            .tolerance = 1 + number(0, 99'000) / 1e3,
            .remeasure_every = span(duration{1})};
}

inline recoup::retry_budget_options any_retry_budget() {
    auto const most = number(0, 1'000'000);
    return {number(0, 100'000) / 1e3, number(0, 1'000'000), number(0, most), most};
}

inline recoup::config::classifier_rules any_rules() {
    auto made = recoup::config::classifier_rules{};
    for (auto i = number(0, 4); i != 0; --i)
        made.http[static_cast<int>(number(100, 599))] = any_category();
    for (auto const one : {std::errc::timed_out, std::errc::io_error, std::errc::not_supported,
                           std::errc::resource_unavailable_try_again})
        if (coin()) made.errc[one] = any_category();
    for (auto i = number(0, 4); i != 0; --i) made.categories[any_category()] = any_category();
    for (auto i = number(0, 3); i != 0; --i)
        made.messages.push_back({text() + 'x', any_category()});
    made.retry_unknown = coin();
    return made;
}

inline recoup::config::policy_document any_document() {
    auto made = recoup::config::policy_document{};
    if (coin()) made.retry = any_retry();
    if (coin()) made.retry_budget = any_retry_budget();
    if (coin()) made.not_idempotent = recoup::not_idempotent{categories()};
    if (coin()) made.cache = any_cache();
    if (coin()) made.deadline = recoup::deadline{span()};
    if (coin()) made.attempt_timeout = recoup::attempt_timeout{span(duration{1})};
    if (coin()) made.abandon_after = recoup::abandon_limit{span(duration{1})};
    if (coin()) made.abandon_pool = any_abandon_pool();
    if (coin()) made.hedge = any_hedge();
    if (coin()) made.circuit_breaker = any_breaker();
    if (coin()) made.rate_limit = any_rate_limit();
    if (coin()) made.bulkhead = any_bulkhead();
    if (coin()) made.concurrency_limit = any_concurrency_limit();
    if (coin()) made.classifier = any_rules();
    return made;
}

}  // namespace config_test
