// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/postgres_connection.hpp>
#include <recoup/store/postgres_options.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace recoup::inline v1::detail {

/// A setting of the server that durability rests on, and what it must not be.
struct needed_setting {
    char const* name;
    char const* refused;
};
inline constexpr std::array<needed_setting, 3> needed_settings{
    {{"synchronous_commit", "off"}, {"fsync", "off"}, {"full_page_writes", "off"}}};

inline postgres_problem refused_setting(std::string text) {
    return {"", std::move(text), false, store_errc::setting_refused};
}

/// Reads what durability rests on, as it is in force in this session.
inline std::optional<postgres_problem> check_settings(postgres_connection& on,
                                                      postgres_store_options const& options,
                                                      steady_time until) {
    std::string sql = "SELECT current_setting('server_encoding', true)";
    for (auto const& one : needed_settings)
        sql += std::string{", current_setting('"} + one.name + "', true)";
    auto read = on.run(sql, {}, until);
    if (read.failed()) return std::move(read.problem);
    if (read.rows.size() != 1 || read.rows.text(0, 0) != "UTF8")
        return refused_setting("the database's encoding is " + std::string{read.rows.text(0, 0)} +
                               "; expected UTF8: make the database with ENCODING 'UTF8'");
    if (options.durability != durability::power_loss) return std::nullopt;
    for (std::size_t i = 0; i != needed_settings.size(); ++i) {
        auto const& needed = needed_settings[i];
        auto const column = static_cast<int>(i) + 1;
        auto const unknown = read.rows.is_null(0, column);
        if (unknown && options.accept_unknown_settings) continue;
        if (!unknown && read.rows.text(0, column) != needed.refused) continue;
        auto const found = unknown ? "unknown to the server" : std::string{needed.refused};
        return refused_setting(std::string{needed.name} + " is " + found +
                               ", with which a commit that was acknowledged may be lost with the "
                               "power; expected on: set " +
                               needed.name +
                               " = on for the server, the database or the role, or ask for less "
                               "durability than power_loss");
    }
    return std::nullopt;
}

// The plans that are right for these tables at any size. Whoever has no statistics yet may plan to read a
// table whole, and would keep that plan while the table grows. What a plan costs that was ruled out so, the
// server takes for work that is worth compiling: a tenth of a second, to read the few rows of the owners.
// A transaction of the user's takes them back.
inline constexpr std::array<char const*, 5> planner_settings{
    "enable_seqscan", "enable_hashjoin", "enable_mergejoin", "plan_cache_mode", "jit"};

/// Makes a new connection fit for use.
inline std::optional<postgres_problem> prepare_session(postgres_connection& on,
                                                       postgres_store_options const& options,
                                                       steady_time until) {
    if (auto why = check_settings(on, options, until)) return why;
    auto const most = std::chrono::ceil<std::chrono::milliseconds>(options.call_wait).count();
    auto knows_planner = true;
    std::array<std::string, 8> const wishes{
        // What was read just now stays, whatever is set for the server meanwhile.
        "SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false)",
        "SET statement_timeout = " + std::to_string(most),
        // A transaction whose process is frozen must not keep others from its operation for good.
        "SET idle_in_transaction_session_timeout = " + std::to_string(most),
        std::string{"SET "} + planner_settings[0] + " = off",
        std::string{"SET "} + planner_settings[1] + " = off",
        std::string{"SET "} + planner_settings[2] + " = off",
        std::string{"SET "} + planner_settings[3] + " = force_generic_plan",
        std::string{"SET "} + planner_settings[4] + " = off"};
    for (std::size_t i = 0; i != wishes.size(); ++i) {
        auto done = on.run(wishes[i], {}, until);
        if (!done.failed()) continue;
        // A server of another make may not know it: what matters was read above.
        if (done.problem->lost) return std::move(done.problem);
        if (i >= 3) knows_planner = false;
    }
    on.set_knows_planner_settings(knows_planner);
    return std::nullopt;
}

}  // namespace recoup::inline v1::detail
