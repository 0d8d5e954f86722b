// SPDX-License-Identifier: BSL-1.0
#include "regression/counts.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <fstream>
#include <string>

namespace {

using bench::regression::count_of_path;
using bench::regression::parse_counts;
using bench::regression::read_counts;
using Catch::Matchers::ContainsSubstring;

/// As callgrind writes it.
std::string dump(std::string const& trigger, std::string const& summary) {
    return "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\npid: 7\ncmd:  program\n"
           "part: 1\n\n\ndesc: I1 cache: \ndesc: Timerange: Basic block 0 - 491307\n"
           "desc: Trigger: " +
           trigger + "\n\npositions: line\nevents: Ir\nsummary: " + summary +
           "\n\n\nob=(3) /lib/libc.so.6\nfl=(155) a.c\nfn=(1028) f\n360 28703\n\ntotals: 9\n";
}

void put(std::string const& file, std::string const& text) { std::ofstream{file} << text; }

std::string complaint_about(std::string const& text) {
    try {
        static_cast<void>(parse_counts(text, "counts.3"));
    } catch (std::runtime_error const& wrong) {
        return wrong.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a file of callgrind's gives the instructions of one call of the path that it is of") {
    CHECK(parse_counts(dump("Client Request: value/recoup 100 value/hand_written", "2250"), "c") ==
          std::vector{count_of_path{
              .path = "value/recoup", .twin = "value/hand_written", .instructions = 22.5}});
    CHECK(parse_counts(dump("Client Request: value/bare 2048", "2048"), "c") ==
          std::vector{count_of_path{.path = "value/bare", .instructions = 1}});
}

TEST_CASE("what callgrind writes at the end of the program is of no path") {
    CHECK(parse_counts(dump("Program termination", "77"), "c").empty());
}

TEST_CASE("a count that cannot be read is told of with its file and what was expected") {
    CHECK(complaint_about("") ==
          "counts.3: there is no line 'desc: Trigger: '; expected a file of callgrind's");
    CHECK(complaint_about(dump("Client Request: value/bare", "7")) ==
          "counts.3: the trigger is 'Client Request: value/bare'; expected a path, its calls and "
          "its twin");
    CHECK(complaint_about(dump("Client Request: value/bare 0", "7")) != "");
    CHECK(complaint_about(dump("Client Request: value/bare many", "7")) != "");
    CHECK(complaint_about(dump("Client Request: value/bare 1 2 3", "7")) != "");
    CHECK(complaint_about(dump("Client Request: value/bare 5", "7 8")) ==
          "counts.3: there is no line 'summary: ' with one number; expected that of instructions");
    CHECK(complaint_about(dump("Client Request: value/bare 5", "0")) ==
          "counts.3: no instruction was counted of value/bare");
}

TEST_CASE("the counts of a folder come in the order in which the paths ran") {
    recoup_test::temporary_folder const folder;
    put(folder / "counts", dump("Program termination", "0"));
    for (auto i = 1; i != 12; ++i)
        put(folder / ("counts." + std::to_string(i)),
            dump("Client Request: path/" + std::to_string(i) + " 1", "7"));
    put(folder / "counts.12.old", "nothing of ours");
    put(folder / "log", "nothing of ours");
    auto const found = read_counts(folder.path());
    REQUIRE(found.size() == 11);
    CHECK(found.front().path == "path/1");
    CHECK(found[1].path == "path/2");
    CHECK(found.back().path == "path/11");
}

TEST_CASE("a folder without counts, or with two of one path, is an error") {
    recoup_test::temporary_folder const folder;
    CHECK_THROWS_WITH(read_counts(folder.path()), ContainsSubstring("there are no counts"));
    CHECK_THROWS_WITH(read_counts(folder / "nowhere"),
                      ContainsSubstring("No such file or directory"));
    put(folder / "counts.1", dump("Client Request: value/bare 1", "7"));
    put(folder / "counts.2", dump("Client Request: value/bare 1", "7"));
    CHECK_THROWS_WITH(read_counts(folder.path()),
                      ContainsSubstring("counts.2: value/bare was counted twice"));
}
