// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace async_client {

struct scenario_options {
    std::filesystem::path server{};  ///< the fault_server
    std::filesystem::path folder{};  ///< for what is made on the way
    std::uint32_t clients = 16;      ///< coroutines that ask one after the other, at the same time
};

/// What happened from one event to the next.
struct phase {
    std::string name{};
    std::uint64_t answered = 0;                       ///< requests that ended with the right body
    std::map<std::string, std::uint64_t> failures{};  ///< attempts that failed, by category
    std::chrono::milliseconds back_after{};  ///< from the server's return to the next right answer
};

struct scenario_result {
    std::vector<phase> phases{};
    std::uint64_t failed = 0;     ///< requests that ended in failure
    std::string first_failure{};  ///< what the first of them ended with
    std::uint64_t wrong = 0;      ///< requests that were answered with something else
    std::uint32_t at_once = 0;    ///< attempts that the bulkhead admitted at a time, by its options
    std::uint32_t most_at_once = 0;       ///< attempts that really ran at a time, at the most
    std::chrono::milliseconds longest{};  ///< the longest request
};

/// Runs the clients against a server that is killed and started again, then frozen and thawed.
/// Throws: std::exception where the server does not start, or nothing goes on for half a minute.
scenario_result run_scenario(scenario_options const& options);

}  // namespace async_client
