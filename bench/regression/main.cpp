// SPDX-License-Identifier: BSL-1.0
// Judges what callgrind has counted by the committed baseline, or makes it the baseline.
#include "regression/baseline.hpp"
#include "regression/counts.hpp"
#include "regression/figures.hpp"
#include "regression/files.hpp"
#include "regression/judge.hpp"
#include "regression/toolchain.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

namespace {

using namespace bench::regression;

int usage() {
    std::fputs(
        "usage: recoup_regression judge COUNTS BASELINE   prints a table, and judges\n"
        "       recoup_regression accept COUNTS BASELINE  makes the counts the baseline\n"
        "       recoup_regression print COUNTS            the counts: a path and its instructions "
        "a line\n"
        "       recoup_regression toolchain               whose baseline it is\n"
        "COUNTS is the folder that bench/regression/count has filled.\n",
        stderr);
    return 2;
}

int print(counts const& found) {
    for (auto const& one : found)
        std::printf("%s %s\n", one.path.c_str(), shown(one.instructions).c_str());
    return 0;
}

int accept_as(counts const& found, std::string const& file) {
    baseline kept;
    if (std::filesystem::exists(file)) kept = parse_baseline(read_file(file), file);
    auto const changes = accept(kept, toolchain(), found);
    write_file(file, to_text(kept));
    std::printf("%s\n", toolchain().c_str());
    for (auto const& one : changes) std::printf("    %s\n", one.c_str());
    std::printf(changes.empty() ? "nothing has changed\n" : "%zu of %zu have changed\n",
                changes.size(), found.size());
    return 0;
}

int judge_by(counts const& found, std::string const& file) {
    auto const seen = judge(parse_baseline(read_file(file), file), toolchain(), found);
    std::fputs(to_text(seen).c_str(), stdout);
    return exit_status(seen);
}

int run(int count, char** arguments) {
    std::string const what = count > 1 ? arguments[1] : "";
    if (what == "toolchain" && count == 2) {
        std::puts(toolchain().c_str());
        return 0;
    }
    if (what == "print" && count == 3) return print(read_counts(arguments[2]));
    if (count != 4 || (what != "judge" && what != "accept")) return usage();
    auto const found = read_counts(arguments[2]);
    return what == "judge" ? judge_by(found, arguments[3]) : accept_as(found, arguments[3]);
}

}  // namespace

int main(int count, char** arguments) try {
    return run(count, arguments);
} catch (std::exception const& caught) {
    std::fprintf(stderr, "recoup_regression: %s\n", caught.what());
    return 2;
}
