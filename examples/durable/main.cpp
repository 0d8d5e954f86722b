// SPDX-License-Identifier: BSL-1.0
// Kills an order of ten steps with SIGKILL at every step, and shows how it is finished.
#include "durable/report.hpp"
#include "durable/scenario.hpp"
#include "durable/stores.hpp"
#include "durable/worker.hpp"
#include "support/temporary_folder.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace {

int show(std::string const& store, std::string const& database, bool keep) {
    support::temporary_folder folder{"recoup-durable-demo"};
    auto const all = orders::run_all({.program = std::filesystem::read_symlink("/proc/self/exe"),
                                      .folder = folder.path(),
                                      .store = store,
                                      .database = database});
    std::printf("%s\n", orders::report(all).c_str());
    auto const found = orders::flaws(all);
    for (auto const& flaw : found) std::printf("FAILED: %s\n", flaw.c_str());
    if (found.empty()) std::puts("no recorded step ran again, and every result is right");
    if (keep || !found.empty()) {
        folder.keep();
        std::printf("what was made lies in %s\n", folder.path().c_str());
    }
    return found.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Kills an order of ten steps with SIGKILL at every step, and finishes it.",
                 "durable_demo"};
    orders::worker_options worker;
    orders::kill_point kill;
    std::string kill_step;
    bool keep = false;
    app.add_option("--store", worker.store, "where the order is recorded")
        ->check(CLI::IsMember(orders::store_names))
        ->capture_default_str();
    app.add_option("--database", worker.database,
                   "of postgres: how libpq connects; without it, as its environment says");
    app.add_flag("--keep", keep, "leave all files behind");
    auto* const folder =
        app.add_option("--worker", worker.folder, "only work on the order of this folder")
            ->check(CLI::ExistingDirectory);
    auto* const step = app.add_option("--kill-step", kill_step, "of a worker: die in this step")
                           ->needs(folder)
                           ->check(CLI::IsMember(std::vector<std::string>{orders::steps.begin(),
                                                                          orders::steps.end()}));
    app.add_option("--kill-when", kill.when, "of a worker: before or after its record")
        ->needs(step)
        ->transform(CLI::CheckedTransformer(std::map<std::string, orders::moment>{
                                                {"before", orders::moment::before_record},
                                                {"after", orders::moment::after_record}})
                        .description("{before,after}"));
    bool halt = false;
    app.add_flag("--halt", halt, "of a worker: stand still there instead, until it is killed")
        ->needs(step);
    CLI11_PARSE(app, argc, argv);
    try {
        if (worker.folder.empty()) return show(worker.store, worker.database, keep);
        kill.step = kill_step;
        if (!kill_step.empty()) worker.kill = kill;
        if (halt) worker.how = orders::death::by_its_parent;
        return orders::work(worker);
    } catch (std::exception const& error) {
        std::fprintf(stderr, "durable_demo: %s\n", error.what());
        return 1;
    }
}
