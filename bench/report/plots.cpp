// SPDX-License-Identifier: BSL-1.0
#include "report/plots.hpp"

#include "report/rows.hpp"
#include "report/svg.hpp"
#include "report/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

namespace bench::report_page {

namespace {

constexpr double width = 400;

std::string half_between(json const& point, std::string const& name, char const* unit) {
    auto const below = number(at(point, {(name + "_quarter_below").c_str()}));
    auto const above = number(at(point, {(name + "_quarter_above").c_str()}));
    if (!below || !above) return {};
    return ", half between " + signed_text(*below) + " and " + signed_text(*above) + " " + unit;
}

struct look {
    char const* kind;
    shape form;
};

look look_of_durability(std::string const& durability) {
    if (durability == "process_crash") return {"second", shape::square};
    if (durability == "power_loss") return {"third", shape::triangle};
    return {"first", shape::circle};
}

/// What a row of the plot of overheads is called there.
std::string overhead_label(std::string const& name, std::string const& store) {
    if (name == "bare, a second time") return "nothing (the noise)";
    if (store == "none") return name;
    if (store == "sqlite") return "SQLite";
    if (store == "sqlite behind write_behind") return "SQLite, written behind";
    if (store == "sqlite behind write_behind with a journal") return "SQLite, journal before";
    return shortened(store + (store == "memory" ? " store" : ""), 25);
}

void add_overhead(std::vector<figure>& to, json const& report) {
    std::map<std::int64_t, row_group> sizes;
    for (auto const& point : at(report, {"series", "overhead"})) {
        auto const size = number(at(point, {"operation_ns"}));
        auto one = row_of(at(point, {"overhead_percent"}));
        if (!size || !one) continue;
        auto const name = text_of(at(point, {"name"}));
        auto const durability = text_of(at(point, {"durability"}));
        auto const [kind, form] = look_of_durability(durability);
        one->label = overhead_label(name, text_of(at(point, {"store"})));
        one->low = number(at(point, {"overhead_percent_quarter_below"})).value_or(one->value);
        one->high = number(at(point, {"overhead_percent_quarter_above"})).value_or(one->value);
        // Of a store that syncs a microsecond's work the overhead is ten thousand times that.
        one->shown = one->value < 1e4   ? signed_text(one->value) + " %"
                     : one->value < 1e6 ? signed_text(one->value / 1e3) + " k %"
                                        : signed_text(one->value / 1e6) + " M %";
        auto const added = number(at(point, {"added_ns", "median"}));
        one->tip = name + " on " + time_text(*size) + ": " + one->shown +
                   half_between(point, "overhead_percent", "%") +
                   (added ? "; " + time_text(*added) + " added" : "") + "; survives " +
                   (durability == "none" ? "nothing" : durability);
        one->kind = name == "bare, a second time" ? "quiet" : kind;
        one->form = form;
        auto& group = sizes[static_cast<std::int64_t>(*size)];
        group.title = "on an operation of " + time_text(*size);
        group.rows.push_back(std::move(*one));
    }
    std::vector<row_group> groups;
    for (auto& [size, group] : sizes) {
        // A map keeps the order of equal kinds. (std::stable_sort of g++ 12 is deprecated to clang.)
        std::multimap<std::pair<bool, std::string>, row> ordered;
        for (auto& one : group.rows) {
            auto kind = std::pair{one.kind != "quiet", one.kind};
            ordered.emplace(std::move(kind), std::move(one));
        }
        group.rows.clear();
        for (auto& [kind, one] : ordered) group.rows.push_back(std::move(one));
        groups.push_back(std::move(group));
    }
    if (groups.empty()) return;
    auto const* title = "What it adds to an operation";
    to.push_back(
        {title,
         "Overhead on the same work, beside the bare call in the same run. Left of the dashed line "
         "is "
         "within 5 %. A mark at the left edge is too small to tell from none; a line is where half "
         "of "
         "the rounds lie.",
         draw_rows({.id = "overhead",
                    .title = title,
                    .description = "Overhead in percent, on a logarithmic axis, by the time of the "
                                   "operation and by what its record survives.",
                    .unit = "overhead, % (logarithmic)",
                    .least = 0.01,
                    .most = 100,
                    .bound = 5,
                    .bound_label = "gate: 5 %",
                    .legend = {{"survives nothing", "first", shape::circle},
                               {"a process crash", "second", shape::square},
                               {"power loss", "third", shape::triangle}},
                    .labels_width = 164},
                   groups)});
}

void add_success(std::vector<figure>& to, json const& report) {
    struct point {
        double attempts;
        double rate;
        double possible;
    };
    std::vector<point> points;
    auto failures = 0.0;
    for (auto const& one : at(report, {"series", "success"})) {
        auto const attempts = number(at(one, {"max_attempts"}));
        auto const rate = number(at(one, {"success_rate_percent"}));
        auto const possible = number(at(one, {"arithmetic_maximum_percent"}));
        if (!attempts || !rate || !possible) continue;
        points.push_back({*attempts, *rate, *possible});
        failures = number(at(one, {"transient_failures_per_attempt"})).value_or(0);
    }
    if (points.empty()) return;
    auto least = 60.0;
    auto most = 1.0;
    for (auto const& one : points) {
        least = std::min(least, std::floor(std::min(one.rate, one.possible) / 10) * 10);
        most = std::max(most, one.attempts);
    }
    constexpr double height = 296;
    axis const across{.least = 1, .greatest = std::max(most, 2.0), .from = 70, .to = width - 24};
    axis const up{.least = std::max(least, 0.0), .greatest = 100, .from = height - 46, .to = 62};
    svg drawn{width, height};
    draw_legend(drawn, 0, 16,
                {{"measured", "first", shape::circle},
                 {"the most that arithmetic allows", "hollow", shape::ring}});
    for (auto const value : up.ticks()) {
        drawn.line(44, up(value), width, up(value), "grid");
        drawn.text(38, up(value) + 4, "end", shown(value) + " %", "tick");
    }
    // On the right, where marks lie above the lines.
    if (up.least < 90) {
        drawn.line(44, up(90), width, up(90), "bound");
        drawn.text(width, up(90) + 15, "end", "wanted: 90 %", "bound-label");
    }
    if (up.least <= 70) {
        drawn.line(44, up(70), width, up(70), "past");
        drawn.text(width, up(70) + 15, "end", "the original: 70 %");
    }
    for (auto const& one : points) {
        auto const x = across(one.attempts);
        auto const said = shown(one.attempts) + (one.attempts == 1 ? " attempt" : " attempts");
        drawn.mark(shape::ring, x, up(one.possible), "hollow",
                   said + ": at most " + shown(one.possible) + " %");
        drawn.mark(shape::circle, x, up(one.rate), "first",
                   said + ": " + shown(one.rate) + " % succeeded");
        char value[32];
        std::snprintf(value, sizeof value, "%.2f", one.rate);
        drawn.text(x, up(one.rate) - 13, "middle", value, "value");
        drawn.text(x, height - 26, "middle", shown(one.attempts), "tick");
    }
    drawn.text((across.from + across.to) / 2, height - 8, "middle", "attempts at most", "tick");
    auto const* title = "How many operations succeed";
    to.push_back(
        {title,
         shown(failures * 100) +
             " of 100 attempts fail, each by itself. A dot in the middle of its ring is a library "
             "that cures all that can be cured; the breaker is on, and stays closed.",
         drawn.finish("success", title,
                      "Share of operations that succeeded, in percent, by the most attempts, "
                      "beside what arithmetic allows.")});
}

struct series_look {
    char const* kind;
    shape form;
};
constexpr series_look series_looks[] = {{"quiet", shape::ring},     {"first", shape::circle},
                                        {"second", shape::square},  {"quiet", shape::diamond},
                                        {"third", shape::triangle}, {"fourth", shape::diamond}};

std::string latency_label(std::string name) {
    struct shorter {
        std::string_view from;
        std::string_view to;
    };
    for (auto const& one :
         {shorter{", nothing fails", ""}, shorter{" of attempts fail", " fail"},
          shorter{" (process_crash, start)", ""}, shorter{"with a wait of", "after"}})
        if (auto const found = name.find(one.from); found != std::string::npos)
            name.replace(found, one.from.size(), one.to);
    return shortened(name, 32);
}

void add_latency(std::vector<figure>& to, json const& report) {
    struct line {
        std::string label;
        std::vector<std::pair<double, double>> points{};  ///< percentile, nanoseconds
        double success = 0;
    };
    std::vector<line> lines;
    auto least = 1e300;
    auto greatest = 0.0;
    auto furthest = 99.0;
    for (auto const& one : at(report, {"series", "latency"})) {
        line made{.label = latency_label(text_of(at(one, {"name"}))),
                  .success = number(at(one, {"success_rate_percent"})).value_or(0)};
        for (auto const& point : at(one, {"percentiles"})) {
            auto const percentile = number(at(point, {"percentile"}));
            auto const time = number(at(point, {"time_ns"}));
            if (!percentile || !time || *time <= 0 || *percentile < 50 || *percentile >= 100)
                continue;
            made.points.emplace_back(*percentile, *time);
            least = std::min(least, *time);
            greatest = std::max(greatest, *time);
            furthest = std::max(furthest, *percentile);
        }
        if (!made.points.empty() && lines.size() < std::size(series_looks))
            lines.push_back(std::move(made));
    }
    if (lines.empty()) return;
    auto const height = 287.0 + 19.0 * static_cast<double>(lines.size());
    auto const bottom = 226.0;
    auto const nines = [](double percentile) { return -std::log10(1 - percentile / 100); };
    axis const across{
        .least = nines(50), .greatest = nines(furthest), .from = 62, .to = width - 20};
    axis const up{.least = std::pow(10, std::floor(std::log10(least))),
                  .greatest = std::pow(10, std::ceil(std::log10(greatest) + 1e-9)),
                  .from = bottom,
                  .to = 14,
                  .logarithmic = true};
    svg drawn{width, height};
    auto const ticks = up.ticks();
    auto const every = (ticks.size() + 7) / 8;
    std::size_t count = 0;
    for (auto const value : ticks) {
        drawn.line(52, up(value), width, up(value), "grid");
        if (count++ % every == 0)
            drawn.text(46, up(value) + 4, "end", time_tick_text(value), "tick");
    }
    for (auto const percentile : {50.0, 90.0, 99.0, 99.9, 99.99}) {
        if (percentile > furthest + 1e-9) break;
        auto const x = across(nines(percentile));
        drawn.line(x, up.to, x, bottom, "grid");
        drawn.text(x, bottom + 17, "middle", shown(percentile), "tick");
    }
    drawn.text((across.from + across.to) / 2, bottom + 34, "middle",
               "percentile of the operations (logarithmic)", "tick");
    auto y = bottom + 54.0;
    drawn.text(width - 128, y, "end", "half", "tick");
    drawn.text(width - 62, y, "end", "99 of 100", "tick");
    drawn.text(width, y, "end", "succeed", "tick");
    for (std::size_t i = 0; i != lines.size(); ++i) {
        auto const& one = lines[i];
        auto const [kind, form] = series_looks[i];
        std::vector<std::pair<double, double>> points;
        for (auto const& [percentile, time] : one.points)
            points.emplace_back(across(nines(percentile)), up(time));
        drawn.path(points, std::string{"series "} + kind);
        auto half = std::string{"–"};
        auto most = std::string{"–"};
        for (auto const& [percentile, time] : one.points) {
            drawn.mark(form == shape::ring ? shape::circle : form, across(nines(percentile)),
                       up(time), form == shape::ring ? "hollow" : kind,
                       one.label + ": " + shown(percentile) + " of 100 within " + time_text(time));
            if (percentile == 50) half = time_text(time);
            if (percentile == 99) most = time_text(time);
        }
        y += 19;
        drawn.sample(form == shape::ring ? shape::circle : form, 6, y - 4,
                     form == shape::ring ? "hollow" : kind);
        drawn.text(17, y, "start", one.label);
        drawn.text(width - 128, y, "end", half, "value");
        drawn.text(width - 62, y, "end", most, "value");
        drawn.text(width, y, "end", shown(one.success) + " %", "value");
    }
    auto const* title = "How long operations take";
    to.push_back(
        {title,
         "Latency of the same 20 µs of work, bare and with recovery. Where attempts fail, recovery "
         "pays for its cures with the waits between them; bare, those operations are lost.",
         drawn.finish("latency", title,
                      "Time within which a share of the operations was done, both axes "
                      "logarithmic, for each way of doing them.")});
}

void add_throughput(std::vector<figure>& to, json const& report) {
    std::vector<std::pair<std::string, std::vector<json>>> workloads;
    for (auto const& one : at(report, {"series", "throughput"})) {
        auto const name = text_of(at(one, {"workload"}));
        auto found = std::find_if(workloads.begin(), workloads.end(),
                                  [&](auto const& seen) { return seen.first == name; });
        if (found == workloads.end()) found = workloads.insert(found, {name, {}});
        found->second.push_back(one);
    }
    constexpr double height = 280;
    auto count = 0;
    for (auto const& [name, all] : workloads) {
        struct point {
            double users;
            double bound;
            row bare;
            row decorated;
        };
        std::vector<point> points;
        auto least = 1e300;
        auto greatest = 1.0;
        for (auto const& one : all) {
            auto const users = number(at(one, {"users"}));
            auto const bound = number(at(one, {"bound_ops_per_second"}));
            auto const bare = row_of(at(one, {"bare_ops_per_second"}));
            auto const decorated = row_of(at(one, {"decorated_ops_per_second"}));
            if (!users || !bound || !bare || !decorated) continue;
            if (*users < 1 || *bound <= 0 || bare->low <= 0 || decorated->low <= 0) continue;
            points.push_back({*users, *bound, *bare, *decorated});
            least = std::min({least, bare->low, decorated->low, *bound});
            greatest = std::max({greatest, bare->high, decorated->high, *bound});
        }
        if (points.size() < 2) continue;
        auto const logarithmic = greatest / least > 8;
        axis const across{.least = 1,
                          .greatest = std::max(2.0, points.back().users),
                          .from = 72,
                          .to = width - 16,
                          .logarithmic = true};
        axis const up{.least = logarithmic ? std::pow(10, std::floor(std::log10(least))) : 0,
                      .greatest = logarithmic ? std::pow(10, std::ceil(std::log10(greatest)))
                                              : greatest * 1.1,
                      .from = height - 42,
                      .to = 36,
                      .logarithmic = logarithmic};
        svg drawn{width, height};
        draw_legend(drawn, 0, 16,
                    {{"with recovery", "first", shape::circle}, {"bare", "hollow", shape::square}});
        drawn.line(230, 12, 256, 12, "bound");
        drawn.text(262, 16, "start", "bound", "bound-label");
        auto const ticks = up.ticks();
        auto const every = (ticks.size() + 7) / 8;
        std::size_t labels = 0;
        for (auto const value : ticks) {
            drawn.line(58, up(value), width, up(value), "grid");
            if (labels++ % every != 0) continue;
            drawn.text(52, up(value) + 4, "end", tick_text(value), "tick");
        }
        std::vector<std::pair<double, double>> bounds;
        std::vector<std::pair<double, double>> line;
        for (auto const& one : points) {
            bounds.emplace_back(across(one.users), up(one.bound));
            line.emplace_back(across(one.users), up(one.decorated.value));
        }
        drawn.path(bounds, "bound");
        drawn.path(line, "series first");
        for (auto const& one : points) {
            auto const x = across(one.users);
            auto const said = shown(one.users) + (one.users == 1 ? " user: " : " users: ");
            drawn.line(x - 4, up(one.bare.low), x - 4, up(one.bare.high), "whisker quiet");
            drawn.line(x + 4, up(one.decorated.low), x + 4, up(one.decorated.high),
                       "whisker first");
            drawn.mark(shape::square, x - 4, up(one.bare.value), "hollow",
                       said + "bare " + shown(one.bare.value) + " a second");
            drawn.mark(shape::circle, x + 4, up(one.decorated.value), "first",
                       said + "with recovery " + shown(one.decorated.value) + " a second, " +
                           shown(one.bound) + " at most");
            drawn.text(x, height - 23, "middle", shown(one.users), "tick");
        }
        drawn.text((across.from + across.to) / 2, height - 6, "middle",
                   "users at once; operations a second", "tick");
        auto const title = "Throughput by users: " + name;
        to.push_back(
            {title,
             logarithmic
                 ? "The sleeps bound what can be done; with recovery as much is done as without."
                 : "No sleep: the processors are the bound, and threads may only disturb each "
                   "other.",
             drawn.finish(
                 "throughput-" + std::to_string(++count), title,
                 "Operations a second by the number of users, bare and with recovery, and the "
                 "bound.")});
    }
}

void add_calls(std::vector<figure>& to, json const& report) {
    struct wanted {
        char const* name;
        char const* label;
        char const* kind;
        shape form;
    };
    constexpr wanted successes[] = {
        {"call/reply/bare", "bare call", "quiet", shape::square},
        {"call/reply/hand_written", "loop by hand", "quiet", shape::square},
        {"call/reply/recoup", "retry", "first", shape::circle},
        {"call/reply/recoup_breaker", "+ closed breaker", "first", shape::circle},
        {"call/reply/recoup_bulkhead", "+ bulkhead", "first", shape::circle},
        {"call/reply/recoup_token_bucket", "+ token bucket", "first", shape::circle},
        {"call/reply/recoup_metrics", "+ metrics", "first", shape::circle},
        {"call/reply/recoup_everything", "everything on", "first", shape::circle}};
    constexpr wanted failures[] = {
        {"call/rejected/recoup_breaker", "rejected, breaker open", "first", shape::circle},
        {"call/failed_once/hand_written", "failed once, by hand", "quiet", shape::square},
        {"call/failed_once/recoup", "failed once, retry", "first", shape::circle}};
    auto const& calls = at(report, {"detailed_results", "call"});
    std::vector<row_group> groups;
    auto const add = [&](char const* title, auto const& list) {
        row_group group{.title = title};
        for (auto const& one : list) {
            auto made = row_of(at(calls, {one.name, "time_ns"}));
            if (!made || made->value <= 0) continue;
            made->label = one.label;
            made->kind = one.kind;
            made->form = one.form;
            made->shown = time_text(made->value);
            made->tip = std::string{one.name} + ": median " + made->shown + ", " +
                        time_text(made->low) + " to " + time_text(made->high);
            group.rows.push_back(std::move(*made));
        }
        if (!group.rows.empty()) groups.push_back(std::move(group));
    };
    add("a success at once", successes);
    add("a failure", failures);
    if (groups.empty()) return;
    auto const* title = "What a call costs";
    to.push_back({title,
                  "Nanoseconds a call that does nothing else, beside the bare call and the loop "
                  "that one would "
                  "write by hand; a line reaches from the least to the most.",
                  draw_rows({.id = "calls",
                             .title = title,
                             .description = "Nanoseconds a call, on a logarithmic axis.",
                             .unit = "ns a call (logarithmic)",
                             .least = 1,
                             .most = 100,
                             .legend = {{"recoup", "first", shape::circle},
                                        {"by hand", "quiet", shape::square}},
                             .labels_width = 150},
                            groups)});
}

void add_peers(std::vector<figure>& to, json const& report) {
    std::vector<std::pair<std::pair<std::string, std::string>, row_group>>
        groups;  // by what and unit
    for (auto const& one : at(report, {"peers"})) {
        auto made = row_of(at(one, {"value"}));
        if (!made || made->value <= 0) continue;
        auto const name = text_of(at(one, {"name"}), "?");
        auto const version = text_of(at(one, {"version"}));
        auto const unit = text_of(at(one, {"unit"}));
        auto const& spread = at(one, {"spread"});
        made->low = number(at(spread, {"min"})).value_or(made->low);
        made->high = number(at(spread, {"max"})).value_or(made->high);
        auto const ours = name.rfind("recoup", 0) == 0;
        made->label = shortened(name + (version.empty() ? "" : " " + version), 25);
        made->shown = shown(made->value);
        made->tip = name + " " + version + ": " + made->shown + " " + unit;
        made->kind = ours ? "first" : "fourth";
        made->form = ours ? shape::circle : shape::diamond;
        auto const key = std::pair{text_of(at(one, {"what"})), unit};
        auto found = std::find_if(groups.begin(), groups.end(),
                                  [&](auto const& seen) { return seen.first == key; });
        if (found == groups.end())
            found = groups.insert(
                found, {key, {.title = shortened(key.first + ", " + key.second, 60), .rows = {}}});
        found->second.rows.push_back(std::move(*made));
    }
    auto count = 0;
    for (auto const& [key, group] : groups) {
        auto least = 1e300;
        for (auto const& one : group.rows) least = std::min({least, one.value, one.low});
        if (least <= 0) least = 1e-3;
        auto const title = "Beside its peers: " + key.first;
        auto rows = group;
        rows.title.clear();
        to.push_back({title, "In " + key.second + "; a line reaches from the least to the most.",
                      draw_rows({.id = "peers-" + std::to_string(++count),
                                 .title = title,
                                 .description = key.second + ", on a logarithmic axis.",
                                 .unit = shortened(key.second, 30) + " (logarithmic)",
                                 .least = std::pow(10, std::floor(std::log10(least))),
                                 .legend = {{"recoup", "first", shape::circle},
                                            {"others", "fourth", shape::diamond}},
                                 .labels_width = 164},
                                {rows})});
    }
}

}  // namespace

std::vector<figure> plots(json const& report) {
    std::vector<figure> made;
    add_overhead(made, report);
    add_success(made, report);
    add_calls(made, report);
    add_latency(made, report);
    add_throughput(made, report);
    add_peers(made, report);
    return made;
}

}  // namespace bench::report_page
