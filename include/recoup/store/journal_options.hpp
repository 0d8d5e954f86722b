// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/store/persistence_policy.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace recoup::inline v1 {

/// How a `journal_store` keeps its files.
///
/// - `process_crash`: acknowledged after some stores into mapped memory, with no system call; a power cut
///   takes back at most what was acknowledged in the last `flush_every`, and the time of one sync.
/// - `power_loss`: acknowledged after a sync, which concurrent callers share.
struct journal_store_options {
    recoup::durability durability = recoup::durability::process_crash;
    /// How long what was acknowledged may stay unsynced; `unlimited`: until `flush` or the end, and no
    /// thread of its own.
    duration flush_every = std::chrono::milliseconds{5};
    duration lock_wait =
        std::chrono::milliseconds{500};      ///< for another process to let go of the file
    std::size_t records_max = 1'000'000;     ///< one more is `store_errc::full`
    std::size_t operations_max = 1'000'000;  ///< the same for durable operations
    std::size_t record_bytes_max = std::size_t{16} << 20U;   ///< one larger is `too_large`
    std::uint64_t file_bytes_max = std::uint64_t{1} << 30U;  ///< of each of the two files
    /// A smaller journal is not compacted; a larger one is, when half of it is out of date.
    std::uint64_t compact_bytes_min = std::uint64_t{4} << 20U;
    /// Kinds of file system that are taken although they are unfit for `power_loss`: "nfs", "tmpfs", …
    std::vector<std::string> accepted_file_systems{};
    /// For looking only: shows what is there at the opening, makes and changes nothing, takes no lock and
    /// does not disturb an owner.
    bool read_only = false;
};

/// What a journal found damaged, and left as it is.
struct journal_damage {
    operation_id id{};           ///< as far as it can be told
    std::uint64_t number = 0;    ///< of the operation, where it is one
    std::uint64_t sequence = 0;  ///< of the frame
    std::uint64_t offset = 0;    ///< where that begins
    std::string wrong{};         ///< what is wrong with it

    friend bool operator==(journal_damage const&, journal_damage const&) = default;
};

/// What opening a journal came to.
struct journal_recovery {
    std::uint64_t frames = 0;      ///< that were read
    std::uint64_t repaired = 0;    ///< of which one of the two files had no good copy
    std::uint64_t torn_bytes = 0;  ///< at the end, of writes that were not finished or not synced
    std::uint64_t resumed = 0;     ///< operations that were in flight, and have become records
    std::uint64_t torn_slots = 0;  ///< those whose beginning was not finished
    bool closed = false;           ///< the last owner ended in good order
};

/// How far a journal is synced.
struct journal_window {
    std::uint64_t written = 0;  ///< bytes that a crash of the process leaves
    std::uint64_t synced = 0;   ///< bytes that a power cut leaves
};

/// What `journal_store::verify` found.
struct journal_verification {
    std::uint64_t frames = 0;      ///< those that are whole
    std::uint64_t repaired = 0;    ///< those that only one of the two files has
    std::uint64_t torn_bytes = 0;  ///< behind the end
    bool complete = true;          ///< nothing is missing that nobody can name
    std::vector<journal_damage> damaged{};

    [[nodiscard]] bool ok() const noexcept { return complete && damaged.empty(); }
};

}  // namespace recoup::inline v1
