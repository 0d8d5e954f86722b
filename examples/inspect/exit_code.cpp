// SPDX-License-Identifier: BSL-1.0
#include "inspect/exit_code.hpp"

#include "inspect/text.hpp"

#include <recoup/core/errc.hpp>
#include <recoup/store/store_errc.hpp>

#include <array>

namespace inspect {

namespace {

constexpr std::array<exit_code_info, 9> table{{
    {exit_code::ok, "done; for a request: whoever owns the store has taken it"},
    {exit_code::not_found, "nothing is recorded under that name and key"},
    {exit_code::usage, "the command line is wrong"},
    {exit_code::store, "the store cannot be opened, read or written"},
    {exit_code::damage, "records are damaged or missing"},
    {exit_code::refused, "the operation is in a state that does not fit the request"},
    {exit_code::not_taken, "the request waits: the store's owner has not taken it in time"},
    {exit_code::in_use, "another process owns the store, and only an owner can do that"},
    {exit_code::unexpected, "something happened that the program does not know"},
}};

exit_code code_for(std::error_code code) noexcept {
    using recoup::errc;
    using recoup::store_errc;
    if (code == store_errc::corrupt) return exit_code::damage;
    if (code == store_errc::locked) return exit_code::in_use;
    if (code == errc::no_such_operation) return exit_code::not_found;
    if (code == errc::request_refused || code == store_errc::owned || code == store_errc::conflict)
        return exit_code::refused;
    return exit_code::store;
}

}  // namespace

std::span<exit_code_info const> exit_codes() noexcept { return table; }

std::string exit_code_table() {
    std::string text = "Exit codes:\n";
    for (auto const& each : table)
        text += "  " + std::to_string(static_cast<int>(each.code)) + "  " +
                std::string{each.meaning} + "\n";
    return text;
}

problem problem_of(recoup::failure const& what) {
    return {code_for(what.code()), printable(what.message())};
}

}  // namespace inspect
