// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "durable/order.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace orders {

struct scenario_options {
    std::filesystem::path program{};  ///< this program, which works on the order as a child
    std::filesystem::path folder{};   ///< for everything that is made
    std::string store = "sqlite";
};

/// What became of one step of an order whose process was killed.
struct step_outcome {
    std::string_view step{};
    bool recorded_at_kill = false;    ///< as the store said then
    std::size_t runs_until_kill = 0;  ///< of its body
    std::size_t runs = 0;             ///< in both lives together
    std::size_t replays = 0;          ///< its recorded result was given instead
};

/// What became of one order.
struct outcome {
    kill_point kill{};
    bool killed = false;  ///< the first life ended by SIGKILL
    int exit_code = 0;    ///< of the second
    std::vector<step_outcome> steps{};
    std::string resumed{};  ///< operations that the second life has resumed and ended
    std::string result{};   ///< what it printed
    std::string status{};   ///< as it is recorded in the end
    std::uint32_t recoveries = 0;
};

/// Starts an order, kills it at `kill`, and starts it again. Throws: std::exception where that cannot be
/// set up.
[[nodiscard]] outcome run_killed_at(kill_point kill, scenario_options const& options);

/// The same for each step, before and after its record.
[[nodiscard]] std::vector<outcome> run_all(scenario_options const& options);

}  // namespace orders
