// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config/detail/describe_retry.hpp>
#include <recoup/config/detail/value.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/abandon_pool_options.hpp>
#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/guard/bulkhead_options.hpp>
#include <recoup/guard/cache_options.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/guard/concurrency_limit_options.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/hedge_options.hpp>
#include <recoup/guard/rate_limit.hpp>
#include <recoup/guard/window.hpp>
#include <recoup/json.hpp>

#include <array>
#include <cstdint>

namespace recoup::inline v1::config::detail {

/// The time alone.
template <>
struct value<deadline> {
    static void read(nlohmann::json const& from, place const& at, deadline& into) {
        value<duration>::read(from, at, into.total);
    }
    static nlohmann::json write(deadline from) { return value<duration>::write(from.total); }
};

/// The time alone.
template <>
struct value<attempt_timeout> {
    static void read(nlohmann::json const& from, place const& at, attempt_timeout& into) {
        value<duration>::read(from, at, into.each, span{duration{1}});
    }
    static nlohmann::json write(attempt_timeout from) { return value<duration>::write(from.each); }
};

/// The time alone.
template <>
struct value<abandon_limit> {
    static void read(nlohmann::json const& from, place const& at, abandon_limit& into) {
        value<duration>::read(from, at, into.each, span{duration{1}});
    }
    static nlohmann::json write(abandon_limit from) { return value<duration>::write(from.each); }
};

/// `{"calls": 20}` or `{"span": "1min"}`.
template <>
struct value<call_window> {
    static void read(nlohmann::json const& from, place const& at, call_window& into) {
        if (!from.is_object() || from.contains("calls") == from.contains("span"))
            return at.expect(from, "an object with either \"calls\" or \"span\"");
        auto fields = field_reader{from, at};
        auto found = call_window{.calls = 0};
        fields("calls", found.calls, whole{1, window_calls_max});
        fields("span", found.span, span{duration{1}});
        fields.finish();
        into = found;
    }
    static nlohmann::json write(call_window from) {
        if (from.span == duration{}) return {{"calls", from.calls}};
        return {{"span", value<duration>::write(from.span)}};
    }
};

template <class Fields>
void describe(Fields& fields, circuit_breaker_options& it) {
    fields("failure_rate", it.failure_rate, share);
    fields("window", it.window);
    fields("minimum_calls", it.minimum_calls);
    fields("open_for", it.open_for);
    fields("half_open_permits", it.half_open_permits, whole{1, half_open_permits_max});
    fields("half_open_failure_rate", it.half_open_failure_rate, share);
    fields("neutral", it.neutral);
    fields("name", it.name);
    fields("consecutive_failures", it.consecutive_failures);
    fields("slow_after", it.slow_after, span{duration{1}});
    fields("slow_rate", it.slow_rate, share);
    fields("open_growth", it.open_growth, real{1, 1'000, "1 to 1000"});
    fields("open_for_max", it.open_for_max);
    fields.check([&] { static_cast<void>(recoup::detail::checked(it)); });
}

template <>
struct word_list<rate_limit::method> {
    static constexpr std::array<words<rate_limit::method>, 2> all{
        {{"token_bucket", rate_limit::method::token_bucket},
         {"sliding_window", rate_limit::method::sliding_window}}};
};

template <class Fields>
void describe(Fields& fields, rate_limit& it) {
    auto const bucket = [&] { return it.counted_by == rate_limit::method::token_bucket; };
    fields("counted_by", it.counted_by);
    fields.required("calls", it.calls, whole{1, bucket() ? UINT32_MAX : sliding_window_calls_max});
    fields.required("per", it.per, span{duration{1}, rate_limit_span_max});
    // As recoup::token_bucket and recoup::sliding_window do; the latter has no burst.
    if (!bucket() || !fields.has("burst")) it.burst = it.calls;
    if (bucket()) fields("burst", it.burst, whole{1});
    fields("wait_at_most", it.wait_at_most);
    fields.check([&] { static_cast<void>(recoup::detail::checked(it)); });
}

template <class Fields>
void describe(Fields& fields, bulkhead_options& it) {
    fields("at_once", it.at_once, whole{1, 1'000'000});
    fields("waiting", it.waiting, whole{0, 1'000'000});
    fields("wait_at_most", it.wait_at_most);
    fields.check([&] { static_cast<void>(recoup::detail::checked(it)); });
}

template <class Fields>
void describe(Fields& fields, cache_options& it) {
    fields("capacity", it.capacity, whole{1, recoup::detail::cache_capacity_max});
    fields("time_to_live", it.time_to_live);
    fields("failures_for", it.failures_for);
    fields("stale_if_error", it.stale_if_error);
    fields("wait_at_most", it.wait_at_most);
    fields.check([&] { static_cast<void>(recoup::detail::checked(it)); });
}

template <class Fields>
void describe(Fields& fields, abandon_pool_options& it) {
    fields("threads", it.threads, whole{1, recoup::detail::abandon_threads_max});
    fields("join_within", it.join_within);
    fields("name", it.name);
    fields.check([&] { static_cast<void>(recoup::detail::checked(it)); });
}

template <class Fields>
void describe(Fields& fields, hedge_options& it) {
    fields("delay", it.delay);
    fields("percentile", it.percentile, real{0, 1, "0, or 0.5 up to below 1", true, false});
    fields("delay_min", it.delay_min);
    fields("samples", it.samples,
           whole{recoup::detail::hedge_samples_min, recoup::detail::hedge_samples_max});
    fields("most", it.most, whole{1, recoup::detail::hedges_max});
    fields("ratio", it.ratio, real{0, 1, "0 to 1"});
    fields("reserve", it.reserve, whole{0, recoup::detail::hedges_saved_max});
    fields("at_most", it.at_most, whole{0, recoup::detail::hedges_saved_max});
    fields.check([&] { static_cast<void>(recoup::detail::checked(it)); });
}

template <>
struct word_list<concurrency_limit_options::algorithm> {
    static constexpr std::array<words<concurrency_limit_options::algorithm>, 2> all{
        {{"aimd", concurrency_limit_options::algorithm::aimd},
         {"gradient", concurrency_limit_options::algorithm::gradient}}};
};

template <class Fields>
void describe(Fields& fields, concurrency_limit_options& it) {
    fields("found_by", it.found_by);
    fields("initial", it.initial, whole{1, 1'000'000});
    fields("least", it.least, whole{1, 1'000'000});
    fields("most", it.most, whole{1, 1'000'000});
    fields("overloaded", it.overloaded);
    fields("decrease", it.decrease, real{0.5, 1, "0.5 up to below 1", true, false});
    fields("slow_after", it.slow_after, span{duration{1}});
    fields("tolerance", it.tolerance, real{1, 100, "1 to 100"});
    fields("remeasure_every", it.remeasure_every, span{duration{1}});
    fields.check([&] { static_cast<void>(recoup::detail::checked(it)); });
}

}  // namespace recoup::inline v1::config::detail
