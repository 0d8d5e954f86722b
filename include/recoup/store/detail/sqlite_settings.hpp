// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_connection.hpp>
#include <recoup/store/sqlite_options.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Pages in the log that call for moving them into the database: some 4 MiB.
inline constexpr std::uint64_t checkpoint_pages = 1000;

inline constexpr char const* synchronous_level(durability wanted) noexcept {
    switch (wanted) {
        case durability::none: return "0";
        case durability::process_crash: return "1";
        case durability::power_loss: return "2";
    }
    return "2";
}

struct pragma_setting {
    char const* name;
    std::string value;
    std::string reads;  ///< what reading it back must give
};

/// Whether this version of SQLite may have two connections that write to one file in WAL mode. Before, two
/// that reset the log at the same time can damage it.
inline constexpr bool log_stands_two_writers(int version) noexcept {
    return version >= 3051003 || (version >= 3050007 && version < 3051000) ||
           (version >= 3044006 && version < 3045000);
}

inline bool uses_log(sqlite_store_options const& options) noexcept {
    return options.sharing == sharing::exclusive ||
           log_stands_two_writers(sqlite3_libversion_number());
}

/// What durability and the bounds on memory rest on. In this order: the log's mode comes before what
/// belongs to the log.
inline std::vector<pragma_setting> settings_for(sqlite_store_options const& options) {
    auto const power_loss = options.durability == durability::power_loss;
    auto const level = std::string{synchronous_level(options.durability)};
    auto const full = std::string{power_loss ? "1" : "0"};
    auto const log_bytes = std::to_string(checkpoint_pages * 4096);
    auto const* const journal = uses_log(options) ? "wal" : "truncate";
    return {{"locking_mode", "NORMAL", "normal"},
            {"journal_mode", journal, journal},
            {"synchronous", level, level},
            {"fullfsync", full, full},
            {"checkpoint_fullfsync", full, full},
            {"wal_autocheckpoint", "0", "0"},
            {"journal_size_limit", log_bytes, log_bytes},
            {"cache_size", "-1024", "-1024"},
            {"temp_store", "2", "2"},
            {"cell_size_check", "1", "1"},
            {"trusted_schema", "0", "0"}};
}

/// Makes the settings and reads each back; refuses where one differs.
inline result<void> apply_settings(sqlite_connection& file, sqlite_store_options const& options) {
    for (auto const& each : settings_for(options))
        if (auto made = file.set(each.name, each.value, each.reads); !made.has_value()) return made;
    // No memory map: a file that is cut short under one ends the program. A library built without says
    // nothing at all.
    auto const map = file.ask("PRAGMA mmap_size=0");
    if (!map.has_value()) return map.error();
    if (map.value().value_or("0") != "0")
        return store_failure(
            store_errc::setting_refused,
            "PRAGMA mmap_size of " + file.path() + " is \"" + *map.value() + "\"; expected \"0\"");
    auto const page = file.ask_number("PRAGMA page_size");
    if (!page.has_value()) return page.error();
    auto const page_bytes = static_cast<std::uint64_t>(page.value() > 0 ? page.value() : 4096);
    // Never below what the file has: then it is full until something is removed.
    auto const pages =
        file.ask_number("PRAGMA max_page_count=" + std::to_string(std::max<std::uint64_t>(
                                                       1, options.file_bytes_max / page_bytes)));
    if (!pages.has_value()) return pages.error();
    file.watch_log();  // behind wal_autocheckpoint, which takes the hook
    return success();
}

/// The settings as they are in force, read from SQLite.
inline result<std::vector<std::pair<std::string, std::string>>> read_settings(
    sqlite_connection& file) {
    std::vector<std::pair<std::string, std::string>> all{{"sqlite_version", sqlite3_libversion()}};
    for (auto const* name :
         {"application_id", "user_version", "locking_mode", "journal_mode", "synchronous",
          "fullfsync", "checkpoint_fullfsync", "wal_autocheckpoint", "journal_size_limit",
          "cache_size", "temp_store", "cell_size_check", "trusted_schema", "mmap_size", "page_size",
          "page_count", "max_page_count"}) {
        auto const value = file.ask(std::string{"PRAGMA "} + name);
        if (!value.has_value()) return value.error();
        all.emplace_back(name, value.value().value_or("0"));
    }
    return all;
}

}  // namespace recoup::inline v1::detail
