// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace launcher {

/// What can go wrong with an installation. The numbers are the program's exit codes.
enum class errc {
    unexpected = 1,
    usage = 2,

    workflow_unreadable = 10,
    workflow_malformed = 11,
    index_unreadable = 12,
    index_malformed = 13,
    model_not_in_index = 14,
    unsafe_path = 15,

    no_permission = 20,
    disk_full = 21,
    disk_failed = 22,

    download_failed = 30,
    not_served = 31,
    redirect_loop = 32,
    wrong_size = 33,
    wrong_range = 34,
    wrong_bytes = 35,

    state_locked = 40,
    state_unusable = 41,
    nothing_recorded = 42,

    interrupted = 130,  // as a shell reports SIGINT
};

/// One line of the table of exit codes.
struct exit_code_info {
    errc code;
    std::string_view name;
    std::string_view meaning;
};

/// All exit codes but 0, in ascending order.
[[nodiscard]] std::span<exit_code_info const> exit_codes() noexcept;

/// The table of exit codes as `--help` prints it.
[[nodiscard]] std::string exit_code_table();

[[nodiscard]] std::error_category const& error_category() noexcept;
[[nodiscard]] std::error_code make_error_code(errc code) noexcept;

/// Ends the program with one sentence and an exit code.
class problem : public std::system_error {
  public:
    problem(errc code, std::string sentence)
        : std::system_error(make_error_code(code)), sentence_(std::move(sentence)) {}

    /// One sentence for the user.
    [[nodiscard]] char const* what() const noexcept override { return sentence_.c_str(); }

  private:
    std::string sentence_;
};

/// The exit code for what the operating system said; `fallback` where it is nothing special.
[[nodiscard]] errc from_errno(int error, errc fallback) noexcept;

}  // namespace launcher

template <>
struct std::is_error_code_enum<launcher::errc> : std::true_type {};
