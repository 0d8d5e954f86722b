// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace launcher {

/// The model files that a workflow names, in the order of their first mention, each once.
///
/// A workflow is what ComfyUI exports: an object whose `nodes` have `widgets_values`, an array or an
/// object. A text among them names a model if it ends as model files do (.safetensors, .ckpt, …).
/// Nodes of sub-graphs (`definitions.subgraphs`) count, too.
/// Throws: problem (workflow_unreadable, workflow_malformed).
[[nodiscard]] std::vector<std::string> models_named_in(std::filesystem::path const& workflow);

/// The same for a workflow that is parsed already; `name` is for sentences.
[[nodiscard]] std::vector<std::string> models_named_in(nlohmann::json const& workflow,
                                                       std::string const& name);

/// Whether `text` looks like the name of a model file.
[[nodiscard]] bool names_a_model(std::string_view text) noexcept;

}  // namespace launcher
