// SPDX-License-Identifier: BSL-1.0
// The dashboard asks for what is exported, and for nothing else.
#include <recoup/observe/prometheus.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "exposition.hpp"
#include "prometheus_support.hpp"
#include "promtool.hpp"
#include "support/catch.hpp"

#include <prometheus/text_serializer.h>

using namespace prometheus_test;

namespace {

nlohmann::json dashboard() {
    std::ifstream file{RECOUP_DASHBOARD};
    REQUIRE(file);
    return nlohmann::json::parse(file);
}

struct query {
    std::string title;  ///< of the panel
    std::string expression;
    std::string legend;
};

std::vector<query> queries() {
    std::vector<query> all;
    auto const whole = dashboard();
    for (auto const& panel : whole["panels"])
        for (auto const& target : panel["targets"])
            all.push_back({panel["title"], target["expr"], target["legendFormat"]});
    return all;
}

std::vector<family> exported() {
    busy_program const program;
    return read_exposition(prometheus::TextSerializer{}.Serialize(
        recoup::prometheus_collectable{program.counted}.Collect()));
}

/// What each series is called: its labels, and the values that these have.
std::map<std::string, std::map<std::string, std::set<std::string>>> names_and_labels() {
    std::map<std::string, std::map<std::string, std::set<std::string>>> all;
    for (auto const& one : exported())
        for (auto const& it : one.samples)
            for (auto& labels = all[it.name]; auto const& [label, value] : it.labels)
                labels[label].insert(value);
    return all;
}

/// All that `pattern` finds in a text, with its groups.
std::vector<std::vector<std::string>> find_all(std::string const& text, char const* pattern) {
    std::regex const wanted{pattern};
    std::vector<std::vector<std::string>> all;
    for (std::sregex_iterator one{text.begin(), text.end(), wanted}, end; one != end; ++one)
        all.emplace_back(one->begin(), one->end());
    return all;
}

void replace_all(std::string& text, std::string const& from, std::string const& to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

/// As Grafana sends it.
std::string filled_in(std::string expression) {
    replace_all(expression, "$__rate_interval", "5m");
    replace_all(expression, "$__range", "10m");
    replace_all(expression, "$job", ".*");
    replace_all(expression, "$watch", ".*");
    return expression;
}

}  // namespace

TEST_CASE("each metric, label and value that the dashboard asks for is exported", "[prometheus]") {
    auto const there = names_and_labels();
    std::set<std::string> const from_the_server{"job", "instance"};
    auto asked = std::size_t{0};
    for (auto const& one : queries()) {
        INFO(one.title << ": " << one.expression);
        std::set<std::string> labels{from_the_server};
        std::set<std::string> series;
        for (auto const& found : find_all(one.expression, R"(\b(recoup_\w+)(\{[^}]*\})?)")) {
            ++asked;
            auto const known = there.find(found[1]);
            INFO(found[1]);
            CHECK(known != there.end());
            if (known == there.end()) continue;
            series.insert(found[1]);
            for (auto const& [label, values] : known->second) labels.insert(label);
            for (auto const& matcher : find_all(found[2], R"re((\w+)(=~|!~|!=|=)"([^"]*)")re")) {
                auto const& label = matcher[1];
                INFO(label);
                if (from_the_server.contains(label)) continue;
                REQUIRE(known->second.contains(label));
                auto const& values = known->second.at(label);
                if (matcher[3].starts_with('$')) continue;  // what the user chooses
                for (auto const& value : find_all(matcher[3], R"(\w+)"))
                    CHECK(values.contains(value[0]));
            }
        }
        CHECK(!series.empty());
        for (auto const& grouping : find_all(one.expression, R"(\bby \(([^)]*)\))"))
            for (auto const& label : find_all(grouping[1], R"(\w+)")) {
                INFO(label[0]);
                CHECK(labels.contains(label[0]));
            }
        for (auto const& label : find_all(one.legend, R"(\{\{(\w+)\}\})")) {
            INFO(one.legend);
            CHECK(labels.contains(label[1]));
        }
    }
    CHECK(asked >= 40);  // a pattern that finds nothing passes everything

    // What its variables are drawn from.
    auto variables = 0;
    auto const whole = dashboard();
    for (auto const& one : whole["templating"]["list"]) {
        if (one["type"] != "query") continue;
        ++variables;
        std::string const text = one["query"]["query"];
        INFO(text);
        std::smatch parts;
        REQUIRE(
            std::regex_match(text, parts, std::regex{R"(label_values\((\w+)(\{.*\})?, (\w+)\))"}));
        REQUIRE(there.contains(parts[1]));
        CHECK((from_the_server.contains(parts[3]) || there.at(parts[1]).contains(parts[3])));
    }
    CHECK(variables == 2);
}

TEST_CASE("each metric that is exported is on the dashboard, or is known not to be",
          "[prometheus]") {
    // How alerts are limited is for their rule, not for a panel.
    std::set<std::string> const left_out{"recoup_alerts_put_off_total"};
    std::string all;
    for (auto const& one : queries()) all += one.expression + '\n';
    for (auto const& one : exported()) {
        INFO(one.name);
        auto const asked = all.find(one.name) != std::string::npos;
        CHECK(asked != left_out.contains(one.name));
    }
}

TEST_CASE("promtool can read each expression of the dashboard, and each shows something",
          "[prometheus]") {
    if (!has_promtool()) return;
    // Counters grow from zero by what was counted in each minute, gauges stay: what the server would have
    // after eleven scrapes.
    auto series = nlohmann::json::array();
    for (auto const& one : exported())
        for (auto it : one.samples) {
            it.labels["job"] = "test";
            if (!std::isfinite(it.value)) continue;
            auto text = nlohmann::json(it.value).dump();
            series.push_back(
                {{"series", it.series()},
                 {"values", one.type == "gauge" ? text + "+0x10" : "0+" + text + "x10"}});
        }
    auto checks = nlohmann::json::array();
    for (auto const& one : queries())
        checks.push_back({{"expr", "count(" + filled_in(one.expression) + ") > bool 0"},
                          {"eval_time", "10m"},
                          {"exp_samples", {{{"labels", "{}"}, {"value", 1}}}}});
    nlohmann::json const rules{
        {"evaluation_interval", "1m"},
        {"tests", {{{"interval", "1m"}, {"input_series", series}, {"promql_expr_test", checks}}}}};
    auto const checked = promtool("test rules {}", rules.dump());
    INFO(checked.text);
    CHECK(checked.code == 0);
}
