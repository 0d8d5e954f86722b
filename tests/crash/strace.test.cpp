// SPDX-License-Identifier: BSL-1.0
#include "crash/harness.hpp"

#include <array>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <spawn.h>

// The same from outside, as a check on the seam: strace kills a program at its n-th call, or fails that.

extern char** environ;

namespace {

using namespace recoup_test;

int run_program(std::vector<std::string> words) {
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t child = -1;
    if (::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0)
        return -1;
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

struct injection {
    char const* calls;
    char const* what;
};

}  // namespace

TEST_CASE("a program that strace kills or disturbs at any call loses nothing") {
    if (run_program({"strace", "-o", "/dev/null", "true"}) != 0) {
        std::cout << "SKIPPED: strace is not installed or may not trace" << std::endl;
        return;
    }
    constexpr std::array injections{
        injection{"pwrite64,write", "signal=KILL"},   injection{"fdatasync,fsync", "signal=KILL"},
        injection{"ftruncate,unlink", "signal=KILL"}, injection{"pwrite64", "error=EIO"},
        injection{"pwrite64", "error=ENOSPC"},        injection{"fdatasync,fsync", "error=EIO"},
        injection{"pwrite64", "error=EINTR"},
    };
    auto const seed = crash_seed();
    for (auto const& kind : store_kinds()) {
        if (kind.files.empty()) continue;
        findings all;
        std::uint64_t runs = 0;
        std::uint64_t kills = 0;
        for (auto const& injection : injections)
            for (auto const number : sample(30, 4, seed + runs)) {
                victim one{kind, seed};
                temporary_folder beside;
                shared_log log{beside / "log"};
                auto const status =
                    run_program({"strace", "-f", "-o", "/dev/null", "-e",
                                 std::string{"trace="} + injection.calls, "-e",
                                 std::string{"inject="} + injection.calls + ":" + injection.what +
                                     ":when=" + std::to_string(number + 1),
                                 CRASH_WORKLOAD, kind.name, one.folder(), beside / "log",
                                 std::to_string(seed), "20"});
                REQUIRE(status != 2);
                ++runs;
                kills += status == -SIGKILL ? 1 : 0;
                one.take(*log);
                auto found = one.look();
                if (!found.ok())
                    found.words = kind.name + ", " + injection.calls + " " + injection.what +
                                  " at " + std::to_string(number + 1) + ": " + found.words;
                all += found;
            }
        INFO(all.words);
        summarise("strace, " + kind.name, std::to_string(runs) + " runs, " + std::to_string(kills) +
                                              " kills, " + figures(all));
        CHECK(all.ok());
        // A journal in mapped memory makes few calls.
        if (kind.name.find("sqlite") != std::string::npos) CHECK(kills > 2);
    }
}
