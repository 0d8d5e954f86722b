// SPDX-License-Identifier: BSL-1.0
// recoup's side of the comparison with its peers; bench/peers/compare.py runs it.
#include "peers/recoup/roles.hpp"
#include "support/keep_awake.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace bench::peers {

void print(nlohmann::ordered_json const& line) {
    std::puts(line.dump().c_str());
    std::fflush(stdout);
}

namespace {

/// Returns: false where there is no such role.
bool run(std::vector<std::string> words, bool quick) {
    words.resize(3);
    auto const& role = words[0];
    if (role == "calls")
        calls(quick);
    else if (role == "durable")
        durable(words[1], words[2], quick);
    else if (role == "dies")
        die(words[1], words[2]);
    else if (role == "resumes")
        resume(words[1], words[2]);
    else if (role == "original")
        original(words[1], quick);
    else if (role == "awake") {
        keep_awake const awake;
        while (std::getchar() != EOF) {}  // until whoever started it has enough
    } else
        return false;
    return true;
}

}  // namespace

}  // namespace bench::peers

int main(int count, char** arguments) try {
    std::vector<std::string> words;
    auto quick = false;
    for (auto i = 1; i < count; ++i)
        if (std::string const word = arguments[i]; word == "--quick")
            quick = true;
        else
            words.push_back(word);
    if (bench::peers::run(std::move(words), quick)) return 0;
    std::fputs(
        "usage: recoup_bench_peers calls | durable STORE WHERE | dies STORE WHERE | "
        "resumes STORE WHERE | original FOLDER | awake [--quick]\n",
        stderr);
    return 2;
} catch (std::exception const& caught) {
    std::fprintf(stderr, "recoup_bench_peers: %s\n", caught.what());
    return 1;
}
