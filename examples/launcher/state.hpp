// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "launcher/download_record.hpp"
#include "launcher/errc.hpp"
#include "launcher/model_index.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include <recoup/store/record.hpp>
#include <recoup/store/sqlite_store.hpp>

namespace launcher {

/// What an installation is to do: recorded before it begins, so that `resume` needs nothing else.
struct installation {
    std::filesystem::path workflow;  ///< for people; it is not read again
    std::filesystem::path into;      ///< absolute
    std::vector<model> models;

    friend bool operator==(installation const&, installation const&) = default;
};

void to_json(nlohmann::json& json, installation const& what);
void from_json(nlohmann::json const& json, installation& what);

/// The names of the operations in the store.
inline constexpr char const* install_operation = "install-workflow";
inline constexpr char const* download_operation = "download-model";

/// The key of an installation: the same models for the same folder.
[[nodiscard]] std::string install_key(installation const& what);

/// The key of a download: the same file for the same place, whatever mirrors there are.
[[nodiscard]] std::string download_key(std::filesystem::path const& into, model const& what);

/// Where the state lies if the user does not say: $XDG_STATE_HOME, else ~/.local/state.
[[nodiscard]] std::filesystem::path default_state_file();

struct state_options {
    bool read_only = false;  ///< to look only, even while a launcher works
    /// Kinds of file system that forget everything with the power, and are taken nevertheless.
    std::vector<std::string> accepted_file_systems{};
};

/// Opens the state file. Throws: problem (state_locked with the owner, state_unusable).
[[nodiscard]] std::unique_ptr<recoup::sqlite_store> open_state(std::filesystem::path const& file,
                                                               state_options const& options);

/// An installation as the store knows it.
struct recorded_installation {
    installation what;
    recoup::record record;
};

/// A download as the store knows it; without a record it was never begun.
struct recorded_download {
    std::optional<recoup::record> record{};
    download_record progress{};
};

/// All installations, the newest last. Throws: problem (state_unusable).
[[nodiscard]] std::vector<recorded_installation> installations(recoup::sqlite_store& store);

/// Throws: problem (state_unusable).
[[nodiscard]] recorded_download find_download(recoup::sqlite_store& store,
                                              std::filesystem::path const& into, model const& what);

}  // namespace launcher
