// SPDX-License-Identifier: BSL-1.0
// Stands before the C library's functions of these names for the whole program, its libraries as well:
// counts, and makes the system call.
#include "durable/io_count.hpp"

#include <atomic>
#include <cstddef>

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

std::atomic<std::uint64_t> syncs{0};
std::atomic<std::uint64_t> writes{0};
std::atomic<std::uint64_t> bytes{0};

ssize_t write_at(int file, void const* what, std::size_t size, off_t offset) {
    auto const written = ::syscall(SYS_pwrite64, file, what, size, offset);
    writes.fetch_add(1, std::memory_order_relaxed);
    if (written > 0)
        bytes.fetch_add(static_cast<std::uint64_t>(written), std::memory_order_relaxed);
    return written;
}

}  // namespace

extern "C" {

int fsync(int file) {
    syncs.fetch_add(1, std::memory_order_relaxed);
    return static_cast<int>(::syscall(SYS_fsync, file));
}

int fdatasync(int file) {
    syncs.fetch_add(1, std::memory_order_relaxed);
    return static_cast<int>(::syscall(SYS_fdatasync, file));
}

ssize_t pwrite(int file, void const* what, std::size_t size, off_t offset) {
    return write_at(file, what, size, offset);
}

ssize_t pwrite64(int file, void const* what, std::size_t size, off64_t offset) {
    return write_at(file, what, size, offset);
}

}  // extern "C"

bench::io_count bench::io_now() noexcept {
    return {syncs.load(std::memory_order_relaxed), writes.load(std::memory_order_relaxed),
            bytes.load(std::memory_order_relaxed)};
}
