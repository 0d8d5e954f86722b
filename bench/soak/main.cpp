// SPDX-License-Identifier: BSL-1.0
// Users at work for a long time, in weather that changes: does everything stay as it was?
#include "soak/readings.hpp"
#include "soak/users.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

std::sig_atomic_t volatile interrupted = 0;

struct options {
    double seconds = 20;
    soak::stores stores = soak::stores::both;
    soak::mistake planted = soak::mistake::none;
    std::string scratch = "scratch";
};

constexpr double seconds_min = 5;
constexpr double seconds_max = 7 * 24 * 3600.0;

int usage() {
    std::fputs(
        "usage: recoup_soak [--soak TIME] [--store journal|sqlite|both] [--scratch DIR]\n"
        "\n"
        "Lets 1 to 64 threads work for TIME (20s where nothing is said; 90s, 30m, 2h), and tells\n"
        "whether memory, descriptors, threads, latency and success stayed as they were.\n"
        "\n"
        "Exit status: 0 all held, 1 something did not, and a sentence says what, 2 something else\n"
        "is wrong.\n",
        stderr);
    return 2;
}

template <class Value>
bool choose(std::string_view name, Value& into,
            std::initializer_list<std::pair<std::string_view, Value>> from) {
    for (auto const& [known, value] : from)
        if (known == name) {
            into = value;
            return true;
        }
    return false;
}

/// Returns: false where they cannot be understood, and that was said.
bool parse(int count, char** arguments, options& into) {
    using soak::mistake;
    using soak::stores;
    for (auto i = 1; i < count; ++i) {
        auto const name = std::string_view{arguments[i]};
        if (i + 1 == count) {
            usage();
            return false;
        }
        auto const value = std::string{arguments[++i]};
        if (name == "--soak") {
            auto const read = soak::read_seconds(value);
            if (!read || *read < seconds_min || *read > seconds_max) {
                std::fprintf(stderr,
                             "recoup_soak: --soak is '%s'; expected a time such as 90s, 30m or 2h, "
                             "from 5s to 7d\n",
                             value.c_str());
                return false;
            }
            into.seconds = *read;
        } else if (name == "--scratch") {
            into.scratch = value;
        } else if (name == "--store" && choose(value, into.stores,
                                               {{"journal", stores::journal},
                                                {"sqlite", stores::sqlite},
                                                {"both", stores::both}})) {
        } else if (name == "--plant" &&  // for the tests of the verdict
                   choose(value, into.planted,
                          {{"descriptors", mistake::descriptors},
                           {"memory", mistake::memory},
                           {"threads", mistake::threads},
                           {"slow", mistake::slow},
                           {"lost", mistake::lost}})) {
        } else {
            usage();
            return false;
        }
    }
    return true;
}

void print(double elapsed, soak::interval const& what) {
    std::printf(
        "%8.0f s  %-26s %9.0f/s  %8.4f %% success  p50 %7.0f us  p99 %8.0f us  %6.1f MiB  %3lld "
        "descriptors  %2lld threads\n",
        elapsed, what.phase.c_str(), static_cast<double>(what.operations) / what.seconds,
        what.operations == 0 ? 0
                             : 100 * static_cast<double>(what.operations - what.failed) /
                                   static_cast<double>(what.operations),
        what.p50_us, what.p99_us, what.after.resident_mib,
        static_cast<long long>(what.after.descriptors), static_cast<long long>(what.after.threads));
    std::fflush(stdout);
}

int run(options const& chosen) {
    auto const folder = chosen.scratch + "/soak";
    std::filesystem::remove_all(folder);
    auto seen = std::vector<soak::interval>{};
    auto broken = std::vector<std::string>{};
    {
        auto users = soak::users{folder, chosen.stores, chosen.planted};
        // Each phase three times at least, so that the first third can be compared with the last.
        auto const rounds = 3.0 * static_cast<double>(soak::users::phases());
        auto const each = std::clamp(chosen.seconds / rounds, 0.1, 60.0);
        auto const begin = std::chrono::steady_clock::now();
        auto const elapsed = [&] {
            return std::chrono::duration<double>{std::chrono::steady_clock::now() - begin}.count();
        };
        // Nobody compares with what a program is before it has done everything once.
        auto number = std::size_t{0};
        for (; number != soak::users::phases(); ++number)
            static_cast<void>(users.work(number, std::min(each / 4, 1.0)));
        for (;
             (elapsed() < chosen.seconds || seen.size() < soak::intervals_min) && interrupted == 0;
             ++number) {
            seen.push_back(users.work(number, each));
            print(elapsed(), seen.back());
        }
        broken = soak::judge(seen);
        if (auto const differs = users.disagreement(); !differs.empty()) broken.push_back(differs);
    }
    std::filesystem::remove_all(folder);
    auto operations = 0.0;
    for (auto const& one : seen) operations += static_cast<double>(one.operations);
    if (broken.empty()) {
        std::printf("soak: HELD: %.0f operations in %zu intervals\n", operations, seen.size());
        return 0;
    }
    for (auto const& one : broken) std::printf("soak: NOT HELD: %s\n", one.c_str());
    return 1;
}

}  // namespace

int main(int count, char** arguments) try {
    std::signal(SIGINT, [](int) { interrupted = 1; });
    options chosen;
    if (!parse(count, arguments, chosen)) return 2;
    return run(chosen);
} catch (std::exception const& caught) {
    std::fprintf(stderr, "recoup_soak: %s\n", caught.what());
    return 2;
}
