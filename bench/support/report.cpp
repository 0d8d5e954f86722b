// SPDX-License-Identifier: BSL-1.0
#include "support/report.hpp"

#include "support/machine.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <numeric>
#include <string>

namespace bench {

namespace {

using json = nlohmann::ordered_json;

/// Raised when a field of report.json is renamed, removed or means something else (docs/report.md).
constexpr auto schema_version = 2;

json to_json_value(figures::value const& what) {
    return std::visit(
        [](auto const& held) -> json {
            using type = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<type, spread>)
                return {{"median", held.median},
                        {"min", held.least},
                        {"max", held.greatest},
                        {"samples", held.samples}};
            else
                return held;
        },
        what);
}

json to_json(figures const& tree) {
    auto object = json::object();
    for (auto const& [name, value] : tree.leaves()) object[name] = to_json_value(value);
    for (auto const& [name, branch] : tree.branches()) object[name] = to_json(branch);
    for (auto const& [name, items] : tree.lists()) {
        auto& list = object[name] = json::array();
        for (auto const& item : items) list.push_back(to_json(item));
    }
    return object;
}

std::string now_text() {
    auto const now = std::time(nullptr);
    std::tm split{};
    gmtime_r(&now, &split);
    char buffer[32];
    std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S+00:00", &split);
    return buffer;
}

json as_json(finding found) {
    if (found == finding::too_noisy_to_tell) return nullptr;
    return found == finding::met;
}

/// Returns: null where it was not measured, or where noise hides it.
json met(report const& what, requirement which) {
    json found;
    for (auto const& one : what.verdicts) {
        if (one.of != which) continue;
        if (one.found == finding::missed) return false;
        if (one.found == finding::too_noisy_to_tell) return nullptr;
        found = true;
    }
    return found;
}

/// The worst figure that was judged by a requirement of the original, and how far it is from the bound.
struct judged_by {
    char const* name;
    requirement which;
    char const* unit;
    double bound;
    bool at_least;
};
constexpr judged_by originals[] = {
    {"overhead", requirement::overhead, "%", 5, false},
    {"success", requirement::success, "%", 90, true},
    {"recovery_time", requirement::recovery_time, "ms", 500, false},
    {"memory", requirement::memory, "MB", 5, false},
};

/// Returns: null where nothing was judged by it.
verdict const* worst_of(report const& what, judged_by const& one) {
    verdict const* worst = nullptr;
    for (auto const& seen : what.verdicts) {
        if (seen.of != one.which || !seen.figure) continue;
        auto const worse = worst == nullptr || (one.at_least ? *seen.figure < *worst->figure
                                                             : *seen.figure > *worst->figure);
        if (worse) worst = &seen;
    }
    return worst;
}

double margin(double figure, judged_by const& one) {
    return one.at_least ? figure - one.bound : one.bound - figure;
}

json margins(report const& what) {
    auto made = json::object();
    for (auto const& one : originals) {
        auto const* worst = worst_of(what, one);
        if (worst == nullptr) continue;
        made[one.name] = {{"worst", *worst->figure},    {"worst_of", worst->name},
                          {"bound", one.bound},         {"at_least", one.at_least},
                          {"unit", one.unit},           {"margin", margin(*worst->figure, one)},
                          {"met", met(what, one.which)}};
    }
    return made;
}

json summary(report const& what) {
    auto const total = what.verdicts.size();
    auto const passed = static_cast<std::size_t>(
        std::count_if(what.verdicts.begin(), what.verdicts.end(),
                      [](auto& one) { return one.found == finding::met; }));
    auto const noisy = static_cast<std::size_t>(
        std::count_if(what.verdicts.begin(), what.verdicts.end(),
                      [](auto& one) { return one.found == finding::too_noisy_to_tell; }));
    auto const& overheads = what.overheads_percent;
    json made = {
        {"total_tests", total},
        {"passed_tests", passed},
        {"skipped_tests", what.skips.size()},
        {"undecided_tests", noisy},
        {"failed_tests", total - passed - noisy},
        {"pass_rate_percent",
         total == 0 ? 0.0 : 100.0 * static_cast<double>(passed) / static_cast<double>(total)}};
    if (!overheads.empty()) {
        made["average_overhead_percent"] =
            std::accumulate(overheads.begin(), overheads.end(), 0.0) /
            static_cast<double>(overheads.size());
        made["maximum_overhead_percent"] = *std::max_element(overheads.begin(), overheads.end());
    }
    if (!met(what, requirement::success).is_null())
        made["recovery_success_rate_percent"] = what.success_rate_percent;
    made["duration_seconds"] = what.seconds;
    return made;
}

json validation(report const& what) {
    json made;
    auto const add = [&](char const* name, requirement which) { made[name] = met(what, which); };
    add("overhead_requirement_met", requirement::overhead);
    add("recovery_success_requirement_met", requirement::success);
    add("recovery_time_requirement_met", requirement::recovery_time);
    add("memory_requirement_met", requirement::memory);
    made["all_requirements_met"] =
        std::all_of(made.begin(), made.end(), [](json const& one) { return one == true; });
    made["margins"] = margins(what);
    auto& gates = made["gates"] = json::array();
    for (auto const& one : what.verdicts) {
        gates.push_back({{"name", one.name},
                         {"measured", one.measured},
                         {"wanted", one.wanted},
                         {"met", as_json(one.found)},
                         {"decides", one.of != requirement::goal}});
        if (!one.missed_by.empty()) gates.back()["missed_by"] = one.missed_by;
    }
    auto& skips = made["skipped"] = json::array();
    for (auto const& one : what.skips) skips.push_back({{"name", one.name}, {"why", one.why}});
    return made;
}

json assessment(report const& what) {
    auto gates = json::array();
    auto goals = json::array();
    for (auto const& one : what.verdicts) {
        if (one.found != finding::missed) continue;
        auto& missed = one.of == requirement::goal ? goals : gates;
        auto line = one.name + ": " + one.measured + ", wanted " + one.wanted;
        if (!one.missed_by.empty()) line += ", missed by " + one.missed_by;
        missed.push_back(std::move(line));
    }
    return {{"status", gates.empty() ? "SUCCESS" : "FAILURE"},
            {"gates_missed", gates},
            {"goals_missed", goals}};
}

// Counts what is shown, not the bytes of it.
std::size_t width_of(std::string const& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char one) {
        return (static_cast<unsigned char>(one) & 0xC0U) != 0x80U;
    }));
}

std::string padded(std::string text, std::size_t width) {
    auto const shown = width_of(text);
    if (shown < width) text.append(width - shown, ' ');
    return text;
}

}  // namespace

figures& figures::set(std::string const& name, value const& what) {
    leaves_.emplace_back(name, what);
    return *this;
}

figures& figures::set(std::string const& name, char const* what) {
    return set(name, value{std::string{what}});
}

figures& figures::at(std::string const& name) {
    return branches_.emplace_back(name, figures{}).second;
}

figures& figures::add(std::string const& list) {
    for (auto& [name, items] : lists_)
        if (name == list) return items.emplace_back();
    return lists_.emplace_back(list, std::deque<figures>{}).second.emplace_back();
}

std::string text(double value, char const* unit, int digits) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.*f %s", digits, value, unit);
    return buffer;
}

std::string text(spread const& values, char const* unit, int digits) {
    char buffer[128];
    std::snprintf(buffer, sizeof buffer, "%.*f (%.*f … %.*f) %s", digits, values.median, digits,
                  values.least, digits, values.greatest, unit);
    return buffer;
}

void print_table(report const& what) {
    std::size_t name = 4;
    std::size_t measured = 8;
    std::size_t wanted = 6;
    for (auto const& one : what.verdicts) {
        name = std::max(name, width_of(one.name));
        measured = std::max(measured, width_of(one.measured));
        wanted = std::max(wanted, width_of(one.wanted));
    }
    auto const line = [&](std::string const& first, std::string const& second,
                          std::string const& third, std::string const& last) {
        std::printf("%s  %s  %s  %s\n", padded(first, name).c_str(),
                    padded(second, measured).c_str(), padded(third, wanted).c_str(), last.c_str());
    };
    line("gate", "measured", "wanted", "");
    for (auto const& one : what.verdicts) {
        auto said =
            std::string{one.found == finding::met                 ? "met"
                        : one.found == finding::too_noisy_to_tell ? "too noisy to tell; above it"
                        : one.of == requirement::goal             ? "goal missed"
                                                                  : "MISSED"};
        if (!one.missed_by.empty()) said += " by " + one.missed_by;
        line(one.name, one.measured, one.wanted, said);
    }
    for (auto const& one : what.skips) line(one.name, one.why, "", "SKIPPED");
}

void print_requirements(report const& what) {
    auto const line = [](std::string const& name, std::string const& worst,
                         std::string const& wanted, std::string const& said) {
        std::printf("%s%s%s%s\n", padded(name, 15).c_str(), padded(worst, 12).c_str(),
                    padded(wanted, 12).c_str(), said.c_str());
    };
    std::puts("");
    line("requirement", "worst", "wanted", "");
    for (auto const& one : originals) {
        auto name = std::string{one.name};
        std::replace(name.begin(), name.end(), '_', ' ');
        auto const wanted = (one.at_least ? "≥ " : "≤ ") + text(one.bound, one.unit, 0);
        auto const* worst = worst_of(what, one);
        if (worst == nullptr) {
            line(name, "-", wanted, "not measured");
            continue;
        }
        auto const found = met(what, one.which);
        auto const spare = margin(*worst->figure, one);
        auto const* unit = std::strcmp(one.unit, "%") == 0 ? "points" : one.unit;
        line(name, text(*worst->figure, one.unit), wanted,
             std::string{found.is_null() ? "too noisy to tell"
                         : found == true ? "met"
                                         : "MISSED"} +
                 ", " + text(std::abs(spare), unit) + (spare >= 0 ? " to spare" : " beyond") +
                 " (" + worst->name + ")");
    }
}

bool write_json(report const& what, std::string const& path) {
    json whole;
    whole["schema_version"] = schema_version;
    whole["report_timestamp"] = now_text();
    whole["machine"] = to_json(what.machine);
    whole["requirements"] = to_json(what.requirements);
    whole["test_summary"] = summary(what);
    whole["requirements_validation"] = validation(what);
    whole["series"] = to_json(what.series);
    whole["detailed_results"] = to_json(what.details);
    whole["overall_assessment"] = assessment(what);
    std::ofstream file{path};
    file << whole.dump(2) << '\n';
    file.close();
    return !file.fail();
}

}  // namespace bench
