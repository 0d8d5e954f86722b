// SPDX-License-Identifier: BSL-1.0
#include "report/documentation.hpp"
#include "report/page.hpp"
#include "report/readme.hpp"
#include "report/text.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using namespace bench::report_page;

std::string read(std::string const& path) {
    std::ifstream file{RECOUP_SOURCE_DIR "/" + path};
    REQUIRE(file);
    return {std::istreambuf_iterator<char>{file}, {}};
}

json committed() { return json::parse(read("docs/report.json")); }
std::string documentation() { return read("docs/report.md"); }

bool says(std::vector<std::string> const& lines, std::string const& line) {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
}

/// `report` with the field that `path` leads to under another name.
json renamed(json report, std::vector<std::string> path, std::string const& to) {
    auto* at = &report;
    auto const last = path.back();
    path.pop_back();
    for (auto const& part : path) at = part == "[]" ? &at->at(0) : &at->at(part);
    auto value = at->at(last);
    at->erase(last);
    (*at)[to] = value;
    return report;
}

std::string joined(std::vector<std::string> const& path) {
    std::string made;
    for (auto const& part : path) made += part == "[]" ? part : (made.empty() ? "" : ".") + part;
    return made;
}

}  // namespace

TEST_CASE("a field of a report that is renamed is told of twice: as unknown, and as not there") {
    for (auto const& path : std::vector<std::vector<std::string>>{
             {"schema_version"},
             {"report_timestamp"},
             {"machine", "compiler"},
             {"requirements", "max_overhead_percent"},
             {"test_summary", "average_overhead_percent"},
             {"requirements_validation", "memory_requirement_met"},
             {"requirements_validation", "margins", "overhead", "worst"},
             {"requirements_validation", "gates", "[]", "wanted"},
             {"series", "overhead"},
             {"series", "overhead", "[]", "durability"},
             {"series", "latency", "[]", "percentiles", "[]", "time_ns"},
             {"series", "success", "[]", "arithmetic_maximum_percent"},
             {"series", "throughput", "[]", "bound_ops_per_second"},
             {"detailed_results", "load_testing"},
             {"detailed_results", "recovery_success", "everything_fails"},
             {"overall_assessment", "status"}}) {
        INFO(joined(path));
        auto other = path;
        other.back() = "renamed";
        auto const found = differences(renamed(committed(), path, "renamed"), documentation());
        CHECK(says(found, joined(other) + " is not documented"));
        CHECK(says(found, joined(path) + " is documented, and not there"));
    }
}

TEST_CASE("a figure of a report whose type is another than documented is told of") {
    auto report = committed();
    report["machine"]["processors"] = "two";
    report["series"]["overhead"][0]["overhead_percent"] = 3.0;
    auto const found = differences(report, documentation());
    CHECK(found ==
          std::vector<std::string>{"machine.processors is documented as: number",
                                   "series.overhead[].overhead_percent is documented as: spread"});
}

TEST_CASE("a report of some sections lacks those of the others, and no more") {
    auto report = committed();
    report["machine"]["complete"] = false;
    report["detailed_results"].erase("load_testing");
    report["series"].erase("latency");
    CHECK(differences(report, documentation()).empty());
    report["machine"].erase("processor");
    CHECK(differences(report, documentation()) ==
          std::vector<std::string>{"machine.processor is documented, and not there"});
}

TEST_CASE("documentation without fields does not agree with a report") {
    CHECK_FALSE(differences(committed(), "# nothing\n").empty());
    CHECK_FALSE(differences(json::object(), documentation()).empty());
}

TEST_CASE("the page of any report loads nothing, and nothing of it becomes a tag") {
    for (auto const* path :
         {"docs/report.json", "tests/report/hostile.json", "tests/report/empty.json"}) {
        INFO(path);
        auto const made = page(json::parse(read(path)));
        for (auto const* never : {"<script", "<img", "<link", "<a ", "url(", "@import",
                                  "http:", "https:", "NaN", "\"inf", "\"nan", "href="})
            CHECK(made.find(never) == std::string::npos);
        CHECK(made.find("default-src 'none'") != std::string::npos);
    }
}

TEST_CASE("what is no report is drawn as an empty one") {
    for (auto const* text : {"null", "[]", "7", "\"text\"", "{\"series\":[1],\"machine\":null}"}) {
        INFO(text);
        CHECK(page(json::parse(text)).find("<figure") == std::string::npos);
    }
}

TEST_CASE("a report nested a thousand deep is drawn to its limit") {
    auto report = json::object();
    for (auto i = 0; i != 1'000; ++i) report = json{{"a", std::move(report)}};
    auto const made = page(json{{"detailed_results", report}});
    CHECK(made.find("…</td>") != std::string::npos);
    CHECK_FALSE(differences(report, documentation()).empty());
}

TEST_CASE("peers in a report are drawn beside one another, by what they did") {
    auto report = json::object();
    CHECK(page(report).find("Beside its peers") == std::string::npos);
    report["peers"] = {{{"name", "tenacity"},
                        {"version", "9"},
                        {"what", "success at once"},
                        {"unit", "ns a call"},
                        {"value", 4600},
                        {"spread", {{"min", 4400}, {"max", 5200}}}}};
    auto const made = page(report);
    CHECK(made.find("Beside its peers: success at once") != std::string::npos);
    CHECK(made.find("tenacity 9: 4,600 ns a call") != std::string::npos);
}

TEST_CASE("a missed requirement is the first that the page says") {
    auto report = committed();
    for (auto const* field : {"overhead_requirement_met", "recovery_success_requirement_met",
                              "recovery_time_requirement_met", "memory_requirement_met"})
        report["requirements_validation"][field] = true;
    report["overall_assessment"]["gates_missed"] = json::array();
    CHECK(page(report).find("✓ All 4 requirements met") != std::string::npos);
    report["overall_assessment"]["gates_missed"] = {"load: 20 users"};
    CHECK(page(report).find("✗ All 4 requirements met, but 1 other gate missed") !=
          std::string::npos);
    report["requirements_validation"]["memory_requirement_met"] = false;
    CHECK(page(report).find("✗ 1 of the 4 requirements missed") != std::string::npos);
    report["requirements_validation"]["memory_requirement_met"] = nullptr;
    CHECK(page(report).find("? 3 of the 4 requirements met, the others not decided") !=
          std::string::npos);
}

TEST_CASE("the table of figures goes between its markers and nowhere else") {
    std::string const readme =
        "# a\n<!-- figures: begin (by a command) -->\nold\n<!-- figures: end -->\nb\n";
    auto const made = with_figures(readme, "new\n");
    CHECK(made == "# a\n<!-- figures: begin (by a command) -->\nnew\n<!-- figures: end -->\nb\n");
    CHECK(with_figures(made, "new\n") == made);
    CHECK_THROWS(with_figures("# a\n", "new\n"));
    CHECK_THROWS(with_figures(readme + readme, "new\n"));
    CHECK_THROWS(with_figures("<!-- figures: end -->\n<!-- figures: begin -->\n", "new\n"));
}

TEST_CASE("a table of figures is refused where one of them was not measured, by its name") {
    auto report = committed();
    CHECK_NOTHROW(figures_table(report));
    report["detailed_results"]["call"].erase("call/reply/recoup");
    std::string said;
    try {
        figures_table(report);
    } catch (std::exception const& caught) {
        said = caught.what();
    }
    CHECK(said ==
          "the report has no figure call/reply/recoup.time_ns.median; one of a run of all sections "
          "is needed");
}

TEST_CASE("figures are shown with three digits that count") {
    CHECK(shown(0) == "0");
    CHECK(shown(5) == "5");
    CHECK(shown(1.5678) == "1.57");
    CHECK(shown(0.012345) == "0.0123");
    CHECK(shown(-4.5) == "−4.5");
    CHECK(shown(99.757) == "99.76");
    CHECK(shown(1234567) == "1,234,567");
    CHECK(shown(123) == "123");
    CHECK(signed_text(0.5) == "+0.5");
    CHECK(time_text(1'500'000) == "1.5 ms");
    CHECK(tick_text(1e18) == "1e+18");
    CHECK(escaped("<a href=\"x\">&'\x01") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39; ");
    CHECK(shortened("äöü", 3) == "äöü");
    CHECK(shortened("äöüß", 3) == "äö…");
}
