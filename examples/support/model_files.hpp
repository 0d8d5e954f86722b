// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace support {

/// A made-up model: a file of pseudo-random bytes that a seed fixes.
struct model_file {
    std::string name;    ///< as a workflow names it
    std::string folder;  ///< sub-folder that an index puts it in
    std::uint64_t size = 0;
    std::string sha256{};
};

/// Writes `size` bytes that `seed` alone determines and returns the model with its checksum.
/// Throws: std::system_error.
[[nodiscard]] model_file make_model(model_file model, std::filesystem::path const& to,
                                    std::uint64_t seed);

/// A workflow as ComfyUI exports it, with one loader node a model.
[[nodiscard]] std::string workflow_naming(std::vector<model_file> const& models);

/// An index that lists each model under each mirror (`http://host:port/folder`).
[[nodiscard]] std::string index_of(std::vector<model_file> const& models,
                                   std::vector<std::string> const& mirrors);

}  // namespace support
