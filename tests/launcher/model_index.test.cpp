// SPDX-License-Identifier: BSL-1.0
#include "launcher/model_index.hpp"

#include "launcher/errc.hpp"
#include "support/catch.hpp"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

using launcher::errc;
using launcher::model;
using launcher::plan_installation;
using launcher::read_index;
using nlohmann::json;

namespace {

std::string const digest = std::string(63, 'a') + "F";

json entry(std::string const& name) {
    return {{"name", name},
            {"folder", "checkpoints"},
            {"size", 12U},
            {"sha256", digest},
            {"mirrors", {"http://127.0.0.1/" + name}}};
}

json with(json entry, char const* member, json value) {
    entry[member] = std::move(value);
    return entry;
}

json without(json entry, char const* member) {
    entry.erase(member);
    return entry;
}

// Not a json: compilers differ in whether one in braces is a list of one.
json index_of(std::vector<json> const& entries) { return {{"version", 1}, {"models", entries}}; }

std::error_code problem_of(json const& index) {
    try {
        static_cast<void>(read_index(index, "test"));
    } catch (launcher::problem const& problem) {
        return problem.code();
    }
    return {};
}

std::error_code problem_of_plan(std::vector<std::string> const& names, json const& index) {
    try {
        static_cast<void>(plan_installation(names, read_index(index, "test")));
    } catch (launcher::problem const& problem) {
        return problem.code();
    }
    return {};
}

}  // namespace

TEST_CASE("an index says where a model belongs and how to know it", "[launcher]") {
    auto const index = read_index(index_of({entry("a.pt")}), "test");
    CHECK(index.at("a.pt") == model{.name = "a.pt",
                                    .target = "checkpoints/a.pt",
                                    .size = 12,
                                    .sha256 = std::string(63, 'a') + "f",
                                    .mirrors = {"http://127.0.0.1/a.pt"}});
    CHECK(read_index(index_of({without(entry("a.pt"), "folder")}), "test").at("a.pt").target ==
          "a.pt");
}

TEST_CASE("an index that is not one is refused", "[launcher]") {
    json const good = entry("a.pt");
    for (json const& bad : {json::array(),
                            json{{"models", 3}},
                            json{{"version", 2}, {"models", {good}}},
                            index_of({3}),
                            index_of({without(good, "name")}),
                            index_of({without(good, "size")}),
                            index_of({without(good, "sha256")}),
                            index_of({without(good, "mirrors")}),
                            index_of({with(good, "name", 3)}),
                            index_of({with(good, "size", -1)}),
                            index_of({with(good, "size", 1.5)}),
                            index_of({with(good, "size", 1ULL << 51U)}),
                            index_of({with(good, "sha256", "abc")}),
                            index_of({with(good, "sha256", std::string(64, 'g'))}),
                            index_of({with(good, "mirrors", json::array())}),
                            index_of({with(good, "mirrors", {"file:///etc/passwd"})}),
                            index_of({with(good, "mirrors", {"http://a b/"})}),
                            index_of({with(good, "mirrors", {"http://a/\r\nHost: b"})}),
                            index_of({with(good, "mirrors", {3})}),
                            index_of({good, good})}) {
        INFO(bad.dump());
        CHECK(problem_of(bad) == errc::index_malformed);
    }
}

TEST_CASE("an index cannot place a model outside the folder", "[launcher]") {
    CHECK(problem_of(index_of({entry("../a.pt")})) == errc::unsafe_path);
    CHECK(problem_of(index_of({entry("/a.pt")})) == errc::unsafe_path);
    CHECK(problem_of(index_of({with(entry("a.pt"), "folder", "a/../..")})) == errc::unsafe_path);
    CHECK(problem_of(index_of({with(entry("a.pt"), "folder", "/etc")})) == errc::unsafe_path);
}

TEST_CASE("a plan holds each model that is named once, in the workflow's order", "[launcher]") {
    auto const index = read_index(index_of({entry("a.pt"), entry("s/b.pt"), entry("c.pt")}), "t");
    auto const plan = plan_installation({"s\\b.pt", "a.pt", "s/b.pt"}, index);
    REQUIRE(plan.size() == 2);
    CHECK(plan[0].name == "s/b.pt");
    CHECK(plan[1].name == "a.pt");
}

TEST_CASE("a plan needs every model, and a place of its own for each", "[launcher]") {
    json const index = index_of(
        {entry("a.pt"), with(entry("x/b.pt"), "folder", ""), with(entry("b.pt"), "folder", "x")});
    CHECK(problem_of_plan({"a.pt", "b.pt"}, index) == std::error_code{});
    CHECK(problem_of_plan({"a.pt", "z.pt"}, index) == errc::model_not_in_index);
    CHECK(problem_of_plan({"../a.pt"}, index) == errc::unsafe_path);
    CHECK(problem_of_plan({"x/b.pt", "b.pt"}, index) == errc::index_malformed);
}
