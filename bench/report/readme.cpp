// SPDX-License-Identifier: BSL-1.0
#include "report/readme.hpp"

#include "report/text.hpp"

#include <cstddef>
#include <stdexcept>
#include <string_view>

namespace bench::report_page {

namespace {

constexpr std::string_view begin_marker = "<!-- figures: begin";
constexpr std::string_view end_marker = "<!-- figures: end -->";

double needed(json const& from, std::initializer_list<char const*> path) {
    if (auto const found = number(at(from, path))) return *found;
    std::string name;
    for (auto const* one : path) name += (name.empty() ? "" : ".") + std::string{one};
    throw std::runtime_error{"the report has no figure " + name +
                             "; one of a run of all sections is needed"};
}

std::string spread_text(json const& value, char const* unit) {
    return shown(needed(value, {"median"})) + " (" + shown(needed(value, {"min"})) + " … " +
           shown(needed(value, {"max"})) + ") " + unit;
}

std::string half_text(json const& point, std::string const& name, char const* unit) {
    return signed_text(needed(point, {name.c_str(), "median"})) + " (" +
           signed_text(needed(point, {(name + "_quarter_below").c_str()})) + " … " +
           signed_text(needed(point, {(name + "_quarter_above").c_str()})) + ") " + unit;
}

json const& overhead_point(json const& report, double operation, std::string_view name) {
    for (auto const& one : at(report, {"series", "overhead"}))
        if (number(at(one, {"operation_ns"})) == operation && text_of(at(one, {"name"})) == name)
            return one;
    throw std::runtime_error{"the report has no series.overhead of " + std::string{name}};
}

std::string row(std::string const& what, std::string const& measured, std::string const& wanted) {
    // What a report holds must not end a cell.
    auto const cell = [](std::string text) {
        for (std::size_t i = 0; (i = text.find('|', i)) != std::string::npos; i += 2)
            text.insert(i, "\\");
        return text;
    };
    return "| " + cell(what) + " | " + cell(measured) + " | " + cell(wanted) + " |\n";
}

}  // namespace

std::string figures_table(json const& report) {
    auto const& details = at(report, {"detailed_results"});
    auto const& machine = at(report, {"machine"});
    auto const& margins = at(report, {"requirements_validation", "margins"});
    std::string made = "| what | measured | wanted |\n|---|---|---|\n";
    struct requirement_row {
        char const* key;
        char const* what;
        char const* sign;
    };
    for (auto const& one :
         {requirement_row{"overhead", "**overhead** on 1 ms", "≤"},
          requirement_row{"success", "**success**", "≥"},
          requirement_row{"recovery_time", "**recovery time** after `SIGKILL`", "<"},
          requirement_row{"memory", "**memory** added", "<"}}) {
        auto const unit = text_of(at(margins, {one.key, "unit"}));
        made += row(
            std::string{one.what} + ", the worst of its gates (" +
                text_of(at(margins, {one.key, "worst_of"})) + ")",
            shown(needed(margins, {one.key, "worst"})) + " " + unit,
            std::string{one.sign} + " " + shown(needed(margins, {one.key, "bound"})) + " " + unit);
    }
    made += row("retry, breaker and deadline around 1 ms of work",
                half_text(at(details, {"decorator_overhead", "contenders", "decorated"}),
                          "overhead_percent", "%"),
                "≤ 5 %");
    made += row("a new process goes on at the checkpoint of one that was killed, `sqlite_store`",
                spread_text(at(details, {"recovery_time", "persist_when_start", "time_ms"}), "ms"),
                "≤ 10 ms");
    for (auto const& one : at(report, {"series", "success"}))
        if (needed(one, {"max_attempts"}) == 3 || needed(one, {"max_attempts"}) == 5)
            made += row(
                "30 % of attempts fail, " + shown(needed(one, {"max_attempts"})) +
                    " attempts: operations that succeed",
                shown(needed(one, {"success_rate_percent"})) + " % of " +
                    shown(needed(one, {"operations"})),
                "at most possible: " + shown(needed(one, {"arithmetic_maximum_percent"})) + " %");
    auto const& call = at(details, {"call"});
    auto const call_row = [&](char const* what, char const* name, char const* wanted) {
        needed(call, {name, "time_ns", "median"});
        made += row(what, spread_text(at(call, {name, "time_ns"}), "ns"), wanted);
    };
    call_row("a call that succeeds, bare", "call/reply/bare", "");
    call_row("… in a loop written by hand", "call/reply/hand_written", "");
    call_row("… with `retry`", "call/reply/recoup", "≤ 1 ns above the loop");
    call_row("… and a closed `circuit_breaker`", "call/reply/recoup_breaker", "≤ 5 ns more");
    call_row("… deadline, breaker, metrics and alerts", "call/reply/recoup_everything",
             "≤ 60 ns above bare");
    call_row("a call rejected by an open breaker", "call/rejected/recoup_breaker", "≤ 12 ns");
    struct overhead_row {
        char const* what;
        double operation;
        char const* name;
        char const* wanted;
    };
    for (auto const& one :
         {overhead_row{"intent and completion recorded in `journal_store`, on 1 µs", 1e3,
                       "journal, process_crash, start", "≤ 5 %"},
          overhead_row{"… on 20 µs", 2e4, "journal, process_crash, start", "≤ 0.5 %"},
          overhead_row{"… on 1 ms", 1e6, "journal, process_crash, start", "≤ 5 %"},
          overhead_row{"… in `sqlite_store` behind `write_behind`, on 1 ms", 1e6,
                       "sqlite behind write_behind, start", "≤ 0.5 %"},
          overhead_row{"… synced to `sqlite_store` before the call goes on, on 1 ms", 1e6,
                       "sqlite, power_loss, start", ""}})
        made +=
            row(one.what,
                half_text(overhead_point(report, one.operation, one.name), "overhead_percent", "%"),
                one.wanted);
    auto const& durable = at(details, {"durability"});
    made += row("50 durable operations of 10 steps in flight, `power_loss`: steps",
                spread_text(at(durable,
                               {"in_flight_50_of_10_steps", "power_loss", "recoup_steps_a_second"}),
                            "a second"),
                "≥ half of the commits alone: " +
                    shown(needed(durable, {"in_flight_50_of_10_steps", "power_loss",
                                           "floor_steps_a_second", "median"})));
    made += "\nMedian (least … most); of overheads, half of the rounds lie between. " +
            text_of(at(machine, {"compiler"})) + ", " + text_of(at(machine, {"compiler_flags"})) +
            ", " + shown(needed(machine, {"processors"})) + " × " +
            text_of(at(machine, {"processor"})) + ", " + text_of(at(machine, {"system"})) +
            ", SQLite " + text_of(at(machine, {"sqlite_version"})) + ", " +
            text_of(at(report, {"report_timestamp"})).substr(0, 10) +
            (at(machine, {"quick"}) == true ? "; a quick run, with few samples" : "") +
            (at(machine, {"noisy"}) == true ? "; others were at work on the machine" : "") + ".\n";
    return made;
}

std::string with_figures(std::string const& readme, std::string const& table) {
    auto const begin = readme.find(begin_marker);
    auto const end = readme.find(end_marker);
    auto const line_end = begin == std::string::npos ? begin : readme.find('\n', begin);
    if (line_end == std::string::npos || end == std::string::npos || end < line_end ||
        readme.find(begin_marker, begin + 1) != std::string::npos ||
        readme.find(end_marker, end + 1) != std::string::npos)
        throw std::runtime_error{"there must be one pair of markers, " + std::string{begin_marker} +
                                 " … --> and " + std::string{end_marker}};
    return readme.substr(0, line_end + 1) + table + readme.substr(end);
}

}  // namespace bench::report_page
