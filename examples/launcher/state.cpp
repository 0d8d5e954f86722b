// SPDX-License-Identifier: BSL-1.0
#include "launcher/state.hpp"

#include "launcher/failures.hpp"
#include "support/sha256.hpp"

#include <algorithm>
#include <cstdlib>
#include <span>
#include <tuple>

#include <nlohmann/json.hpp>
#include <recoup/core/encoding.hpp>
#include <recoup/json.hpp>

namespace launcher {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t installations_max = 1000;
constexpr std::size_t key_digits = 32;

std::string sha256_of_text(std::string const& text) {
    support::sha256 hash;
    hash.update(std::as_bytes(std::span{text}));
    return hash.hex_digest();
}

[[noreturn]] void unusable(recoup::failure const& failure) {
    throw problem(exit_code_of(failure), "the state file: " + failure.message());
}

template <class T>
std::optional<T> decoded(std::optional<std::string> const& bytes) {
    return bytes ? recoup::encoding<T>::decode(*bytes) : std::nullopt;
}

}  // namespace

void to_json(nlohmann::json& json, installation const& what) {
    json = {{"workflow", what.workflow.string()},
            {"into", what.into.string()},
            {"models", what.models}};
}

void from_json(nlohmann::json const& json, installation& what) {
    what.workflow = json.at("workflow").get<std::string>();
    what.into = json.at("into").get<std::string>();
    json.at("models").get_to(what.models);
}

std::string install_key(installation const& what) {
    std::string text = what.into.lexically_normal().string();
    for (model const& each : what.models)
        text.append("\n").append(each.target.string()).append(" ").append(each.sha256);
    return sha256_of_text(text).substr(0, key_digits);
}

std::string download_key(fs::path const& into, model const& what) {
    std::string const place = (into / what.target).lexically_normal().string();
    return sha256_of_text(place + "\n" + what.sha256).substr(0, key_digits);
}

fs::path default_state_file() {
    // NOLINTBEGIN(concurrency-mt-unsafe): read before any thread is started.
    char const* const state = std::getenv("XDG_STATE_HOME");
    char const* const home = std::getenv("HOME");
    // NOLINTEND(concurrency-mt-unsafe)
    fs::path folder = ".";
    if (state != nullptr && fs::path{state}.is_absolute())
        folder = state;
    else if (home != nullptr && *home != '\0')
        folder = fs::path{home} / ".local" / "state";
    return folder / "recoup-launcher" / "launcher.db";
}

std::unique_ptr<recoup::sqlite_store> open_state(fs::path const& file,
                                                 state_options const& options) {
    // The store makes the last folder itself, for nobody but the user.
    std::error_code error;
    fs::create_directories(fs::absolute(file).parent_path().parent_path(), error);
    if (error)
        throw problem(from_errno(error.value(), errc::state_unusable),
                      "the folder for the state file '" + file.string() +
                          "' cannot be made: " + error.message());
    auto opened = recoup::sqlite_store::open(
        file.string(),
        {.accepted_file_systems = options.accepted_file_systems, .read_only = options.read_only});
    if (opened) return std::move(opened).value();
    errc const code = exit_code_of(opened.error());
    throw problem(
        code == errc::state_locked ? code : errc::state_unusable,
        "the state file '" + file.string() + "' cannot be used: " + opened.error().message());
}

std::vector<recorded_installation> installations(recoup::sqlite_store& store) {
    recoup::record_filter filter;
    filter.name = install_operation;
    filter.limit = installations_max;
    auto found = store.list(filter);
    if (!found) unusable(found.error());
    std::vector<recorded_installation> all;
    for (recoup::record& record : found.value()) {
        // A running or failed one keeps the plan as its checkpoint, a finished one as its result.
        auto plan = decoded<installation>(record.checkpoint);
        if (!plan) plan = decoded<installation>(record.result);
        if (plan) all.push_back({.what = std::move(*plan), .record = std::move(record)});
    }
    std::sort(all.begin(), all.end(), [](auto const& a, auto const& b) {
        return std::tie(a.record.updated, a.record.id.key) <
               std::tie(b.record.updated, b.record.id.key);
    });
    return all;
}

recorded_download find_download(recoup::sqlite_store& store, fs::path const& into,
                                model const& what) {
    std::string const key = download_key(into, what);
    auto found = store.load({.name = download_operation, .key = key}, recoup::unlimited);
    if (!found) unusable(found.error());
    recorded_download download{.record = std::move(found).value()};
    if (!download.record) return download;
    auto known = decoded<download_record>(download.record->checkpoint);
    if (!known) known = decoded<download_record>(download.record->result);
    if (known) download.progress = std::move(*known);
    // A failure after the last checkpoint is known to the record alone.
    download.progress.attempts = std::max(download.progress.attempts, download.record->attempts);
    return download;
}

}  // namespace launcher
