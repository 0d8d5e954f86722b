// SPDX-License-Identifier: BSL-1.0
// Runs the hot paths below callgrind, which counts them: see ../count.
#include "regression/paths/path.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bench::regression {

std::string left_name(counted_path const& of) {
    return of.name + ' ' + std::to_string(counted_calls) +
           (of.twin.empty() ? std::string{} : ' ' + of.twin);
}

}  // namespace bench::regression

namespace {

using namespace bench::regression;

struct options {
    std::string scratch{};
    std::map<std::string, std::uint64_t, std::less<>> planted{};
};

constexpr auto usage =
    "usage: recoup_regression_paths --scratch DIR [--plant PATH=TURNS...]\n"
    "\n"
    "Runs the hot paths; valgrind --tool=callgrind counts them.\n"
    "  --scratch DIR       a folder for stores; made anew\n"
    "  --plant PATH=TURNS  slows each call of this path down by so many turns of three "
    "instructions\n";

void plant(options& into, std::string_view said) {
    auto const equals = said.rfind('=');
    std::uint64_t turns = 0;
    auto const* const end = said.data() + said.size();
    if (equals == std::string_view::npos ||
        std::from_chars(said.data() + equals + 1, end, turns) != std::from_chars_result{end, {}})
        throw std::invalid_argument{"--plant is '" + std::string{said} +
                                    "'; expected a path, = and a number"};
    into.planted.emplace(said.substr(0, equals), turns);
}

options parse(int count, char** arguments) {
    options chosen;
    for (auto i = 1; i < count; ++i) {
        std::string_view const name = arguments[i];
        if (name != "--scratch" && name != "--plant")
            throw std::invalid_argument{"unknown option '" + std::string{name} + "'"};
        if (i + 1 == count) throw std::invalid_argument{std::string{name} + " needs a value"};
        if (name == "--scratch")
            chosen.scratch = arguments[++i];
        else
            plant(chosen, arguments[++i]);
    }
    if (chosen.scratch.empty()) throw std::invalid_argument{"--scratch is missing"};
    return chosen;
}

void run(options const& chosen) {
    auto const known = all();
    for (auto const& [name, turns] : chosen.planted)
        if (std::none_of(known.begin(), known.end(),
                         [&](auto const& one) { return one.name == name; }))
            throw std::invalid_argument{"--plant: no path is called '" + name + "'"};
    for (auto const& one : known) {
        std::filesystem::remove_all(chosen.scratch);
        std::filesystem::create_directories(chosen.scratch);
        auto const planted = chosen.planted.find(one.name);
        one.body({.name = one.name,
                  .twin = one.twin,
                  .scratch = chosen.scratch,
                  .planted = planted == chosen.planted.end() ? 0 : planted->second});
    }
    std::filesystem::remove_all(chosen.scratch);
}

}  // namespace

int main(int count, char** arguments) try {
    auto const chosen = parse(count, arguments);
    if (RUNNING_ON_VALGRIND == 0) {
        std::fputs("recoup_regression_paths: counts nothing without callgrind\n", stderr);
        return 2;
    }
    run(chosen);
    return 0;
} catch (std::invalid_argument const& wrong) {
    std::fprintf(stderr, "%s\nrecoup_regression_paths: %s\n", usage, wrong.what());
    return 2;
} catch (std::exception const& caught) {
    std::fprintf(stderr, "recoup_regression_paths: %s\n", caught.what());
    return 2;
}
