// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace launcher {

/// What an index knows of one model.
struct model {
    std::string name{};                  ///< as workflows name it, with '/' between folders
    std::filesystem::path target{};      ///< where it belongs, below the folder to install into
    std::uint64_t size = 0;              ///< bytes
    std::string sha256{};                ///< 64 lower-case hexadecimal digits
    std::vector<std::string> mirrors{};  ///< URLs of the same file, the preferred one first

    friend bool operator==(model const&, model const&) = default;
};

void to_json(nlohmann::json& json, model const& what);
void from_json(nlohmann::json const& json, model& what);

/// The models by name.
using model_index = std::map<std::string, model, std::less<>>;

/// Reads an index:
///
///     {"version": 1, "models": [{"name": "a.safetensors", "folder": "checkpoints", "size": 123,
///       "sha256": "64 hexadecimal digits", "mirrors": ["https://…/a.safetensors"]}]}
///
/// Throws: problem (index_unreadable, index_malformed, unsafe_path).
[[nodiscard]] model_index read_index(std::filesystem::path const& path);

/// The same for an index that is parsed already; `name` is for sentences.
[[nodiscard]] model_index read_index(nlohmann::json const& index, std::string const& name);

/// The models to install for a workflow, checked so that no two lie at the same place.
/// Throws: problem (model_not_in_index, unsafe_path, and those of reading both files).
[[nodiscard]] std::vector<model> plan_installation(std::filesystem::path const& workflow,
                                                   std::filesystem::path const& index);

/// The same for names and an index that were read already.
[[nodiscard]] std::vector<model> plan_installation(std::vector<std::string> const& names,
                                                   model_index const& index);

}  // namespace launcher
