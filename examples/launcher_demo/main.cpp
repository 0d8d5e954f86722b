// SPDX-License-Identifier: BSL-1.0
// Shows the launcher at work: bad mirrors, a SIGKILL in mid-download, and a resumption.
#include "launcher_demo/report.hpp"
#include "launcher_demo/scenario.hpp"
#include "support/temporary_folder.hpp"

#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

namespace {

int show(demo::scenario_options& options, bool keep) {
    support::temporary_folder work{"recoup-launcher-demo"};
    options.folder = work.path();
    auto const result = demo::run_scenario(options);
    std::printf("\n%s", demo::report(result).c_str());
    auto const found = demo::flaws(result);
    for (auto const& flaw : found) std::printf("FAILED: %s\n", flaw.c_str());
    if (found.empty()) std::puts("every checksum is right, and the resumed run continued");
    if (keep || !found.empty()) {
        work.keep();
        std::printf("what was made lies in %s\n", work.path().c_str());
    }
    return found.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Installs made-up models from bad mirrors, kills the launcher, resumes it.",
                 "launcher_demo"};
    demo::scenario_options options;
    bool keep = false;
    app.add_option("--launcher", options.launcher, "the launcher")
        ->required()
        ->check(CLI::ExistingFile);
    app.add_option("--server", options.server, "the fault_server")
        ->required()
        ->check(CLI::ExistingFile);
    app.add_option("--seed", options.seed, "decides the models' bytes and the mirrors' faults")
        ->capture_default_str();
    app.add_option("--bytes", options.bytes, "size of all models together")
        ->check(CLI::Range(std::uint64_t{20'000'000}, std::uint64_t{10'000'000'000}))
        ->capture_default_str();
    app.add_option("--rate", options.bytes_per_second, "bytes a second of each connection")
        ->check(CLI::Range(std::uint64_t{100'000}, std::uint64_t{10'000'000'000}))
        ->capture_default_str();
    app.add_option("--kill-at", options.kill_at, "share of all bytes at which to kill")
        ->check(CLI::Range(0.05, 0.95))
        ->capture_default_str();
    app.add_flag("--keep", keep, "leave all files behind");
    CLI11_PARSE(app, argc, argv);
    try {
        return show(options, keep);
    } catch (std::exception const& error) {
        std::fprintf(stderr, "launcher_demo: %s\n", error.what());
        return 1;
    }
}
