// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_row.hpp>
#include <recoup/store/persistence_policy.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace recoup::inline v1 {

/// Who may use the file of a `sqlite_store` at the same time.
enum class sharing : std::uint8_t {
    exclusive,  ///< one object of one process
    processes,  ///< any number, on one host and a local file system
};

/// How a `sqlite_store` keeps its file.
///
/// What each durability costs for one save (bench/ measures it; the device's sync decides):
/// - `power_loss` (WAL, synchronous=FULL): one sync of the log, some 100 to 300 µs on a solid-state disk;
/// - `process_crash` (WAL, synchronous=NORMAL): some 10 to 30 µs, no sync but once in a thousand pages;
///   a power cut may take back the last saves, and never damages the file;
/// - `none` (WAL, synchronous=OFF): hardly less; a power cut may damage the file.
struct sqlite_store_options {
    recoup::durability durability = recoup::durability::power_loss;
    /// The namespace that operations get which name none: see `sqlite_store::space`.
    std::string space{};
    duration lock_wait =
        std::chrono::milliseconds{500};  ///< for another process to let go of the file
    duration busy_wait =
        std::chrono::seconds{5};          ///< the most that a call waits, whatever its `at_most`
    std::size_t records_max = 1'000'000;  ///< one more is `store_errc::full`
    std::size_t record_bytes_max = std::size_t{16} << 20U;   ///< one larger is `too_large`
    std::uint64_t file_bytes_max = std::uint64_t{4} << 30U;  ///< beyond it the store is full
    std::uint64_t wal_bytes_max = std::uint64_t{64} << 20U;  ///< the same for the write-ahead log
    /// Kinds of file system that are taken although they are unfit for `power_loss`: "nfs", "tmpfs", …
    std::vector<std::string> accepted_file_systems{};
    /// For looking only: takes no lock, makes and changes nothing, may read beside an owner.
    bool read_only = false;
    std::size_t operations_max = 1'000'000;  ///< one more is `store_errc::full`
    /// `processes`: nothing is kept in memory that another process could change, so that each write reads
    /// first; with versions of SQLite whose write-ahead log does not stand two writers (below 3.51.3, but for
    /// 3.44.6 and 3.50.7) a rollback journal is used, which syncs about twice as often.
    recoup::sharing sharing = recoup::sharing::exclusive;
};

/// What `sqlite_store::verify` found.
struct sqlite_verification {
    std::uint64_t records = 0;              ///< those that are whole
    std::uint64_t records_expected = 0;     ///< by the account that is kept with every change
    std::vector<damaged_record> damaged{};  ///< those that are there and not whole
    bool complete = true;                   ///< whether the identities are those of the account
    std::uint64_t operations = 0;           ///< those that are whole, with their steps
    std::uint64_t operations_expected = 0;  ///< by the account
    std::uint64_t steps = 0;                ///< those that are whole
    std::vector<std::string>
        problems{};  ///< what SQLite finds wrong with the file; at most 20 lines

    [[nodiscard]] bool ok() const noexcept {
        return complete && damaged.empty() && problems.empty();
    }
};

}  // namespace recoup::inline v1
