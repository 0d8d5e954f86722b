// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/condition.hpp>
#include <recoup/core/category.hpp>

#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

namespace recoup::inline v1 {

namespace detail {

struct sqlite_row {
    int code;
    recoup::category category;
    std::string_view text;
};

// By primary code. An I/O error is `unknown` as EIO is; its extended code may say more.
inline constexpr sqlite_row sqlite_rows[] = {
    {0, category::unknown, "not an error"},
    {1, category::invalid_schema, "SQL logic error"},
    {2, category::defect, "internal logic error"},
    {3, category::permission, "access permission denied"},
    {4, category::cancelled, "query aborted"},
    {5, category::service_unavailable, "database is locked"},
    {6, category::service_unavailable, "database table is locked"},
    {7, category::out_of_memory, "out of memory"},
    {8, category::permission, "attempt to write a readonly database"},
    {9, category::cancelled, "interrupted"},
    {10, category::unknown, "disk I/O error"},
    {11, category::corruption, "database disk image is malformed"},
    {12, category::not_found, "unknown operation"},
    {13, category::disk_full, "database or disk is full"},
    {14, category::configuration, "unable to open database file"},
    {15, category::service_unavailable, "locking protocol"},
    {16, category::unknown, "table contains no data"},
    {17, category::service_unavailable, "database schema has changed"},
    {18, category::invalid_input, "string or blob too big"},
    {19, category::invalid_input, "constraint failed"},
    {20, category::invalid_schema, "datatype mismatch"},
    {21, category::defect, "bad parameter or other API misuse"},
    {22, category::configuration, "large file support is disabled"},
    {23, category::permission, "authorization denied"},
    {24, category::invalid_format, "format error"},
    {25, category::defect, "column index out of range"},
    {26, category::corruption, "file is not a database"},
    {27, category::unknown, "notification message"},
    {28, category::unknown, "warning message"},
};

constexpr int sqlite_extended(int primary, int number) noexcept { return primary | (number << 8); }

constexpr category category_of_sqlite(int code) noexcept {
    switch (code) {
        case sqlite_extended(1, 1): return category::missing_dependency;   // MISSING_COLLSEQ
        case sqlite_extended(1, 2):                                        // ERROR_RETRY
        case sqlite_extended(1, 3): return category::service_unavailable;  // ERROR_SNAPSHOT
        case sqlite_extended(4, 2):
            return category::service_unavailable;  // ABORT_ROLLBACK
        // Another process repairs what a crash left behind.
        case sqlite_extended(5, 1): return category::maintenance;  // BUSY_RECOVERY
        case sqlite_extended(8, 4): return category::not_found;    // READONLY_DBMOVED
        case sqlite_extended(10, 2):
            return category::corruption;  // IOERR_SHORT_READ
        // After a failed sync nobody knows what reached the disk: trying again would hide it.
        case sqlite_extended(10, 4):                               // IOERR_FSYNC
        case sqlite_extended(10, 5): return category::corruption;  // IOERR_DIR_FSYNC
        case sqlite_extended(10, 8):                               // IOERR_UNLOCK
        case sqlite_extended(10, 9):                               // IOERR_RDLOCK
        case sqlite_extended(10, 11):                              // IOERR_BLOCKED
        case sqlite_extended(10, 14):                              // IOERR_CHECKRESERVEDLOCK
        case sqlite_extended(10, 15):                              // IOERR_LOCK
        case sqlite_extended(10, 20): return category::service_unavailable;  // IOERR_SHMLOCK
        case sqlite_extended(10, 12): return category::out_of_memory;        // IOERR_NOMEM
        case sqlite_extended(10, 13): return category::permission;           // IOERR_ACCESS
        case sqlite_extended(10, 28): return category::permission;           // IOERR_AUTH
        case sqlite_extended(10, 32):                                        // IOERR_DATA
        case sqlite_extended(10, 33): return category::corruption;           // IOERR_CORRUPTFS
        case sqlite_extended(14, 6): return category::permission;            // CANTOPEN_SYMLINK
        case sqlite_extended(19, 12): return category::invalid_schema;       // CONSTRAINT_DATATYPE
        case sqlite_extended(23, 1): return category::authentication;        // AUTH_USER
        default: break;
    }
    auto const primary = static_cast<unsigned>(code) & 0xFFU;
    return code > 0 && primary < std::size(sqlite_rows) ? sqlite_rows[primary].category
                                                        : category::unknown;
}

struct sqlite_error_category final : std::error_category {
    char const* name() const noexcept override { return "sqlite"; }
    std::string message(int code) const override {
        auto const primary = static_cast<unsigned>(code) & 0xFFU;
        if (code < 0 || primary >= std::size(sqlite_rows))
            return "SQLite error " + std::to_string(code);
        auto text = std::string{sqlite_rows[primary].text};
        if (code > 0xFF) text += " (extended code " + std::to_string(code) + ')';
        return text;
    }
    std::error_condition default_error_condition(int code) const noexcept override {
        return make_error_condition(category_of_sqlite(code));
    }
};

}  // namespace detail

/// The category of `sqlite_error`: its values are SQLite's result codes, primary or extended.
inline std::error_category const& sqlite_category() noexcept {
    static detail::sqlite_error_category const instance;
    return instance;
}

/// A result code of SQLite as an error code, without SQLite's header: `sqlite_error(5)`.
///
/// Give it the extended code where there is one (`sqlite3_extended_errcode`): it tells more.
inline std::error_code sqlite_error(int code) noexcept { return {code, sqlite_category()}; }

}  // namespace recoup::inline v1
