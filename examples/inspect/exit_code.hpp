// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace inspect {

/// How the program ends. The numbers are its exit codes.
enum class exit_code {
    ok = 0,
    not_found = 1,
    usage = 2,
    store = 3,
    damage = 4,
    refused = 5,
    not_taken = 6,
    in_use = 7,
    unexpected = 8,
};

/// One line of the table of exit codes.
struct exit_code_info {
    exit_code code;
    std::string_view meaning;
};

/// All exit codes, in ascending order.
[[nodiscard]] std::span<exit_code_info const> exit_codes() noexcept;

/// The table of exit codes as `--help` prints it.
[[nodiscard]] std::string exit_code_table();

/// Ends the program with one sentence and an exit code.
class problem : public std::runtime_error {
  public:
    problem(exit_code code, std::string const& sentence)
        : std::runtime_error(sentence), code_{code} {}

    [[nodiscard]] exit_code code() const noexcept { return code_; }

  private:
    exit_code code_;
};

/// What a store said, as the program's end.
[[nodiscard]] problem problem_of(recoup::failure const& what);

/// The value of a result; else ends the program with what the store said.
template <class Result>
typename Result::value_type value_of(Result result) {
    if (!result.has_value()) throw problem_of(result.error());
    if constexpr (!std::is_void_v<typename Result::value_type>)
        return std::move(result).assume_value();
}

}  // namespace inspect
