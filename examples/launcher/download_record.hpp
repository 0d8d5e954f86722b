// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace launcher {

/// What is known of one download: saved as its checkpoint, and kept as its result.
struct download_record {
    std::uint64_t bytes = 0;  ///< the first `bytes` of the .part file survive a power cut
    std::uint32_t attempts = 0;
    std::optional<std::uint64_t> resumed_at{};  ///< where the last new process continued
    std::uint32_t mismatches = 0;               ///< how often a finished file had a wrong checksum
    std::map<std::string, std::uint32_t> failures{};  ///< failed attempts by category
    std::map<std::string, std::string> etags{};       ///< by mirror
    std::map<std::string, std::uint64_t> sources{};   ///< bytes of the .part file by mirror
    std::map<std::string, std::uint32_t> strikes{};   ///< proven lies by mirror

    /// Forgets the bytes, not the experience.
    void start_over() {
        bytes = 0;
        sources.clear();
        etags.clear();
    }
    friend bool operator==(download_record const&, download_record const&) = default;
};

void to_json(nlohmann::json& json, download_record const& record);
void from_json(nlohmann::json const& json, download_record& record);

}  // namespace launcher
