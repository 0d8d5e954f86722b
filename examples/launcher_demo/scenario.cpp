// SPDX-License-Identifier: BSL-1.0
#include "launcher_demo/scenario.hpp"

#include "support/child_process.hpp"
#include "support/loopback_server.hpp"
#include "support/sha256.hpp"
#include "support/text_file.hpp"

#include <csignal>
#include <cstdio>
#include <list>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace demo {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto run_max = 120s;

std::vector<support::model_file> make_models(scenario_options const& options, fs::path const& to) {
    std::uint64_t const large = options.bytes * 60 / 100;
    std::uint64_t const middle = options.bytes * 30 / 100;
    std::vector<support::model_file> models{
        {.name = "stage_c_bf16.safetensors", .folder = "unet", .size = large},
        {.name = "stage_b_bf16.safetensors", .folder = "unet", .size = middle},
        {.name = "stage_a.safetensors", .folder = "vae", .size = options.bytes - large - middle}};
    std::uint64_t seed = options.seed;
    for (auto& model : models) model = support::make_model(model, to / model.name, seed++);
    return models;
}

/// The set-up: three mirrors of the same files, each bad in its own way.
class site {
  public:
    explicit site(scenario_options const& options)
        : options_(options),
          files_(options.folder / "served"),
          into_(options.folder / "models"),
          models_(make_models(options, files_)) {
        start("mirror-1", {"--fault", "reset=0.3", "--fault", "truncate=0.2", "--fault",
                           "wrong-bytes=0.5@/stage_a.safetensors"});
        start("mirror-2", {"--fault", "unavailable=0.3", "--fault", "stall=0.1", "--fault",
                           "wrong-range=0.2", "--retry-after", "1"});
        start("mirror-3", {"--fault", "reset=0.2", "--fault", "redirect-loop=0.2"});
        std::vector<std::string> urls;
        for (auto const& server : servers_) urls.push_back(server.url());
        support::write_text(workflow(), support::workflow_naming(models_));
        support::write_text(index(), support::index_of(models_, urls));
    }

    [[nodiscard]] std::vector<support::model_file> const& models() const noexcept {
        return models_;
    }
    [[nodiscard]] fs::path target(support::model_file const& model) const {
        return into_ / model.folder / model.name;
    }
    [[nodiscard]] std::uint64_t part_size(support::model_file const& model) const {
        std::error_code none;
        auto const size = fs::file_size(fs::path{target(model)} += ".part", none);
        return none ? 0 : size;
    }
    [[nodiscard]] std::uint64_t bytes_here() const {
        std::uint64_t sum = 0;
        for (auto const& model : models_)
            sum += fs::exists(target(model)) ? model.size : part_size(model);
        return sum;
    }
    [[nodiscard]] std::vector<support::access> log() const {
        std::vector<support::access> all;
        for (auto const& server : servers_) {
            auto const log = server.log();
            all.insert(all.end(), log.begin(), log.end());
        }
        return all;
    }
    [[nodiscard]] std::vector<std::string> install_command() const {
        return with_state({options_.launcher, "install", workflow(), "--index", index(), "--into",
                           into_, "--stall-seconds", "2"});
    }
    [[nodiscard]] std::vector<std::string> resume_command() const {
        return with_state({options_.launcher, "resume", "--stall-seconds", "2"});
    }
    [[nodiscard]] std::vector<std::string> status_command() const {
        return with_state({options_.launcher, "status", "--json"});
    }

  private:
    [[nodiscard]] std::vector<std::string> with_state(std::vector<std::string> command) const {
        // Temporary folders are RAM disks on many systems, and good enough for a demonstration.
        command.insert(command.end(), {"--state", options_.folder / "state" / "launcher.db",
                                       "--accept-file-system", "tmpfs"});
        return command;
    }
    void start(std::string const& name, std::vector<std::string> options) {
        options.insert(options.end(),
                       {"--seed", std::to_string(options_.seed + servers_.size()), "--rate",
                        std::to_string(options_.bytes_per_second), "--stall-for", "4"});
        servers_.emplace_back(options_.server, files_, options_.folder, name, options);
    }
    [[nodiscard]] fs::path workflow() const { return options_.folder / "workflow.json"; }
    [[nodiscard]] fs::path index() const { return options_.folder / "models.json"; }

    scenario_options const& options_;
    fs::path files_;
    fs::path into_;
    std::vector<support::model_file> models_;
    std::list<support::loopback_server> servers_;
};

/// Runs the launcher until it has fetched its share, then kills it without a warning.
void run_and_kill(site const& site, scenario_options const& options) {
    auto const enough =
        static_cast<std::uint64_t>(options.kill_at * static_cast<double>(options.bytes));
    support::child_process launcher{site.install_command()};
    bool const reached = support::eventually(
        run_max, [&] { return site.bytes_here() >= enough || !launcher.running(); });
    if (!reached || !launcher.running())
        throw std::runtime_error("the launcher ended before it could be killed");
    launcher.send_signal(SIGKILL);
    launcher.wait_for(run_max);
}

nlohmann::json status_of(site const& site, fs::path const& folder) {
    fs::path const output = folder / "status.json";
    support::child_process status{site.status_command(), output};
    if (status.wait_for(run_max) != support::child_exit{})
        throw std::runtime_error("launcher status failed: " + support::read_text(output));
    return nlohmann::json::parse(support::read_text(output)).back().at("files");
}

void add_recorded(file_result& file, nlohmann::json const& status) {
    for (auto const& known : status) {
        if (known.at("name") != file.model.name) continue;
        file.attempts = known.at("attempts").get<std::uint32_t>();
        file.mismatches = known.at("mismatches").get<std::uint32_t>();
        file.failures = known.at("failures").get<std::map<std::string, std::uint32_t>>();
        if (auto const& at = known.at("resumed_at"); !at.is_null())
            file.resumed_at = at.get<std::uint64_t>();
    }
}

void add_served(file_result& file, std::vector<support::access> const& log) {
    for (auto const& entry : log) {
        if (entry.path != "/" + file.model.name) continue;
        file.bytes_fetched += entry.bytes_sent;
        if (file.resumed_at && support::first_byte_asked(entry) == *file.resumed_at)
            file.resumption_seen = true;
    }
}

}  // namespace

scenario_result run_scenario(scenario_options const& options) {
    std::printf("making models of %.0f MB from seed %llu, starting three mirrors\n",
                static_cast<double>(options.bytes) / 1e6,
                static_cast<unsigned long long>(options.seed));
    std::fflush(stdout);
    site const site{options};
    scenario_result result;

    std::printf("\n== installing, to be killed at %.0f %%\n", 100 * options.kill_at);
    std::fflush(stdout);
    auto const began = clock::now();
    run_and_kill(site, options);
    auto const killed = clock::now();
    for (auto const& model : site.models())
        result.files.push_back({.model = model,
                                .finished_before_kill = fs::exists(site.target(model)),
                                .part_at_kill = site.part_size(model)});

    std::printf("\n== killed with SIGKILL; resuming\n");
    std::fflush(stdout);
    support::child_process resumed{site.resume_command()};
    auto const ended = resumed.wait_for(run_max);
    if (!ended || ended->signal != 0) throw std::runtime_error("the resumed launcher did not end");
    result.exit_code = ended->code;
    result.before_kill = killed - began;
    result.after_kill = clock::now() - killed;

    auto const status = status_of(site, options.folder);
    auto const log = site.log();
    for (auto& file : result.files) {
        add_recorded(file, status);
        add_served(file, log);
        file.checksum_right = fs::exists(site.target(file.model)) &&
                              support::sha256_of_file(site.target(file.model)) == file.model.sha256;
    }
    for (auto const& entry : log)
        if (entry.fault != "none") ++result.faults_injected[entry.fault];
    return result;
}

}  // namespace demo
