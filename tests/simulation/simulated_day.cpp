// SPDX-License-Identifier: BSL-1.0
// Lives through days of a launcher, and stops at the first promise that is broken.
#include "simulation/day.hpp"
#include "simulation/machine.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace {

using simulation::mistake;

constexpr std::pair<std::string_view, mistake> mistakes[] = {
    {"lost_step", mistake::lost_step},           {"lost_checkpoint", mistake::lost_checkpoint},
    {"lost_operation", mistake::lost_operation}, {"no_fence", mistake::no_fence},
    {"two_owners", mistake::two_owners},         {"deaf", mistake::deaf},
};

int usage() {
    std::fputs(
        "usage: simulated_day [--seed N] [--seeds COUNT] [--store KIND] [--plant MISTAKE]\n"
        "                     [--aloud] [--twice]\n"
        "\n"
        "Lives through COUNT days (1 where nothing is said) from seed N (1) on.\n"
        "\n"
        "  --store KIND     on this store, and not the one that the seed draws:\n",
        stderr);
    for (auto const& name : simulation::machine::kinds())
        std::fprintf(stderr, "                     %s\n", name.c_str());
    std::fputs("  --plant MISTAKE  with a store that makes it, to see that it is noticed:\n",
               stderr);
    for (auto const& [name, what] : mistakes)
        std::fprintf(stderr, "                     %s\n", name.data());
    std::fputs(
        "  --aloud          prints every event\n"
        "  --twice          lives through each day again, and compares\n"
        "\n"
        "Exit status: 0 no promise was broken, 1 one was, 2 something else is wrong.\n",
        stderr);
    return 2;
}

bool read(char const* text, std::uint64_t& into) {
    auto const* const end = text + std::strlen(text);
    auto const got = std::from_chars(text, end, into);
    return got.ec == std::errc{} && got.ptr == end;
}

bool read(std::string_view name, mistake& into) {
    for (auto const& [known, what] : mistakes)
        if (known == name) {
            into = what;
            return true;
        }
    return false;
}

void print(simulation::day_report const& what) {
    auto const number = [](std::uint64_t count) { return static_cast<unsigned long long>(count); };
    std::printf(
        "%llu events, %llu calls (%llu retries), %llu crashes, %llu power cuts, %llu freezes, %llu "
        "shutdowns, %llu breakers opened; installs: %llu complete, %llu cancelled, %llu "
        "impossible, %llu dead\n",
        number(what.events), number(what.calls), number(what.retries), number(what.crashes),
        number(what.power_cuts), number(what.freezes), number(what.shutdowns),
        number(what.breakers_opened), number(what.complete), number(what.cancelled),
        number(what.impossible), number(what.dead));
}

}  // namespace

int main(int count, char** arguments) try {
    auto chosen = simulation::day_options{};
    auto days = std::uint64_t{1};
    auto twice = false;
    for (auto i = 1; i < count; ++i) {
        auto const name = std::string_view{arguments[i]};
        if (name == "--aloud") {
            chosen.aloud = true;
        } else if (name == "--twice") {
            twice = true;
        } else if (i + 1 == count) {
            return usage();
        } else {
            auto const* const value = arguments[++i];
            if (name == "--seed"    ? !read(value, chosen.seed)
                : name == "--seeds" ? !read(value, days)
                : name == "--plant" ? !read(std::string_view{value}, chosen.planted)
                                    : name != "--store")
                return usage();
            if (name == "--store") chosen.store = value;
        }
    }
    auto all = simulation::day_report{};
    for (std::uint64_t i = 0; i != days; ++i) {
        auto const one = simulation::live_through(chosen);
        if (days == 1)
            std::printf("seed %llu, %s: ", static_cast<unsigned long long>(chosen.seed),
                        one.store.c_str());
        if (twice && simulation::live_through(chosen).fingerprint != one.fingerprint) {
            std::printf("BROKEN: a seed gives the same day each time: seed %llu does not\n",
                        static_cast<unsigned long long>(chosen.seed));
            return 1;
        }
        all += one;
        ++chosen.seed;
    }
    print(all);
    return 0;
} catch (std::exception const& caught) {
    std::fprintf(stderr, "simulated_day: %s\n", caught.what());
    return 2;
}
