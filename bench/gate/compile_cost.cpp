// SPDX-License-Identifier: BSL-1.0
// What including the umbrella costs a compiler, beside Boost.Outcome's result header alone.
#include "sections.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

/// Runs the compiler.
///
/// Returns: the processor time of user code in seconds; negative where it failed.
double compile(std::vector<std::string> arguments, std::string const& output = "/dev/null") {
    std::vector<char*> pointers;
    for (auto& one : arguments) pointers.push_back(one.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child = 0;
    auto const failed =
        posix_spawnp(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return -1;
    int status = 0;
    rusage used{};
    while (wait4(child, &status, 0, &used) < 0)
        if (errno != EINTR) return -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return -1;
    return static_cast<double>(used.ru_utime.tv_sec) +
           static_cast<double>(used.ru_utime.tv_usec) * 1e-6;
}

std::vector<std::string> command(std::string const& source, char const* mode) {
    std::vector<std::string> made{RECOUP_BENCH_COMPILER, "-std=c++20", mode};
    std::istringstream folders{RECOUP_BENCH_INCLUDES};
    for (std::string folder; std::getline(folders, folder, '|');)
        if (!folder.empty()) made.push_back("-I" + folder);
    made.push_back(source);
    return made;
}

std::string write_source(std::string const& path, char const* header) {
    std::ofstream{path} << "#include <" << header << ">\n";
    return path;
}

bool mentions(std::string const& path, char const* what) {
    std::ifstream file{path};
    std::string const whole{std::istreambuf_iterator<char>{file}, {}};
    return whole.find(what) != std::string::npos;
}

}  // namespace

void measure_compile_cost(plan const& chosen, report& into) {
    auto const folder = chosen.scratch + "/compile_cost";
    std::filesystem::create_directories(folder);
    auto const ours = write_source(folder + "/recoup.cpp", "recoup/recoup.hpp");
    auto const theirs = write_source(folder + "/outcome.cpp", "boost/outcome/result.hpp");
    std::vector<double> our_times;
    std::vector<double> their_times;
    for (auto i = 0; i != (chosen.quick ? 5 : 15); ++i) {
        our_times.push_back(compile(command(ours, "-fsyntax-only")));
        their_times.push_back(compile(command(theirs, "-fsyntax-only")));
    }
    auto const list = folder + "/included.txt";
    auto const listed =
        compile(command(ours, "-M"), list) >= 0 && mentions(list, "recoup/recoup.hpp");

    auto const our_time = spread_of(our_times);
    auto const their_time = spread_of(their_times);
    auto const worked = our_time.least > 0 && their_time.least > 0;
    // Of the medians: both are taken in turn.
    auto const ratio = worked ? our_time.median / their_time.median : 0;
    into.details.at("compile_cost")
        .set("compiler", RECOUP_BENCH_COMPILER)
        .set("method", "-fsyntax-only, processor time of user code, in turn")
        .set("recoup_seconds", our_time)
        .set("boost_outcome_result_seconds", their_time)
        .set("ratio_of_medians", ratio)
        .set("includes_nlohmann_json", !listed || mentions(list, "nlohmann/json.hpp"));
    char shown[128];
    std::snprintf(shown, sizeof shown, "%.2f times (%.2f s vs %.2f s)", ratio, our_time.median,
                  their_time.median);
    into.judge("compile: <recoup/recoup.hpp> to <boost/outcome/result.hpp>", worked && ratio <= 2,
               worked ? shown : "the compiler failed", "≤ 2 times");
    auto const clean = listed && !mentions(list, "nlohmann/json.hpp");
    into.judge("compile: <recoup/recoup.hpp> without nlohmann/json.hpp", clean,
               clean    ? "not included"
               : listed ? "included"
                        : "the compiler failed",
               "not included");
}

}  // namespace bench
