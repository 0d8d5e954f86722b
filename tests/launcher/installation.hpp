// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "launcher/errc.hpp"
#include "support/child_process.hpp"
#include "support/loopback_server.hpp"
#include "support/model_files.hpp"
#include "support/sha256.hpp"
#include "support/temporary_folder.hpp"
#include "support/text_file.hpp"

#include <chrono>
#include <filesystem>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace launcher_tests {

/// What the launcher did: its exit code and all that it printed.
struct run_result {
    int code = 0;
    std::string output;
};

/// Models, a workflow and an index in a folder of their own, and a launcher to install them.
class installation {
  public:
    /// Makes models with these names and sizes.
    explicit installation(std::vector<support::model_file> models, std::uint64_t seed = 1)
        : models_(std::move(models)) {
        for (auto& model : models_)
            model = support::make_model(model, files() / model.name, seed++);
    }

    [[nodiscard]] std::filesystem::path folder() const { return work_.path(); }
    [[nodiscard]] std::filesystem::path files() const { return work_.path() / "served"; }
    [[nodiscard]] std::filesystem::path into() const { return work_.path() / "models"; }
    [[nodiscard]] std::filesystem::path state() const { return work_.path() / "state" / "l.db"; }
    [[nodiscard]] std::filesystem::path workflow() const { return work_.path() / "workflow.json"; }
    [[nodiscard]] std::filesystem::path index() const { return work_.path() / "models.json"; }
    [[nodiscard]] std::vector<support::model_file> const& models() const { return models_; }
    [[nodiscard]] std::filesystem::path target(support::model_file const& model) const {
        return into() / model.folder / model.name;
    }

    /// Starts a fault_server for the models; it stops with this.
    support::loopback_server& serve(std::vector<std::string> const& options = {}) {
        return servers_.emplace_back(FAULT_SERVER, files(), folder(),
                                     "server-" + std::to_string(servers_.size()), options);
    }

    /// Writes workflow and index; the index names these mirrors.
    void write_inputs(std::vector<std::string> const& mirrors) const {
        support::write_text(workflow(), support::workflow_naming(models_));
        support::write_text(index(), support::index_of(models_, mirrors));
    }
    void write_inputs() const {
        std::vector<std::string> urls;
        for (auto const& server : servers_) urls.push_back(server.url());
        write_inputs(urls);
    }

    /// The index as JSON, to be changed and written back.
    [[nodiscard]] nlohmann::json read_index() const {
        return nlohmann::json::parse(support::read_text(index()));
    }
    void write_index(nlohmann::json const& json) const {
        support::write_text(index(), json.dump());
    }

    [[nodiscard]] std::vector<std::string> install_command() const {
        return with_state({LAUNCHER, "install", workflow().string(), "--index", index().string(),
                           "--into", into().string(), "--stall-seconds", "1", "--attempts", "4"});
    }
    [[nodiscard]] std::vector<std::string> resume_command() const {
        return with_state({LAUNCHER, "resume", "--stall-seconds", "1"});
    }
    [[nodiscard]] std::vector<std::string> status_command() const {
        return with_state({LAUNCHER, "status", "--json"});
    }

    /// Runs a command of the launcher to its end.
    [[nodiscard]] run_result run(std::vector<std::string> const& command) const {
        auto const output = folder() / "launcher.out";
        support::child_process launcher{command, output};
        auto const ended = launcher.wait_for(std::chrono::seconds{60});
        if (!ended || ended->signal != 0) return {.code = -1, .output = support::read_text(output)};
        return {.code = ended->code, .output = support::read_text(output)};
    }
    [[nodiscard]] run_result install(std::vector<std::string> const& options = {}) const {
        auto command = install_command();
        command.insert(command.end(), options.begin(), options.end());
        return run(command);
    }
    [[nodiscard]] run_result resume() const { return run(resume_command()); }

    /// What the launcher has on record of each file, in the order of the workflow.
    [[nodiscard]] nlohmann::json status() const {
        auto const printed = run(status_command());
        return nlohmann::json::parse(printed.output).back().at("files");
    }

    /// Whether the launcher has come so far as to record what it installs.
    [[nodiscard]] bool recorded() const {
        if (!std::filesystem::exists(state())) return false;
        auto const printed = run(status_command());
        return printed.code == 0 && !nlohmann::json::parse(printed.output).empty();
    }

    /// Whether each model is in its place with the right checksum.
    [[nodiscard]] bool all_right() const {
        for (auto const& model : models_) {
            if (!std::filesystem::exists(target(model))) return false;
            if (support::sha256_of_file(target(model)) != model.sha256) return false;
        }
        return true;
    }

    /// Whether no file has a final name that it does not deserve.
    [[nodiscard]] bool none_damaged() const {
        for (auto const& model : models_)
            if (std::filesystem::exists(target(model)) &&
                support::sha256_of_file(target(model)) != model.sha256)
                return false;
        return true;
    }

  private:
    [[nodiscard]] std::vector<std::string> with_state(std::vector<std::string> command) const {
        // The system's temporary folder may be a RAM disk.
        command.insert(command.end(),
                       {"--state", state().string(), "--accept-file-system", "tmpfs"});
        return command;
    }

    support::temporary_folder work_{"launcher-test"};
    std::vector<support::model_file> models_;
    std::list<support::loopback_server> servers_;
};

}  // namespace launcher_tests
