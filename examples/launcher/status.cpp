// SPDX-License-Identifier: BSL-1.0
#include "launcher/status.hpp"

#include "launcher/progress_board.hpp"
#include "launcher/safe_path.hpp"

#include <array>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace launcher {

namespace {

using nlohmann::json;

char const* state_of(std::optional<recoup::record> const& record) noexcept {
    if (!record) return "queued";
    switch (record->status) {
        case recoup::record_status::running: return "unfinished";
        case recoup::record_status::succeeded: return "installed";
        case recoup::record_status::failed: return "failed";
    }
    return "unknown";
}

json file_status(recoup::sqlite_store& store, installation const& what, model const& each) {
    recorded_download const download = find_download(store, what.into, each);
    json file{{"name", each.name},
              {"path", (what.into / each.target).string()},
              {"size", each.size},
              {"sha256", each.sha256},
              {"state", state_of(download.record)},
              {"bytes", download.progress.bytes},
              {"attempts", download.progress.attempts},
              {"failures", download.progress.failures},
              {"mismatches", download.progress.mismatches},
              {"resumed_at", nullptr},
              {"last_failure", nullptr}};
    if (download.progress.resumed_at) file["resumed_at"] = *download.progress.resumed_at;
    if (download.record && download.record->last_failure)
        file["last_failure"] = download.record->last_failure->message;
    return file;
}

json status(recoup::sqlite_store& store) {
    json all = json::array();
    for (recorded_installation const& known : installations(store)) {
        json files = json::array();
        for (model const& each : known.what.models)
            files.push_back(file_status(store, known.what, each));
        all.push_back({{"workflow", known.what.workflow.string()},
                       {"into", known.what.into.string()},
                       {"state", state_of(known.record)},
                       {"runs", known.record.attempts},
                       {"files", std::move(files)}});
    }
    return all;
}

std::string line_of(json const& file) {
    auto const size = file.at("size").get<double>();
    auto const bytes = file.at("bytes").get<double>();
    std::string failures;
    for (auto const& [category, count] : file.at("failures").items())
        failures +=
            (failures.empty() ? "" : ", ") + std::to_string(count.get<int>()) + " " + category;
    std::array<char, 160> columns{};
    std::snprintf(columns.data(), columns.size(), "  %-34.34s %-10s %5.1f %% of %9s %8u  ",
                  printable(file.at("name").get<std::string>()).c_str(),
                  file.at("state").get<std::string>().c_str(), size > 0 ? 100 * bytes / size : 100,
                  human_bytes(size).c_str(), file.at("attempts").get<unsigned>());
    return columns.data() + (failures.empty() ? "-" : failures) + "\n";
}

}  // namespace

std::string status_json(recoup::sqlite_store& store) {
    return status(store).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string status_table(recoup::sqlite_store& store) {
    std::string table;
    for (json const& known : status(store)) {
        table += printable(known.at("workflow").get<std::string>()) + " into " +
                 printable(known.at("into").get<std::string>()) + ": " +
                 known.at("state").get<std::string>() + "\n";
        table +=
            "  model                              state              done          attempts  "
            "failures\n";
        for (json const& file : known.at("files")) {
            table += line_of(file);
            if (file.at("state") == "failed" && file.at("last_failure").is_string())
                table += "      " + printable(file.at("last_failure").get<std::string>()) + "\n";
        }
    }
    return table.empty() ? "nothing was installed with this state file yet\n" : table;
}

}  // namespace launcher
