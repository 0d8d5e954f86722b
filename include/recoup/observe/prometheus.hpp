// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/observe/histogram.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/observe/metrics_snapshot.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <prometheus/client_metric.h>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>

/// Metrics for Prometheus, through prometheus-cpp: link `recoup::prometheus`.

namespace recoup::inline v1 {

/// How metrics are shown to Prometheus.
struct prometheus_options {
    /// Where the buckets of histograms end. Each is moved up to its `histogram_edge`, by 1/16 at most, so that
    /// counts are exact. Empty: at the powers of two from 1 us to 69 s.
    std::vector<duration> buckets{};
};

namespace detail {

/// The ends of buckets, in their order, each once. Throws: std::invalid_argument; std::bad_alloc.
inline std::vector<duration> prometheus_edges(std::vector<duration> const& chosen) {
    std::vector<duration> edges;
    constexpr auto shortest = 10, longest = 36;  // 2^10 ns and 2^36 ns
    if (chosen.empty())
        for (auto power = shortest; power <= longest; ++power)
            edges.emplace_back((std::int64_t{1} << power) - 1);
    for (auto const one : chosen) {
        if (one <= duration{} || one >= histogram_longest)
            throw std::invalid_argument{"recoup::prometheus_options: a bucket ends at " +
                                        std::to_string(one.count()) +
                                        " ns; expected more than 0 and less than 2.4 hours"};
        edges.push_back(histogram_edge(one));
    }
    std::sort(edges.begin(), edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
    // What ends there has no other end: longer ones are counted with it.
    if (edges.back() == histogram_longest) edges.pop_back();
    return edges;
}

/// Turns what a snapshot holds into families. Those that would have no member are left out.
class prometheus_families {
  public:
    prometheus_families(metrics_snapshot const& shown, std::vector<duration> const& edges)
        : shown_{shown}, edges_{edges} {}

    std::vector<::prometheus::MetricFamily> make() {
        calls();
        kinds();
        times();
        states();
        own();
        return std::move(made_);
    }

  private:
    using type = ::prometheus::MetricType;
    using member = ::prometheus::ClientMetric;
    using labels = std::vector<member::Label>;

    void begin(std::string_view name, std::string_view help, type what) {
        if (!made_.empty() && made_.back().metric.empty()) made_.pop_back();
        auto& family = made_.emplace_back();
        family.name = name;
        family.help = help;
        family.type = what;
    }
    member& add(labels of) {
        auto& made = made_.back().metric.emplace_back();
        made.label = std::move(of);
        return made;
    }
    static member::Label label(std::string_view name, std::string_view value) {
        member::Label made;
        made.name = name;
        made.value = value;
        return made;
    }
    static labels watch(watched_metrics const& one) { return {label("watch", one.name)}; }
    static double seconds(duration span) noexcept {
        return static_cast<double>(span.count()) / 1e9;
    }

    template <class Value>
    void counter(std::string_view name, std::string_view help, Value value) {
        begin(name, help, type::Counter);
        for (auto const& one : shown_.watched)
            add(watch(one)).counter.value = static_cast<double>(value(one));
    }

    void calls() {
        using one_of = watched_metrics const&;
        counter("recoup_calls_total", "Calls that have begun.",
                [](one_of one) { return one.operations; });
        counter("recoup_calls_succeeded_total", "Calls that ended with a value.",
                [](one_of one) { return one.succeeded; });
        counter("recoup_calls_failed_total", "Calls that ended with a failure.",
                [](one_of one) { return one.failed; });
        counter("recoup_calls_abandoned_total",
                "Calls that nobody waited for: coroutines destroyed, threads cancelled.",
                [](one_of one) { return one.abandoned; });
        counter("recoup_calls_recovered_total", "Calls that succeeded after a failed attempt.",
                [](one_of one) { return one.recovered; });
        counter("recoup_attempts_total", "Attempts that have begun.",
                [](one_of one) { return one.attempts; });
        counter("recoup_retries_total", "Retries that were scheduled.",
                [](one_of one) { return one.retries; });
        counter("recoup_rejections_total", "Attempts that a guard did not admit.",
                [](one_of one) { return one.rejections; });
    }

    /// Zeros as well: of a counter that begins at one, the first is never seen to be added.
    template <class Kind, std::size_t Count>
    void by_kind(std::string_view name, std::string_view help, std::string_view what,
                 std::array<std::uint64_t, Count> watched_metrics::* counts) {
        begin(name, help, type::Counter);
        for (auto const& one : shown_.watched)
            for (std::size_t i = 0; i != Count; ++i)
                add({label("watch", one.name), label(what, to_string(static_cast<Kind>(i)))})
                    .counter.value = static_cast<double>((one.*counts)[i]);
    }

    void kinds() {
        by_kind<category>("recoup_attempts_failed_total", "Failed attempts, by category.",
                          "category", &watched_metrics::failed_attempts);
        by_kind<stop_reason>("recoup_calls_stopped_total",
                             "Calls that ended with a failure, by why they were not tried again.",
                             "reason", &watched_metrics::stops);
        by_kind<event_kind>("recoup_events_total", "All that happened, by kind.", "event",
                            &watched_metrics::events);
    }

    void histogram(std::string_view name, std::string_view help,
                   latency_histogram watched_metrics::* of) {
        begin(name, help, type::Histogram);
        for (auto const& one : shown_.watched) {
            auto const& counted = one.*of;
            auto& made = add(watch(one)).histogram;
            made.sample_count = counted.count();
            made.sample_sum = seconds(counted.sum());
            made.bucket.resize(edges_.size() + 1);
            for (std::size_t i = 0; i != edges_.size(); ++i) {
                made.bucket[i].upper_bound = seconds(edges_[i]);
                made.bucket[i].cumulative_count = counted.count_to(edges_[i]);
            }
            made.bucket.back().upper_bound = std::numeric_limits<double>::infinity();
            made.bucket.back().cumulative_count = counted.count();
        }
    }

    void times() {
        using one_of = watched_metrics const&;
        histogram("recoup_call_duration_seconds",
                  "From a call to its end, waits included; of calls drawn at random.",
                  &watched_metrics::latency);
        histogram("recoup_smooth_call_duration_seconds",
                  "The same, of those of these calls in which no attempt failed.",
                  &watched_metrics::smooth);
        histogram("recoup_recovery_duration_seconds",
                  "From the first failure of a call to its success; of all that recovered.",
                  &watched_metrics::recovery);
        counter("recoup_measured_calls_total", "Calls whose overhead was measured.",
                [](one_of one) { return one.measured; });
        counter("recoup_own_seconds_total",
                "Time of the library in the calls that were measured, without waits.",
                [](one_of one) { return seconds(one.own); });
        counter("recoup_callable_seconds_total",
                "Time of the callable in the calls that were measured.",
                [](one_of one) { return seconds(one.callable); });
        // No value where nothing was measured: a NaN would spoil every sum that it is part of.
        begin("recoup_overhead_ratio",
              "Time of the library as a share of the callable's, since the start.", type::Gauge);
        for (auto const& one : shown_.watched)
            if (auto const share = one.overhead()) add(watch(one)).gauge.value = *share;
    }

    void states() {
        begin("recoup_breaker_state", "1 for the state of the circuit breaker, 0 for the others.",
              type::Gauge);
        auto const breakers = unlike(shown_.breakers);
        for (std::size_t i = 0; i != breakers.size(); ++i)
            for (auto const state : {breaker_state::closed, breaker_state::open,
                                     breaker_state::half_open, breaker_state::isolated})
                add({label("breaker", breakers[i]), label("state", to_string(state))}).gauge.value =
                    shown_.breakers[i].state == state ? 1 : 0;

        auto const gauges = unlike(shown_.gauges);
        auto const readings = [&](std::string_view name, std::string_view help, gauge_unit unit) {
            begin(name, help, type::Gauge);
            for (std::size_t i = 0; i != gauges.size(); ++i) {
                auto const& one = shown_.gauges[i];
                if (one.unit == unit && one.value)
                    add({label("gauge", gauges[i])}).gauge.value = *one.value;
            }
        };
        readings("recoup_reading", "What a gauge of the program says.", gauge_unit::number);
        readings("recoup_reading_bytes", "What a gauge of the program says, in bytes.",
                 gauge_unit::bytes);
        begin("recoup_reading_failed", "1 where the gauge threw, and has no value; else 0.",
              type::Gauge);
        for (std::size_t i = 0; i != gauges.size(); ++i)
            add({label("gauge", gauges[i])}).gauge.value = shown_.gauges[i].value ? 0 : 1;
    }

    void own() {
        begin("recoup_metrics_memory_bytes", "What the metrics object itself takes.", type::Gauge);
        add({}).gauge.value = static_cast<double>(shown_.memory);
        auto const count = [&](std::string_view name, std::string_view help, std::uint64_t value) {
            begin(name, help, type::Counter);
            add({}).counter.value = static_cast<double>(value);
        };
        count("recoup_alerts_raised_total", "Alerts that were raised.", shown_.alerts_raised);
        count("recoup_alerts_cleared_total", "Alerts that were cleared.", shown_.alerts_cleared);
        count("recoup_alerts_put_off_total",
              "Evaluations in which an alert was due and would have been too many.",
              shown_.alerts_put_off);
    }

    /// Their names, each another: of two series with the same labels Prometheus takes one.
    template <class Reading>
    static std::vector<std::string> unlike(std::vector<Reading> const& readings) {
        std::set<std::string> given;
        std::vector<std::string> names;
        for (auto const& one : readings) {
            auto name = one.name;
            for (auto number = 2; !given.insert(name).second; ++number)
                name = one.name + " (" + std::to_string(number) + ')';
            names.push_back(std::move(name));
        }
        return names;
    }

    metrics_snapshot const& shown_;
    std::vector<duration> const& edges_;
    std::vector<::prometheus::MetricFamily> made_;
};

}  // namespace detail

/// What metrics have counted, for an exposer, a gateway or a serializer of prometheus-cpp.
///
/// Each watched name has some 130 series. Counts are exact up to 2^53; a name that stands for several
/// breakers or gauges is followed by ` (2)` and so on, and a gauge that threw has no value.
/// An exposer needs one for each path: two on the same would name each family twice.
/// Thread safety: all members may be called concurrently.
/// Example: `auto shown = std::make_shared<recoup::prometheus_collectable>(metrics);`
/// `exposer.RegisterCollectable(shown);`, which holds it only weakly.
class prometheus_collectable final : public ::prometheus::Collectable {
  public:
    /// Pre: the metrics object outlives it.
    /// Throws: std::invalid_argument that names the option that is wrong; std::bad_alloc.
    explicit prometheus_collectable(metrics& counted, prometheus_options const& options = {})
        : prometheus_collectable{std::shared_ptr<metrics>{std::shared_ptr<void>{}, &counted},
                                 options} {}

    /// The same, and the metrics object lives as long as this.
    explicit prometheus_collectable(std::shared_ptr<metrics> counted,
                                    prometheus_options const& options = {})
        : counted_{std::move(counted)}, edges_{detail::prometheus_edges(options.buckets)} {
        if (!counted_)
            throw std::invalid_argument{"recoup::prometheus_collectable: the metrics are null"};
    }

    /// Takes a snapshot, which looks at the alerts as any other does.
    ///
    /// Throws: std::bad_alloc.
    [[nodiscard]] std::vector<::prometheus::MetricFamily> Collect() const override {
        auto const shown = counted_->snapshot();
        return detail::prometheus_families{shown, edges_}.make();
    }

  private:
    std::shared_ptr<metrics> counted_;
    std::vector<duration> edges_;
};

}  // namespace recoup::inline v1
