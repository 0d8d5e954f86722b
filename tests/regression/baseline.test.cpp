// SPDX-License-Identifier: BSL-1.0
#include "regression/baseline.hpp"

#include "support/catch.hpp"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using namespace bench::regression;

constexpr auto good_baseline = R"({
  "schema_version": 1,
  "tolerance": {
    "percent": 3.0,
    "instructions": 1.0,
    "ratio_percent": 5.0,
    "other_ratio_percent": 50.0
  },
  "instructions_per_call": {
    "g++ 12, libstdc++ 12": {
      "value/bare": 14.02,
      "value/recoup": 22.0
    },
    "clang 19, libstdc++ 12": {}
  }
}
)";

/// `good_baseline` with another text in place of `from`.
std::string with(std::string const& from, std::string const& to) {
    std::string text = good_baseline;
    auto const at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

std::string complaint(std::string const& text) {
    try {
        static_cast<void>(parse_baseline(text, "baseline.json"));
    } catch (std::runtime_error const& wrong) {
        return wrong.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a baseline is read, and written as it was") {
    auto const read = parse_baseline(good_baseline, "baseline.json");
    CHECK(read.allowed.percent == 3);
    CHECK(read.allowed.instructions == 1);
    CHECK(read.allowed.ratio_percent == 5);
    CHECK(read.allowed.other_ratio_percent == 50);
    REQUIRE(read.find("g++ 12, libstdc++ 12") != nullptr);
    CHECK(read.find("g++ 12, libstdc++ 12")->find("value/recoup") == 22.0);
    CHECK_FALSE(read.find("g++ 12, libstdc++ 12")->find("value/gone"));
    CHECK(read.find("clang 19, libstdc++ 12")->instructions.empty());
    CHECK(read.find("clang 20, libstdc++ 12") == nullptr);
    CHECK(to_text(read) == good_baseline);
}

TEST_CASE("the committed baseline can be read, and would be written as it is") {
    std::ifstream file{RECOUP_SOURCE_DIR "/bench/regression/baseline.json"};
    std::string const text{std::istreambuf_iterator<char>{file}, {}};
    auto const read = parse_baseline(text, "baseline.json");
    CHECK(to_text(read) == text);
    CHECK_FALSE(read.toolchains.empty());
    // A slowdown of 10 % must not lie within what is allowed, on any path.
    for (auto const& one : read.toolchains)
        for (auto const& [path, instructions] : one.instructions) {
            INFO(one.toolchain << ' ' << path);
            CHECK(instructions / 10 > read.allowed.instructions);
        }
    CHECK(read.allowed.percent < 10);
    CHECK(read.allowed.ratio_percent < 10);
}

TEST_CASE("a baseline that is wrong is told of with the path of the field and what was expected") {
    CHECK(complaint(with("14.02", "\"fast\"")) ==
          "baseline.json: instructions_per_call[\"g++ 12, libstdc++ 12\"][\"value/bare\"] is "
          "\"fast\"; expected a number of 0 or more");
    CHECK(complaint(with("14.02", "-1")) ==
          "baseline.json: instructions_per_call[\"g++ 12, libstdc++ 12\"][\"value/bare\"] is -1; "
          "expected a number of 0 or more");
    CHECK(complaint(with("\"percent\": 3.0,", "")) ==
          "baseline.json: tolerance.percent is missing; expected a number");
    CHECK(complaint(with("\"percent\"", "\"per_cent\"")) ==
          "baseline.json: tolerance.per_cent is not known; expected one of: percent, instructions, "
          "ratio_percent, other_ratio_percent");
    CHECK(complaint(with("\"schema_version\": 1", "\"schema_version\": 2")) ==
          "baseline.json: schema_version is 2; expected 1");
    CHECK(complaint(with("\"clang 19, libstdc++ 12\": {}", "\"clang 19, libstdc++ 12\": []")) ==
          "baseline.json: instructions_per_call[\"clang 19, libstdc++ 12\"] is []; expected an "
          "object");
    CHECK(complaint("[]") == "baseline.json: the whole is []; expected an object");
    CHECK(complaint("{") != "");
    CHECK(complaint("") != "");
    CHECK(complaint(with("14.02", "1e999")) != "");
}

TEST_CASE("accepting makes counts the baseline of their toolchain alone, and tells what changed") {
    auto kept = parse_baseline(good_baseline, "baseline.json");
    auto const changes = accept(kept, "g++ 12, libstdc++ 12",
                                {{.path = "value/bare", .instructions = 14.0207},
                                 {.path = "value/new", .instructions = 7},
                                 {.path = "reply/new", .instructions = 70.126}});
    CHECK(changes == std::vector<std::string>{"value/new: 7, new", "reply/new: 70.13, new",
                                              "value/recoup: 22, is gone"});
    auto const* const now = kept.find("g++ 12, libstdc++ 12");
    REQUIRE(now != nullptr);
    CHECK(now->instructions == std::vector<std::pair<std::string, double>>{
                                   {"value/bare", 14.02}, {"value/new", 7}, {"reply/new", 70.13}});
    CHECK(kept.toolchains.size() == 2);

    CHECK(accept(kept, "clang 20, libstdc++ 14", {{.path = "value/bare", .instructions = 12}}) ==
          std::vector<std::string>{"value/bare: 12, new"});
    CHECK(kept.toolchains.size() == 3);
    CHECK(accept(kept, "clang 20, libstdc++ 14", {{.path = "value/bare", .instructions = 15}}) ==
          std::vector<std::string>{"value/bare: 12 → 15, +25.0 %"});
    CHECK(accept(kept, "clang 20, libstdc++ 14", {{.path = "value/bare", .instructions = 15}})
              .empty());
}
