// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

namespace bench {

/// What this process has asked of its files. A comparison of durable writes is worth nothing unless both
/// sides have synced as often: so it is counted, not believed.
struct io_count {
    std::uint64_t syncs = 0;   ///< `fsync` and `fdatasync`
    std::uint64_t writes = 0;  ///< `pwrite`
    std::uint64_t bytes = 0;   ///< written by them

    friend io_count operator-(io_count const& later, io_count const& earlier) noexcept {
        return {later.syncs - earlier.syncs, later.writes - earlier.writes,
                later.bytes - earlier.bytes};
    }
    friend io_count operator+(io_count const& one, io_count const& other) noexcept {
        return {one.syncs + other.syncs, one.writes + other.writes, one.bytes + other.bytes};
    }
};

/// Until now, of all threads and libraries.
io_count io_now() noexcept;

/// Does `work` until it has filled a write-ahead log of SQLite's usual length twice. A log that still grows
/// pays for the file's new length at each sync, one that is written over does not: so both sides of a
/// comparison begin when theirs is.
template <class Work>
void until_log_wrapped(Work const& work) {
    constexpr std::uint64_t bytes = 2 * 1'000 * 4'120;
    constexpr auto rounds_max = 1'000;
    auto const before = io_now();
    for (auto i = 0; i != rounds_max && (io_now() - before).bytes < bytes; ++i) work();
}

}  // namespace bench
