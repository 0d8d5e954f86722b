// SPDX-License-Identifier: BSL-1.0
#include "report/page.hpp"

#include "report/plots.hpp"
#include "report/style.hpp"
#include "report/svg.hpp"
#include "report/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace bench::report_page {

namespace {

struct requirement_card {
    char const* key;
    char const* field;
    char const* name;
};
constexpr requirement_card cards[] = {
    {"overhead", "overhead_requirement_met", "Overhead"},
    {"success", "recovery_success_requirement_met", "Recovery success"},
    {"recovery_time", "recovery_time_requirement_met", "Recovery time"},
    {"memory", "memory_requirement_met", "Memory"},
};

/// Yes, no, or not known.
std::optional<bool> answer(json const& value) {
    if (!value.is_boolean()) return std::nullopt;
    return value.get<bool>();
}

std::string chip(std::optional<bool> met, char const* no = "✗ missed") {
    auto const* kind = met ? (*met ? "met" : "missed") : "unknown";
    auto const* said = met ? (*met ? "✓ met" : no) : "? not decided";
    return std::string{"<span class=\"chip "} + kind + "\">" + said + "</span>";
}

/// How much of what is allowed is used.
std::string gauge(std::string const& id, double worst, double bound, bool at_least, bool met) {
    constexpr double width = 240;
    svg drawn{width, 24};
    // What must be at least so much lies on a scale to 100; what may be at most so much, on one to a quarter
    // more than that.
    axis const along{.least = 0,
                     .greatest = at_least ? 100 : std::max(bound * 1.25, 1e-9),
                     .from = 0,
                     .to = width};
    auto const end = along(std::max(worst, 0.0));
    drawn.bar(0, 8, width, 10, "ground", "");
    drawn.bar(0, 8, std::max(end, 2.0), 10, met ? "good" : "bad", shown(worst));
    auto const limit = along(bound);
    drawn.line(limit, 2, limit, 23, "bound");
    auto made = drawn.finish("gauge-" + id, "How much of the bound is used",
                             shown(worst) + " beside the bound of " + shown(bound));
    return made.replace(0, 4, "<svg class=\"gauge\"");
}

std::string card(requirement_card const& which, json const& validation) {
    auto const& margin = at(validation, {"margins", which.key});
    auto const met = answer(at(validation, {which.field}));
    auto made =
        std::string{"<section class=\"card\"><h3>"} + which.name + " " + chip(met) + "</h3>";
    auto const worst = number(at(margin, {"worst"}));
    auto const bound = number(at(margin, {"bound"}));
    if (!worst || !bound)
        return made + "<p class=\"big\">–</p><small>not measured in this run</small></section>\n";
    auto const at_least = answer(at(margin, {"at_least"})).value_or(false);
    auto const unit = escaped(text_of(at(margin, {"unit"})));
    made += "<p class=\"big\">" + shown(*worst) + " " + unit + "</p>";
    made += gauge(which.key, *worst, *bound, at_least, met.value_or(false));
    made += "<p>" + std::string{at_least ? "at least " : "at most "} + shown(*bound) + " " + unit +
            " wanted; ";
    auto const inside = at_least ? *worst - *bound : *bound - *worst;
    made += "<strong>";
    if (!at_least && *worst > 0 && *bound / *worst >= 2)
        made += shown(*bound / *worst) + " times below";
    else
        made += shown(std::abs(inside)) + " " + (unit == "%" ? "points" : unit) +
                (inside >= 0 ? " to spare" : " beyond");
    made += "</strong></p><small>the worst of its gates: " +
            escaped(text_of(at(margin, {"worst_of"}))) + "</small></section>\n";
    return made;
}

std::string banner(json const& report) {
    auto const& validation = at(report, {"requirements_validation"});
    auto met = 0;
    auto missed = 0;
    for (auto const& one : cards) {
        auto const found = answer(at(validation, {one.field}));
        if (!found) continue;
        ++(*found ? met : missed);
    }
    auto gates_missed = at(report, {"overall_assessment", "gates_missed"}).size();
    std::string said;
    auto const* kind = "met";
    if (missed != 0) {
        kind = "missed";
        said = "✗ " + std::to_string(missed) + " of the 4 requirements missed";
    } else if (met != 4) {
        kind = "unknown";
        said = "? " + std::to_string(met) +
               " of the 4 requirements met, the others not decided in this run";
    } else if (gates_missed != 0) {
        kind = "missed";
        said = "✗ All 4 requirements met, but " + std::to_string(gates_missed) +
               (gates_missed == 1 ? " other gate" : " other gates") + " missed";
    } else {
        said = "✓ All 4 requirements met";
    }
    auto made = std::string{"<div class=\"banner "} + kind + "\" role=\"status\">" + said;
    auto const goals = at(report, {"overall_assessment", "goals_missed"}).size();
    made += "<p>" + std::to_string(gates_missed) + " gates and " + std::to_string(goals) +
            " goals missed of " +
            shown(number(at(report, {"test_summary", "total_tests"})).value_or(0)) + "; " +
            shown(number(at(report, {"test_summary", "undecided_tests"})).value_or(0)) +
            " too noisy to tell, " +
            shown(number(at(report, {"test_summary", "skipped_tests"})).value_or(0)) +
            " skipped.</p>";
    return made + "</div>\n";
}

std::string leaf_text(json const& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_null()) return "–";
    if (auto const found = number(value)) return shown(*found);
    return "–";
}

bool is_spread(json const& value) {
    return value.is_object() && value.contains("median") && value.contains("min") &&
           value.contains("max");
}

constexpr auto depth_max = 16;

void add_rows(std::string& to, std::string const& path, json const& value, int depth) {
    auto const row = [&](std::string const& said) {
        to += "<tr><td class=\"path\">" + escaped(path) + "</td><td>" + escaped(said) +
              "</td></tr>\n";
    };
    if (is_spread(value)) {
        row(leaf_text(value["median"]) + " (" + leaf_text(value["min"]) + " … " +
            leaf_text(value["max"]) + ")");
    } else if (value.is_object() || value.is_array()) {
        if (depth == depth_max) return row("…");
        auto number = 0;
        for (auto const& [name, inner] : value.items()) {
            auto const part = value.is_array() ? std::to_string(++number) : name;
            add_rows(to, path.empty() ? part : path + " › " + part, inner, depth + 1);
        }
    } else {
        row(leaf_text(value));
    }
}

std::string table(std::vector<char const*> const& heads, std::string const& rows) {
    auto made = std::string{"<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\""} +
                heads.front() + "\"><table><thead><tr>";
    for (auto const* one : heads) made += std::string{"<th scope=\"col\">"} + one + "</th>";
    return made + "</tr></thead><tbody>\n" + rows + "</tbody></table></div>\n";
}

std::string gates(json const& report) {
    std::string decide;
    std::string goals;
    for (auto const& one : at(report, {"requirements_validation", "gates"})) {
        auto const decides = answer(at(one, {"decides"})).value_or(true);
        auto said = escaped(text_of(at(one, {"measured"})));
        if (auto const by = text_of(at(one, {"missed_by"})); !by.empty())
            said += "; missed by " + escaped(by);
        (decides ? decide : goals) += "<tr><td>" + escaped(text_of(at(one, {"name"}))) +
                                      "</td><td>" + said + "</td><td>" +
                                      escaped(text_of(at(one, {"wanted"}))) + "</td><td>" +
                                      chip(answer(at(one, {"met"}))) + "</td></tr>\n";
    }
    std::string skipped;
    for (auto const& one : at(report, {"requirements_validation", "skipped"}))
        skipped += "<tr><td>" + escaped(text_of(at(one, {"name"}))) + "</td><td>" +
                   escaped(text_of(at(one, {"why"}))) + "</td></tr>\n";
    std::string made;
    if (!decide.empty())
        made += "<h2>Gates: these decide</h2><div class=\"panel\">" +
                table({"gate", "measured", "wanted", ""}, decide) + "</div>\n";
    if (!goals.empty())
        made +=
            "<h2>Goals: noise alone can miss them, and they do not decide</h2><div "
            "class=\"panel\">" +
            table({"goal", "measured", "wanted", ""}, goals) + "</div>\n";
    if (!skipped.empty())
        made += "<h2>What could not be measured here</h2><div class=\"panel\">" +
                table({"what", "why"}, skipped) + "</div>\n";
    return made;
}

}  // namespace

std::string page(json const& report) {
    auto const& machine = at(report, {"machine"});
    std::string made =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        // Nothing is loaded, and nothing runs, whatever a report holds.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        "<title>recoup: what it costs and what it cures</title>\n<style>";
    made += style;
    made += "</style>\n</head>\n<body>\n<main>\n<h1>recoup: what it costs and what it cures</h1>\n";
    made += "<p class=\"soft\">" + escaped(text_of(at(machine, {"library_version"}))) + " · " +
            escaped(text_of(at(machine, {"compiler"}))) + " · " +
            shown(number(at(machine, {"processors"})).value_or(0)) + " × " +
            escaped(text_of(at(machine, {"processor"}))) + " · " +
            escaped(text_of(at(report, {"report_timestamp"}))) +
            (answer(at(machine, {"quick"})).value_or(false) ? " · a quick run: few samples" : "") +
            "</p>\n";
    if (answer(at(machine, {"noisy"})).value_or(false))
        made +=
            "<p class=\"soft\">Others were at work on the machine: the figures are noisy.</p>\n";
    made += banner(report);
    made += "<div class=\"cards\">\n";
    for (auto const& one : cards) made += card(one, at(report, {"requirements_validation"}));
    made += "</div>\n";

    auto const drawn = plots(report);
    if (!drawn.empty()) {
        made += "<h2>To look at</h2>\n<div class=\"plots\">\n";
        for (auto const& one : drawn)
            made += "<figure><h3>" + escaped(one.title) + "</h3><figcaption>" + escaped(one.says) +
                    "</figcaption>\n" + one.picture + "</figure>\n";
        made += "</div>\n";
    }
    made += gates(report);

    std::string rows;
    add_rows(rows, {}, machine, 0);
    made += "<h2>Machine</h2><div class=\"panel\">" + table({"what", ""}, rows) + "</div>\n";
    made += "<h2>Every figure</h2><div class=\"panel\">\n";
    for (auto const* part :
         {"requirements", "test_summary", "series", "detailed_results", "peers"}) {
        if (at(report, {part}).empty()) continue;
        rows.clear();
        add_rows(rows, {}, at(report, {part}), 0);
        made += std::string{"<details><summary>"} + part + "</summary>" +
                table({"figure", "value: median (least … most)"}, rows) + "</details>\n";
    }
    return made + "</div>\n</main>\n</body>\n</html>\n";
}

}  // namespace bench::report_page
