// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/report.hpp"

#include <filesystem>
#include <string>

namespace bench {

/// An empty folder for stores: what a killed run left behind must not be measured.
inline std::string fresh_folder(plan const& chosen, std::string const& name) {
    auto const folder = chosen.scratch + "/durable/" + name;
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    return folder;
}

}  // namespace bench
