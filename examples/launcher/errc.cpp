// SPDX-License-Identifier: BSL-1.0
#include "launcher/errc.hpp"

#include <array>
#include <cerrno>

namespace launcher {

namespace {

constexpr std::array<exit_code_info, 21> table{{
    {errc::unexpected, "unexpected", "something happened that the launcher does not know"},
    {errc::usage, "usage", "the command line is wrong"},
    {errc::workflow_unreadable, "workflow-unreadable", "the workflow file cannot be read"},
    {errc::workflow_malformed, "workflow-malformed",
     "the workflow is no JSON, too large, too deep, or not a workflow"},
    {errc::index_unreadable, "index-unreadable", "the index file cannot be read"},
    {errc::index_malformed, "index-malformed",
     "the index is no JSON, too large, too deep, or not an index"},
    {errc::model_not_in_index, "model-not-in-index",
     "the workflow names a model that the index does not have"},
    {errc::unsafe_path, "unsafe-path", "a file name would leave the folder to install into"},
    {errc::no_permission, "no-permission", "a file or folder may not be written"},
    {errc::disk_full, "disk-full", "there is not enough space for the models"},
    {errc::disk_failed, "disk-failed", "reading, writing or syncing a file failed"},
    {errc::download_failed, "download-failed",
     "no mirror could be reached, or none kept on sending"},
    {errc::not_served, "not-served", "every mirror refuses the file or does not have it"},
    {errc::redirect_loop, "redirect-loop", "a mirror redirects without end"},
    {errc::wrong_size, "wrong-size", "a mirror's file has another size than the index says"},
    {errc::wrong_range, "wrong-range", "a mirror sends another range than was asked for"},
    {errc::wrong_bytes, "wrong-bytes", "a finished file has another SHA-256 than the index says"},
    {errc::state_locked, "state-locked", "another launcher uses the state file or the model file"},
    {errc::state_unusable, "state-unusable", "the state file cannot be opened or is damaged"},
    {errc::nothing_recorded, "nothing-recorded", "the state file holds no installation"},
    {errc::interrupted, "interrupted", "stopped by a signal; `launcher resume` continues"},
}};

class launcher_error_category final : public std::error_category {
  public:
    [[nodiscard]] char const* name() const noexcept override { return "launcher"; }
    [[nodiscard]] std::string message(int code) const override {
        for (auto const& line : table)
            if (static_cast<int>(line.code) == code) return std::string(line.meaning);
        return "unknown launcher error " + std::to_string(code);
    }
};

}  // namespace

std::span<exit_code_info const> exit_codes() noexcept { return table; }

std::string exit_code_table() {
    std::string text = "Exit codes:\n    0  everything is installed\n";
    for (auto const& line : table) {
        std::string const number = std::to_string(static_cast<int>(line.code));
        text += std::string(5 - number.size(), ' ') + number + "  ";
        text += std::string(line.name) + ": " + std::string(line.meaning) + "\n";
    }
    return text;
}

std::error_category const& error_category() noexcept {
    static launcher_error_category const instance;
    return instance;
}

std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), error_category()};
}

errc from_errno(int error, errc fallback) noexcept {
    switch (error) {
        case EACCES:
        case EPERM:
        case EROFS:
        case ELOOP: return errc::no_permission;
        case ENOSPC:
        case EDQUOT:
        case EFBIG: return errc::disk_full;
        default: return fallback;
    }
}

}  // namespace launcher
