// SPDX-License-Identifier: BSL-1.0
// How soon work goes on after a crash: a child process is killed in the middle of an operation, and
// this process opens its store and continues where it was.
#include "sections.hpp"

#include <recoup/core/attempt.hpp>
#include <recoup/core/result.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::uint64_t checkpoint = 42;

recoup::persist_options options_for(recoup::persist_when when) {
    return {.name = "recovery", .when = when};
}

auto const one_key = [] { return std::uint64_t{7}; };

/// Runs this program as the child that is killed.
///
/// Returns: whether it ended as it should.
bool run_child(plan const& chosen, std::string const& path, char const* when) {
    std::string const role = "--die-in-operation";
    char const* const arguments[] = {chosen.program.c_str(), role.c_str(), path.c_str(), when,
                                     nullptr};
    pid_t child = 0;
    if (posix_spawn(&child, chosen.program.c_str(), nullptr, nullptr,
                    const_cast<char* const*>(arguments), environ) != 0)
        return false;
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return false;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

struct resumed {
    double milliseconds = 0;
    bool right = false;
};

/// From the moment that the crash is known to the first line of the continued operation.
resumed resume(std::string const& path, recoup::persist_when when) {
    resumed seen;
    auto const begin = clock::now();
    recoup::sqlite_store store{path};
    auto const call = recoup::with_recovery(
        [&](recoup::attempt& attempt) -> recoup::result<std::uint64_t> {
            seen.milliseconds =
                std::chrono::duration<double, std::milli>{clock::now() - begin}.count();
            seen.right = attempt.resumed() && attempt.number() == 2 &&
                         attempt.checkpoint<std::uint64_t>() == checkpoint;
            return checkpoint;
        },
        recoup::retry{}, recoup::persist(store, options_for(when), one_key));
    seen.right = call().has_value() && seen.right;
    return seen;
}

}  // namespace

int die_in_operation(char const* path, char const* when) {
    recoup::sqlite_store store{path};
    auto const call = recoup::with_recovery(
        [](recoup::attempt& attempt) -> recoup::result<std::uint64_t> {
            attempt.save_checkpoint(checkpoint);
            std::raise(SIGKILL);
            return checkpoint;
        },
        recoup::retry{},
        recoup::persist(
            store,
            options_for(std::strcmp(when, "start") == 0 ? recoup::persist_when::start
                                                        : recoup::persist_when::failure),
            one_key));
    static_cast<void>(call());
    return 1;
}

void measure_recovery_time(plan const& chosen, report& into) {
    auto& details = into.details.at("recovery_time");
    details.set("store", "sqlite, power_loss")
        .set("method",
             "a child saves a checkpoint and is killed by SIGKILL inside its attempt; timed from "
             "its end: "
             "open the store, find the record, begin attempt 2 with the checkpoint");
    auto const folder = chosen.scratch + "/recovery_time";
    for (auto const* when : {"failure", "start"}) {
        std::vector<double> samples;
        auto right = true;
        for (auto i = 0; i != (chosen.quick ? 10 : 50); ++i) {
            std::filesystem::remove_all(folder);
            std::filesystem::create_directories(folder);
            auto const path = folder + "/crashed.db";
            if (!run_child(chosen, path, when)) {
                right = false;
                break;
            }
            auto const seen =
                resume(path, std::strcmp(when, "start") == 0 ? recoup::persist_when::start
                                                             : recoup::persist_when::failure);
            right = right && seen.right;
            samples.push_back(seen.milliseconds);
        }
        auto const times = spread_of(samples);
        details.at(std::string{"persist_when_"} + when)
            .set("time_ms", times)
            .set("resumed_at_the_checkpoint", right);
        into.judge(std::string{"recovery after SIGKILL, persist_when::"} + when,
                   right && !samples.empty() && times.greatest < 500,
                   right ? text(times, "ms") : "not resumed where it was", "each < 500 ms",
                   requirement::recovery_time)
            .figure = times.greatest;
        into.judge(std::string{"resumed, persist_when::"} + when, right && times.median <= 10,
                   text(times.median, "ms"), "≤ 10 ms", requirement::goal);
    }
}

}  // namespace bench
