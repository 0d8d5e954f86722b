// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "simulation/mirrors.hpp"

#include <recoup/core/time.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace simulation {

/// A workflow that a user wants to have: a few models, and an entry in a registry.
struct install {
    enum class state { wanted, complete, cancelled, impossible, dead };

    std::uint32_t number = 0;
    std::vector<model_file> files{};
    recoup::steady_time begin{};      ///< when the user clicks first
    recoup::steady_time cancel_at{};  ///< when the user has enough; zero: never
    recoup::duration patience{};      ///< how long a user looks at the progress bar
    bool sleeps = false;              ///< it waits for the night, or so
    bool clicked_twice = false;       ///< in two windows
    state is = state::wanted;

    [[nodiscard]] std::string key() const { return "workflow-" + std::to_string(number); }
    [[nodiscard]] std::string path(model_file file) const { return key() + '/' + file.name(); }
    [[nodiscard]] bool open() const noexcept { return is == state::wanted; }
};

constexpr char const* to_string(install::state is) noexcept {
    switch (is) {
        case install::state::wanted: return "wanted";
        case install::state::complete: return "complete";
        case install::state::cancelled: return "cancelled";
        case install::state::impossible: return "impossible";
        case install::state::dead: return "dead";
    }
    return "?";
}

}  // namespace simulation
