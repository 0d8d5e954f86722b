// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/access_log.hpp"
#include "support/model_files.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace demo {

struct scenario_options {
    std::filesystem::path launcher;
    std::filesystem::path server;
    std::filesystem::path folder;  ///< empty, for everything that is made
    std::uint64_t seed = 42;
    std::uint64_t bytes = 100'000'000;           ///< of all models together
    std::uint64_t bytes_per_second = 6'000'000;  ///< of each connection
    double kill_at = 0.4;  ///< share of all bytes at which the launcher is killed
};

/// What became of one model.
struct file_result {
    support::model_file model;
    bool finished_before_kill = false;
    std::uint64_t part_at_kill = 0;             ///< bytes of the unfinished file at the kill
    std::optional<std::uint64_t> resumed_at{};  ///< as the launcher recorded it
    bool resumption_seen = false;               ///< a server was asked for the bytes from there
    std::uint32_t attempts = 0;
    std::uint32_t mismatches = 0;
    std::map<std::string, std::uint32_t> failures{};  ///< by category
    std::uint64_t bytes_fetched = 0;                  ///< as the servers counted
    bool checksum_right = false;

    /// Bytes that were fetched more than once; without whole files thrown away as damaged.
    [[nodiscard]] std::uint64_t fetched_twice() const noexcept {
        std::uint64_t const needed = model.size * (1 + std::uint64_t{mismatches});
        return bytes_fetched > needed ? bytes_fetched - needed : 0;
    }
};

struct scenario_result {
    std::vector<file_result> files;
    std::map<std::string, std::uint32_t> faults_injected;  ///< by kind
    int exit_code = 0;                                     ///< of the resumed launcher
    std::chrono::duration<double> before_kill{};
    std::chrono::duration<double> after_kill{};
};

/// Serves made-up models with faults, installs them, kills the launcher on the way, resumes.
/// Throws: std::exception where the scenario itself cannot be set up.
[[nodiscard]] scenario_result run_scenario(scenario_options const& options);

}  // namespace demo
