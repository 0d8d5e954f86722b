// SPDX-License-Identifier: BSL-1.0
#include "regression/judge.hpp"

#include "support/catch.hpp"

#include <string>
#include <vector>

namespace {

using namespace bench::regression;
using Catch::Matchers::ContainsSubstring;

constexpr auto here = "g++ 12";
constexpr auto elsewhere = "clang 20";

baseline known_paths() {
    return {.toolchains = {{.toolchain = here,
                            .instructions = {{"large", 1'000}, {"small", 20}, {"twin", 500}}},
                           {.toolchain = "clang 19",
                            .instructions = {{"large", 1'200}, {"small", 20}, {"twin", 500}}}}};
}

counts counted(double large, double small, double twin) {
    return {{.path = "large", .twin = "twin", .instructions = large},
            {.path = "small", .instructions = small},
            {.path = "twin", .instructions = twin}};
}

verdict verdict_of(judgement const& of, std::string const& what) {
    for (auto const& one : of.rows)
        if (one.what == what) return one.found;
    throw std::runtime_error{"there is no row " + what};
}

verdict large_is(double instructions) {
    return verdict_of(judge(known_paths(), here, counted(instructions, 20, 500)), "large");
}

verdict small_is(double instructions) {
    return verdict_of(judge(known_paths(), here, counted(1'000, instructions, 500)), "small");
}

}  // namespace

TEST_CASE("counts that are those of the baseline pass") {
    auto const seen = judge(known_paths(), here, counted(1'000, 20, 500));
    CHECK(exit_status(seen) == 0);
    CHECK(seen.rows.size() == 4);
    for (auto const& one : seen.rows) CHECK(one.found == verdict::kept);
}

TEST_CASE("a count may differ by 3 %, and by no more") {
    CHECK(large_is(1'030) == verdict::kept);
    CHECK(large_is(1'030.1) == verdict::slower);
    CHECK(large_is(970) == verdict::kept);
    CHECK(large_is(969.9) == verdict::faster);
}

TEST_CASE("a count of few instructions may differ by one, and by no more") {
    CHECK(small_is(21) == verdict::kept);
    CHECK(small_is(21.1) == verdict::slower);
    CHECK(small_is(19) == verdict::kept);
    CHECK(small_is(18.9) == verdict::faster);
}

TEST_CASE("a slowdown of 10 % is a regression, and is told by the name of its path") {
    auto const seen = judge(known_paths(), here, counted(1'000, 22, 500));
    CHECK(exit_status(seen) == 1);
    CHECK(verdict_of(seen, "small") == verdict::slower);
    CHECK(verdict_of(seen, "large") == verdict::kept);
    CHECK_THAT(to_text(seen), ContainsSubstring("SLOWER than the baseline allows:\n"
                                                "    small: 20 → 22, +10.0 %\n"));
}

TEST_CASE("what is faster passes, and is told of, since the baseline would let it slip back") {
    auto const seen = judge(known_paths(), here, counted(1'000, 15, 500));
    CHECK(exit_status(seen) == 0);
    CHECK_THAT(to_text(seen), ContainsSubstring("bench/run --accept\n    small: 20 → 15, -25.0 %"));
}

TEST_CASE("a ratio to the twin is judged, too: both counts may be within theirs") {
    auto const seen = judge(known_paths(), here, counted(1'029, 20, 486));
    CHECK(verdict_of(seen, "large") == verdict::kept);
    CHECK(verdict_of(seen, "twin") == verdict::kept);
    CHECK(verdict_of(seen, "large : twin") == verdict::slower);
    CHECK(exit_status(seen) == 1);
    CHECK(verdict_of(judge(known_paths(), here, counted(1'029, 20, 495)), "large : twin") ==
          verdict::kept);
}

TEST_CASE("a path that the baseline does not know, or one that did not run, is an error") {
    auto more = counted(1'000, 20, 500);
    more.push_back({.path = "new", .instructions = 7});
    auto const extra = judge(known_paths(), here, more);
    CHECK(verdict_of(extra, "new") == verdict::not_known);
    CHECK(exit_status(extra) == 2);
    CHECK_THAT(to_text(extra), ContainsSubstring("add them with: bench/run --accept\n    new\n"));

    auto fewer = counted(1'000, 20, 500);
    fewer.erase(fewer.begin() + 1);
    auto const gone = judge(known_paths(), here, fewer);
    CHECK(verdict_of(gone, "small") == verdict::not_counted);
    CHECK(exit_status(gone) == 2);
    CHECK_THAT(to_text(gone), ContainsSubstring("drop them with: bench/run --accept\n    small\n"));

    // Which does not hide that another is slower.
    fewer[0].instructions = 1'100;
    CHECK(exit_status(judge(known_paths(), here, fewer)) == 1);
}

TEST_CASE("a twin that did not run is told of") {
    auto fewer = counted(1'000, 20, 500);
    fewer.pop_back();
    CHECK(verdict_of(judge(known_paths(), here, fewer), "large : twin") == verdict::not_counted);
}

TEST_CASE("without a baseline for the toolchain nothing passes, and it says so") {
    auto const seen = judge(known_paths(), elsewhere, counted(1'000, 99, 500));
    CHECK(exit_status(seen) == 77);
    CHECK(verdict_of(seen, "large") == verdict::not_judged);
    CHECK(verdict_of(seen, "small") == verdict::not_judged);
    CHECK_THAT(to_text(seen), ContainsSubstring("no baseline for clang 20; not judged"));
    CHECK_THAT(to_text(seen), ContainsSubstring("make one with: bench/run --accept"));
}

TEST_CASE("without a baseline for the toolchain ratios are judged by the greatest of others") {
    // 1200 to 500 is 2.4, and half more is 3.6.
    auto const within = judge(known_paths(), elsewhere, counted(3'600, 20, 1'000));
    CHECK(verdict_of(within, "large : twin") == verdict::kept);
    CHECK(exit_status(within) == 77);
    auto const above = judge(known_paths(), elsewhere, counted(3'700, 20, 1'000));
    CHECK(verdict_of(above, "large : twin") == verdict::slower);
    CHECK(exit_status(above) == 1);
    // Less than half of what others need is no news.
    CHECK(verdict_of(judge(known_paths(), elsewhere, counted(100, 20, 1'000)), "large : twin") ==
          verdict::kept);
}

TEST_CASE("where there is no baseline at all, nothing is judged") {
    auto const seen = judge({}, elsewhere, counted(1'000, 20, 500));
    CHECK(verdict_of(seen, "large : twin") == verdict::not_judged);
    CHECK(exit_status(seen) == 77);
}

TEST_CASE("the table has a line for each path and each ratio") {
    CHECK(to_text(judge(known_paths(), here, counted(1'000, 22, 500))) ==
          "g++ 12\n"
          "instructions a call, and ratios  baseline   now  difference  verdict\n"
          "large                                1000  1000       0.0 %  ok\n"
          "small                                  20    22     +10.0 %  SLOWER\n"
          "twin                                  500   500       0.0 %  ok\n"
          "large : twin                            2     2       0.0 %  ok\n"
          "SLOWER than the baseline allows:\n"
          "    small: 20 → 22, +10.0 %\n");
}
