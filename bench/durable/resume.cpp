// SPDX-License-Identifier: BSL-1.0
// How soon a durable operation goes on: a process is killed in the middle of one, another one is started,
// and its clock is read in the first step that was not recorded.
#include "durable/child/crashing.hpp"
#include "durable/contest.hpp"
#include "durable/folder.hpp"
#include "durable/pending.hpp"
#include "durable/rows.hpp"
#include "support/keep_awake.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

/// What the restarted process saw, and when.
struct moments {
    std::int64_t began = 0;    ///< before it was started: the parent's
    std::int64_t entered = 0;  ///< its `main`
    std::int64_t opened = 0;   ///< it had its store
    std::int64_t stepped = 0;  ///< the first step that was not recorded
};

/// Runs this program as that child. Returns: how it ended.
int run_child(plan const& chosen, std::string const& role, std::string const& kind,
              std::string const& path, std::array<std::int64_t, 3>* report) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error{"no pipe"};
    auto const program = std::filesystem::path{chosen.program}.replace_filename(crashing_program);
    char const* const arguments[] = {program.c_str(), role.c_str(), kind.c_str(), path.c_str(),
                                     nullptr};
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    pid_t child = 0;
    auto const failed = posix_spawn(&child, program.c_str(), &actions, nullptr,
                                    const_cast<char* const*>(arguments), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (failed == 0 && report != nullptr) {
        auto const bytes = static_cast<ssize_t>(sizeof *report);
        auto got = ::read(ends[0], report->data(), sizeof *report);
        while (got < 0 && errno == EINTR) got = ::read(ends[0], report->data(), sizeof *report);
        if (got != bytes) report->fill(0);
    }
    ::close(ends[0]);
    if (failed != 0) throw std::runtime_error{"a child process cannot be started"};
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) throw std::runtime_error{"a child process cannot be waited for"};
    return status;
}

/// Kills one process in its second step, starts the next. Returns: nothing where that one did not go on
/// where it should.
std::optional<moments> crash_and_resume(plan const& chosen, std::string const& kind,
                                        std::string const& prepared) {
    auto const folder = fresh_folder(chosen, "resume");
    std::filesystem::copy(prepared, folder);
    auto const path = folder + "/store";
    auto const status = run_child(chosen, dies, kind, path, nullptr);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) return std::nullopt;
    moments seen{.began = now()};
    std::array<std::int64_t, 3> report{};
    if (run_child(chosen, resumes, kind, path, &report) != 0) return std::nullopt;
    seen.entered = report[0];
    seen.opened = report[1];
    seen.stepped = report[2];
    if (seen.stepped == 0) return std::nullopt;
    return seen;
}

double milliseconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

void measure(plan const& chosen, report& into, figures& details, std::string const& kind,
             std::size_t others) {
    std::vector<double> whole;
    std::vector<double> loading;
    std::vector<double> opening;
    std::vector<double> claiming;
    auto const prepared = fresh_folder(chosen, "resume_prepared");
    with_store(kind, prepared + "/store",
               [&](auto& store) { add_pending(store, "other", others); });
    auto right = true;
    for (auto i = 0; right && i != (chosen.quick ? 8 : 50); ++i) {
        auto const seen = crash_and_resume(chosen, kind, prepared);
        right = seen.has_value();
        if (!right) break;
        whole.push_back(milliseconds(seen->stepped - seen->began));
        loading.push_back(milliseconds(seen->entered - seen->began));
        opening.push_back(milliseconds(seen->opened - seen->entered));
        claiming.push_back(milliseconds(seen->stepped - seen->opened));
    }
    auto name = kind;
    if (others != 0) name += ", " + std::to_string(others) + " others pending";
    auto const times = spread_of(whole);
    details.at(name)
        .set("from_the_start_of_the_process_ms", times)
        .set("of_it_until_main_ms", spread_of(loading))
        .set("of_it_opening_the_store_ms", spread_of(opening))
        .set("of_it_until_the_first_step_ms", spread_of(claiming))
        .set("resumed_at_the_right_step", right);
    char beside[96];
    std::snprintf(beside, sizeof beside, "; until main %.1f, opening %.1f, to the step %.1f",
                  spread_of(loading).median, spread_of(opening).median, spread_of(claiming).median);
    auto const said = right ? text(times, "ms", 1) + beside : "not resumed where it was";
    into.judge("durable: resumed after SIGKILL, " + name, right && times.greatest < 500, said,
               "each < 500 ms", requirement::recovery_time)
        .figure = times.greatest;
    into.judge("durable: the first resumed step, " + name, right && times.median <= 10,
               text(times, "ms", 1), "≤ 10 ms", requirement::goal,
               text(times.median - 10, "ms", 1));
}

}  // namespace

void measure_resume(plan const& chosen, report& into, figures& details) {
    auto& rows = details.at("resume");
    rows.set("method",
             "a process is killed by SIGKILL in the second step of an operation; timed from before "
             "the start of the next one to the body of that step");
    keep_awake const awake;
    for (auto const* kind : {journal_kind, sqlite_kind})
        for (auto const others : {std::size_t{0}, std::size_t{10'000}})
            measure(chosen, into, rows, kind, others);
}

}  // namespace bench
