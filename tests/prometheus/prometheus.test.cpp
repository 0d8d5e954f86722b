// SPDX-License-Identifier: BSL-1.0
#include <recoup/observe/prometheus.hpp>

#include <recoup/core/on.hpp>
#include <recoup/with_recovery.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "exposition.hpp"
#include "prometheus_support.hpp"
#include "promtool.hpp"
#include "scrape.hpp"
#include "support/catch.hpp"

#include <prometheus/text_serializer.h>

using namespace prometheus_test;
using namespace std::chrono_literals;
using recoup::metrics;
using recoup::prometheus_collectable;

// What is only lent must not be a temporary.
static_assert(std::is_constructible_v<prometheus_collectable, metrics&>);
static_assert(!std::is_constructible_v<prometheus_collectable, metrics>);

namespace {

/// What the text has to say of a snapshot, worked out without the code that is tested.
class expected_series {
  public:
    explicit expected_series(recoup::metrics_snapshot const& shown) {
        for (auto const& one : shown.watched) add(one);
        std::map<std::string, int> seen;
        for (auto const& one : shown.breakers) {
            auto const name = numbered(one.name, seen);
            for (auto const* const state : {"closed", "open", "half_open", "isolated"})
                set("recoup_breaker_state", {{"breaker", name}, {"state", state}},
                    to_string(one.state) == state ? 1 : 0);
        }
        seen.clear();
        for (auto const& one : shown.gauges) {
            label_values const of{{"gauge", numbered(one.name, seen)}};
            auto const bytes = one.unit == recoup::gauge_unit::bytes;
            if (one.value) set(bytes ? "recoup_reading_bytes" : "recoup_reading", of, *one.value);
            set("recoup_reading_failed", of, one.value ? 0 : 1);
        }
        set("recoup_metrics_memory_bytes", {}, static_cast<double>(shown.memory));
        set("recoup_alerts_raised_total", {}, static_cast<double>(shown.alerts_raised));
        set("recoup_alerts_cleared_total", {}, static_cast<double>(shown.alerts_cleared));
        set("recoup_alerts_put_off_total", {}, static_cast<double>(shown.alerts_put_off));
    }

    std::map<std::string, double> all;

  private:
    void set(std::string const& name, label_values const& labels, double value) {
        all[sample{name, labels, 0}.series()] = value;
    }
    static std::string numbered(std::string const& name, std::map<std::string, int>& seen) {
        auto const number = ++seen[name];
        return number == 1 ? name : name + " (" + std::to_string(number) + ")";
    }
    void add(recoup::watched_metrics const& one) {
        auto const count = [&](char const* name, std::uint64_t value) {
            set(name, {{"watch", one.name}}, static_cast<double>(value));
        };
        count("recoup_calls_total", one.operations);
        count("recoup_calls_succeeded_total", one.succeeded);
        count("recoup_calls_failed_total", one.failed);
        count("recoup_calls_abandoned_total", one.abandoned);
        count("recoup_calls_recovered_total", one.recovered);
        count("recoup_attempts_total", one.attempts);
        count("recoup_retries_total", one.retries);
        count("recoup_rejections_total", one.rejections);
        count("recoup_measured_calls_total", one.measured);
        set("recoup_own_seconds_total", {{"watch", one.name}},
            std::chrono::duration<double>(one.own).count());
        set("recoup_callable_seconds_total", {{"watch", one.name}},
            std::chrono::duration<double>(one.callable).count());
        for (std::size_t i = 0; i != recoup::category_count; ++i) {
            auto const what = static_cast<recoup::category>(i);
            set("recoup_attempts_failed_total",
                {{"watch", one.name}, {"category", std::string{to_string(what)}}},
                static_cast<double>(one.count(what)));
        }
        for (std::size_t i = 0; i != recoup::stop_reason_count; ++i) {
            auto const why = static_cast<recoup::stop_reason>(i);
            set("recoup_calls_stopped_total",
                {{"watch", one.name}, {"reason", std::string{to_string(why)}}},
                static_cast<double>(one.count(why)));
        }
        for (std::size_t i = 0; i != recoup::event_kind_count; ++i) {
            auto const kind = static_cast<recoup::event_kind>(i);
            set("recoup_events_total",
                {{"watch", one.name}, {"event", std::string{to_string(kind)}}},
                static_cast<double>(one.count(kind)));
        }
        if (auto const share = one.overhead())
            set("recoup_overhead_ratio", {{"watch", one.name}}, *share);
        add("recoup_call_duration_seconds", one, one.latency);
        add("recoup_smooth_call_duration_seconds", one, one.smooth);
        add("recoup_recovery_duration_seconds", one, one.recovery);
    }
    void add(std::string const& name, recoup::watched_metrics const& one,
             recoup::latency_histogram const& counted) {
        for (auto power = 10; power <= 36; ++power) {
            auto const nanoseconds = (std::int64_t{1} << power) - 1;
            std::ostringstream end;
            end.precision(16);
            end << static_cast<double>(nanoseconds) / 1e9;
            set(name + "_bucket", {{"watch", one.name}, {"le", end.str()}},
                static_cast<double>(counted.count_to(recoup::duration{nanoseconds})));
        }
        auto const all_of_them = static_cast<double>(counted.count());
        set(name + "_bucket", {{"watch", one.name}, {"le", "+Inf"}}, all_of_them);
        set(name + "_count", {{"watch", one.name}}, all_of_them);
        set(name + "_sum", {{"watch", one.name}},
            std::chrono::duration<double>(counted.sum()).count());
    }
};

std::string name_shown(metrics& counted, std::size_t which) {
    return counted.snapshot().watched.at(which).name;
}

std::string text_of(prometheus_collectable const& shown) {
    return prometheus::TextSerializer{}.Serialize(shown.Collect());
}

}  // namespace

TEST_CASE("what is scraped over HTTP is the snapshot, series by series", "[prometheus]") {
    busy_program const program;
    auto const shown = std::make_shared<prometheus_collectable>(program.counted);
    auto const families = read_exposition(scrape(shown));
    auto const seen = by_series(families);
    auto const expected = expected_series{program.counted->snapshot()}.all;

    std::vector<std::string> missing;
    for (auto const& [series, value] : expected) {
        auto const found = seen.find(series);
        INFO(series);
        if (found == seen.end())
            missing.push_back(series);
        else if (std::isnan(value))
            CHECK(std::isnan(found->second));
        else
            CHECK(found->second == value);
    }
    CHECK(missing == std::vector<std::string>{});
    std::vector<std::string> surplus;
    for (auto const& [series, value] : seen)
        if (series.starts_with("recoup_") && !expected.contains(series)) surplus.push_back(series);
    CHECK(surplus == std::vector<std::string>{});

    // The figures themselves, so that a snapshot that is empty does not pass.
    CHECK(seen.at("recoup_calls_total{watch=\"fetch\"}") == 5);
    CHECK(seen.at("recoup_calls_failed_total{watch=\"fetch\"}") == 1);
    CHECK(seen.at("recoup_calls_recovered_total{watch=\"fetch\"}") == 1);
    CHECK(seen.at("recoup_attempts_total{watch=\"fetch\"}") == 8);
    CHECK(seen.at("recoup_attempts_failed_total{category=\"network_timeout\",watch=\"fetch\"}") ==
          4);
    CHECK(seen.at("recoup_calls_stopped_total{reason=\"attempts_exhausted\",watch=\"fetch\"}") ==
          1);
    CHECK(seen.at("recoup_rejections_total{watch=\"rejected\"}") == 1);
    CHECK(seen.at("recoup_breaker_state{breaker=\"dependency\",state=\"closed\"}") == 1);
    CHECK(seen.at("recoup_breaker_state{breaker=\"dependency (2)\",state=\"isolated\"}") == 1);
    CHECK(std::isnan(seen.at("recoup_reading{gauge=\"nan\"}")));
    CHECK(std::isinf(seen.at("recoup_reading{gauge=\"endless\"}")));
    CHECK_FALSE(seen.contains("recoup_reading{gauge=\"broken\"}"));
    CHECK(seen.at("recoup_reading_failed{gauge=\"broken\"}") == 1);
    CHECK(seen.at("recoup_metrics_memory_bytes") == static_cast<double>(program.counted->memory()));
    // A share of nothing is no number, and is left out.
    CHECK_FALSE(seen.contains("recoup_overhead_ratio{watch=\"never called\"}"));
    CHECK(seen.contains("recoup_overhead_ratio{watch=\"fetch\"}"));
}

TEST_CASE("a name arrives as the snapshot has it, whatever is in it", "[prometheus]") {
    metrics counted;
    static_cast<void>(counted.watch(odd_name));
    static_cast<void>(counted.watch("user:opensesame@ host=\"a\\\",le=\"1\"} 7\nrecoup_x 1"));
    static_cast<void>(counted.watch(""));
    auto const families = read_exposition(text_of(prometheus_collectable{counted}));
    REQUIRE(families.at(0).name == "recoup_calls_total");
    REQUIRE(families[0].samples.size() == 3);
    for (std::size_t i = 0; i != 3; ++i)
        CHECK(families[0].samples[i].labels == label_values{{"watch", name_shown(counted, i)}});
}

TEST_CASE("promtool finds nothing to object to", "[prometheus]") {
    if (!has_promtool()) return;
    busy_program const program;
    auto const shown = std::make_shared<prometheus_collectable>(program.counted);
    auto const checked = promtool("check metrics", scrape(shown));
    CHECK(checked.text == "");
    CHECK(checked.code == 0);
}

TEST_CASE("cumulative counts are exact to the nanosecond", "[prometheus]") {
    recoup::testing::manual_clock clock;
    metrics counted{{.time_one_in = 1, .overhead_one_in = 1}, recoup::on(clock)};
    recoup::duration took{};
    auto const call = recoup::with_recovery([&] { clock.advance(took); }, recoup::on(clock),
                                            recoup::retry{}, counted.watch("call"));
    // Each end of a bucket, and what is next to it.
    std::vector<std::int64_t> spans;
    for (auto power = 9; power <= 38; ++power)
        for (auto const beside : {-2, -1, 0, 1})
            spans.push_back((std::int64_t{1} << power) + beside);
    for (auto const one : spans) {
        took = recoup::duration{one};
        REQUIRE(call());
    }
    auto const families = read_exposition(text_of(prometheus_collectable{counted}));
    auto const found = std::find_if(families.begin(), families.end(), [](auto const& one) {
        return one.name == "recoup_call_duration_seconds";
    });
    REQUIRE(found != families.end());
    auto buckets = 0;
    for (auto const& one : found->samples) {
        if (one.name != "recoup_call_duration_seconds_bucket") continue;
        ++buckets;
        auto const& end = one.labels.at("le");
        auto const most = end == "+Inf" ? HUGE_VAL : std::stod(end);
        auto const truth = std::count_if(spans.begin(), spans.end(), [&](std::int64_t span) {
            return static_cast<double>(span) / 1e9 <= most;
        });
        INFO("le=" << end);
        CHECK(one.value == static_cast<double>(truth));
    }
    CHECK(buckets == 28);
}

TEST_CASE("chosen buckets end at the next span at which counts are exact", "[prometheus]") {
    recoup::testing::manual_clock clock;
    metrics counted{{.time_one_in = 1}, recoup::on(clock)};
    auto const call = recoup::with_recovery([&] { clock.advance(10ms); }, recoup::on(clock),
                                            recoup::retry{}, counted.watch("call"));
    REQUIRE(call());
    prometheus_collectable const shown{counted, {.buckets = {1s, 10ms, 5ms, 1s}}};
    std::vector<std::string> lines;
    std::istringstream text{text_of(shown)};
    for (std::string line; std::getline(text, line);)
        if (line.starts_with("recoup_call_duration_seconds_bucket")) lines.push_back(line);
    CHECK(lines == std::vector<std::string>{
                       "recoup_call_duration_seconds_bucket{watch=\"call\",le=\"0.005242879\"} 0",
                       "recoup_call_duration_seconds_bucket{watch=\"call\",le=\"0.010485759\"} 1",
                       "recoup_call_duration_seconds_bucket{watch=\"call\",le=\"1.006632959\"} 1",
                       "recoup_call_duration_seconds_bucket{watch=\"call\",le=\"+Inf\"} 1"});
    for (auto const wrong : {recoup::duration{}, recoup::duration{-1}, recoup::duration{3h}})
        CHECK_THROWS_WITH((prometheus_collectable{counted, {.buckets = {1s, wrong}}}),
                          Catch::Matchers::ContainsSubstring(std::to_string(wrong.count())));
}

TEST_CASE("a collectable that was given shared metrics keeps them", "[prometheus]") {
    auto counted = std::make_shared<metrics>();
    std::weak_ptr<metrics> const still_there{counted};
    auto shown = std::make_unique<prometheus_collectable>(std::move(counted));
    REQUIRE_FALSE(still_there.expired());
    CHECK_FALSE(shown->Collect().empty());
    shown.reset();
    CHECK(still_there.expired());

    metrics lent;
    CHECK_FALSE(prometheus_collectable{lent}.Collect().empty());
    CHECK_THROWS_AS(prometheus_collectable{std::shared_ptr<metrics>{}}, std::invalid_argument);
}

TEST_CASE("scrapes while calls are made see counters that only grow", "[prometheus][concurrent]") {
    metrics counted{{.time_one_in = 2}};
    prometheus_collectable const shown{counted};
    auto const call = recoup::with_recovery(
        [](int number) -> recoup::result<int> {
            if (number % 3 == 0) return recoup::failure{recoup::category::permission};
            return number;
        },
        recoup::retry{}, counted.watch("call"));
    constexpr auto calls = 4000;
    std::atomic<int> running{2};
    std::vector<std::thread> callers;
    for (auto i = 0; i != 2; ++i)
        callers.emplace_back([&] {
            for (auto number = 0; number != calls; ++number) static_cast<void>(call(number));
            --running;
        });
    std::map<std::string, double> before;
    auto rounds = 0;
    for (auto last = false; !last;) {
        last = running == 0;
        auto const families = read_exposition(text_of(shown));
        auto const seen = by_series(families);
        for (auto const& one : families) {
            if (one.type == "gauge") continue;
            double below = 0;
            for (auto const& it : one.samples) {
                auto const series = it.series();
                if (it.value < before[series]) FAIL(series << " went back");
                before[series] = it.value;
                if (it.name != one.name + "_bucket") continue;
                if (it.value < below) FAIL(series << " is less than the one below it");
                below = it.value;
            }
        }
        auto const of = [&](std::string const& name) { return seen.at(name + "{watch=\"call\"}"); };
        if (of("recoup_calls_succeeded_total") + of("recoup_calls_failed_total") >
            of("recoup_calls_total"))
            FAIL("more has ended than has begun");
        if (of("recoup_smooth_call_duration_seconds_count") >
            of("recoup_call_duration_seconds_count"))
            FAIL("a part is more than the whole");
        ++rounds;
    }
    for (auto& one : callers) one.join();
    CHECK(rounds > 0);
    CHECK(by_series(read_exposition(text_of(shown))).at("recoup_calls_total{watch=\"call\"}") ==
          2 * calls);
}
