// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/store_failure.hpp>

#include <cerrno>
#include <new>
#include <string>

#include <sqlite3.h>

namespace recoup::inline v1::detail {

/// What a result code of SQLite means for a store, apart from running out of memory.
struct sqlite_verdict {
    store_errc code = store_errc::unavailable;
    /// Nothing more may be acknowledged: what was written may be lost, and the kernel says so once only.
    bool stop = false;
};

/// Whether an I/O error can have touched what a commit rests on.
constexpr bool breaks_commits(int extended) noexcept {
    switch (extended) {
        case SQLITE_IOERR_READ:
        case SQLITE_IOERR_SHORT_READ:
        case SQLITE_IOERR_ACCESS:
        case SQLITE_IOERR_CHECKRESERVEDLOCK:
        case SQLITE_IOERR_LOCK:
        case SQLITE_IOERR_RDLOCK:
        case SQLITE_IOERR_UNLOCK:
        case SQLITE_IOERR_SHMLOCK:
        case SQLITE_IOERR_SHMMAP:
        case SQLITE_IOERR_SHMOPEN:
        case SQLITE_IOERR_SHMSIZE: return false;
        default: return true;
    }
}

/// `extended` is an extended result code, `error` the errno that came with it, and `writing` whether
/// it ended a call that writes, syncs or commits.
constexpr sqlite_verdict verdict_of(int extended, int error, bool writing) noexcept {
    auto const no_space = error == ENOSPC || error == EFBIG || error == EDQUOT;
    switch (extended & 0xFF) {
        case SQLITE_FULL: return {store_errc::full};
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return {store_errc::corrupt};
        case SQLITE_READONLY:
        case SQLITE_PERM: return {store_errc::read_only};
        case SQLITE_TOOBIG: return {store_errc::too_large};
        case SQLITE_CANTOPEN:
            return {(extended == SQLITE_CANTOPEN_SYMLINK) ? store_errc::unsafe_location
                                                          : store_errc::unavailable};
        case SQLITE_IOERR:
            // A sync that fails is final even where it is space that was missing: the pages are gone.
            if (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC)
                return {store_errc::stopped, true};
            if (no_space) return {store_errc::full};
            if (writing && breaks_commits(extended)) return {store_errc::stopped, true};
            return {store_errc::unavailable};
        default: return {store_errc::unavailable};
    }
}

/// The errno behind the last I/O error of `db`: of its log or journal, of the database, or in general.
/// `sqlite3_system_errno` alone knows nothing of what went wrong in a COMMIT.
inline int system_error_of(sqlite3* db) noexcept {
    if (db == nullptr) return 0;
    for (auto const which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
        sqlite3_file* file = nullptr;
        int error = 0;
        if (sqlite3_file_control(db, "main", which, &file) == SQLITE_OK && file != nullptr &&
            file->pMethods != nullptr &&
            file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error) == SQLITE_OK &&
            error != 0)
            return error;
    }
    return sqlite3_system_errno(db);
}

/// Throws std::bad_alloc where SQLite ran out of memory.
inline void require_memory(int extended) {
    if ((extended & 0xFF) == SQLITE_NOMEM || extended == SQLITE_IOERR_NOMEM) throw std::bad_alloc{};
}

/// The failure for `code`, with what was being done, where, and SQLite's own words.
inline failure sqlite_failure(store_errc code, int extended, sqlite3* db,
                              std::string const& doing) {
    auto text = doing + " failed: " + sqlite3_errstr(extended);
    if (db != nullptr && sqlite3_extended_errcode(db) == extended) {
        auto const* const more = sqlite3_errmsg(db);
        if (std::string_view{more} != sqlite3_errstr(extended))
            text += std::string{" ("} + more + ")";
    }
    text += ", SQLite code " + std::to_string(extended);
    return store_failure(code, std::move(text));
}

}  // namespace recoup::inline v1::detail
