// SPDX-License-Identifier: BSL-1.0
// HTTP clients that are coroutines, and a server that dies, comes back, and falls silent.
#include "async_client/report.hpp"
#include "async_client/scenario.hpp"
#include "support/temporary_folder.hpp"

#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

namespace {

int show(async_client::scenario_options& options) {
    support::temporary_folder work{"recoup-async-client"};
    options.folder = work.path();
    auto const result = async_client::run_scenario(options);
    std::printf("%s", async_client::report(result).c_str());
    auto const found = async_client::flaws(result);
    for (auto const& flaw : found) std::printf("FAILED: %s\n", flaw.c_str());
    if (found.empty()) std::puts("every request was answered");
    return found.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Rides out a server that is killed and started again, then frozen and thawed.",
                 "async_client"};
    async_client::scenario_options options;
    app.add_option("--server", options.server, "the fault_server")
        ->required()
        ->check(CLI::ExistingFile);
    app.add_option("--clients", options.clients, "coroutines that ask at the same time")
        ->check(CLI::Range(1U, 1'000U))
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    try {
        return show(options);
    } catch (std::exception const& error) {
        std::fprintf(stderr, "async_client: %s\n", error.what());
        return 1;
    }
}
