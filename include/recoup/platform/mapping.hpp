// SPDX-License-Identifier: BSL-1.0
#pragma once

// The seam to the operating system for mapped files, and for the writes and syncs that durability rests
// on. POSIX only.

#include <recoup/platform/file.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

namespace recoup::inline v1::platform {

/// A range of addresses that shows a file. More than the file has may be mapped, so that it can grow in
/// place; what lies behind its end must not be touched.
class mapping {
  public:
    mapping() noexcept = default;
    mapping(mapping&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}
    mapping& operator=(mapping&& other) noexcept {
        if (this != &other) {
            reset();
            data_ = std::exchange(other.data_, nullptr);
            size_ = std::exchange(other.size_, 0);
        }
        return *this;
    }
    ~mapping() { reset(); }

    [[nodiscard]] char* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] explicit operator bool() const noexcept { return data_ != nullptr; }
    void reset() noexcept {
        if (data_ != nullptr) ::munmap(data_, size_);
        data_ = nullptr;
        size_ = 0;
    }

    /// Maps `size` bytes of an open file, shared with all who map it.
    static mapping of(int file, std::size_t size, bool writable, std::error_code& error) noexcept {
        error.clear();
        mapping made;
        auto* const at = ::mmap(nullptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                                MAP_SHARED, file, 0);
        if (at == MAP_FAILED) {
            error = last_error();
            return made;
        }
        made.data_ = static_cast<char*>(at);
        made.size_ = size;
#if defined(MADV_DONTFORK)
        // A forked child has no use for it, and must not be able to write into its parent's store.
        if (writable) ::madvise(at, size, MADV_DONTFORK);
#endif
        return made;
    }

  private:
    char* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Opens a file that is there; never follows a link and never waits.
inline unique_fd open_file(int folder, std::string const& name, bool writable,
                           std::error_code& error) noexcept {
    unique_fd file{
        ::openat(folder, name.c_str(),
                 (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    error = file ? std::error_code{} : last_error();
    return file;
}

/// How often in a row a call that signals interrupt is made; then the interruption is an error.
inline constexpr int interruptions_max = 1000;

/// Makes a system call, again while a signal interrupts it.
///
/// Pre: `call` gives less than 0 and sets errno where it fails.
template <class Call>
auto uninterrupted(Call&& call) noexcept {
    auto got = call();
    for (int i = 1; got < 0 && errno == EINTR && i != interruptions_max; ++i) got = call();
    return got;
}

/// Reads at an offset; as `pread`, but a signal does not end it.
inline ::ssize_t read_at(int file, void* to, std::size_t size, std::uint64_t at) noexcept {
    return uninterrupted([&] { return ::pread(file, to, size, static_cast<::off_t>(at)); });
}

/// Reads a file once from end to end, so that a medium that cannot be read is an error here, and not a
/// signal where its mapping is touched. `mapped`: its mapping, which then has its pages.
inline std::error_code read_through(int file, [[maybe_unused]] mapping const& mapped,
                                    std::uint64_t size) noexcept {
#if defined(MADV_POPULATE_READ)
    // Without a copy, and without a fault for each page later. Where the kernel cannot, reading tells why.
    if (size <= mapped.size() && ::madvise(mapped.data(), size, MADV_POPULATE_READ) == 0) return {};
#endif
    std::array<char, std::size_t{64} << 10U> buffer;
    for (std::uint64_t at = 0; at < size;) {
        auto const got = read_at(file, buffer.data(), buffer.size(), at);
        if (got < 0) return last_error();
        if (got == 0) break;
        at += static_cast<std::uint64_t>(got);
    }
    return {};
}

/// The wall clock, read cheaply (some 5 ns): late by a few milliseconds.
inline system_time coarse_system_now() noexcept {
    ::timespec now{};
#if defined(CLOCK_REALTIME_COARSE)
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
#else
    ::clock_gettime(CLOCK_REALTIME, &now);
#endif
    return system_time{duration{std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec}};
}

/// A text that is another one after each start of the machine; empty where the system does not tell.
inline std::string boot_identity() {
#if defined(__linux__)
    unique_fd const file{::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)};
    return file ? read_front(file.get(), 36) : std::string{};
#else
    return {};
#endif
}

/// The calls through which a journal writes, syncs, and names files. Whatever must survive a power cut
/// goes through them and nothing else does, so that a test that puts its own in their place can make any
/// of them fail, or keep a log of them from which every legal state after a power cut can be rebuilt.
struct file_calls {
    /// As `openat` with O_CREAT | O_EXCL.
    unique_fd create(int folder, std::string const& name, std::error_code& error) noexcept {
        return create_file(folder, name, error);
    }
    /// As `pwrite`: the number of bytes, which may be less, or -1 with `errno`.
    ::ssize_t write_at(int file, void const* from, std::size_t size, std::uint64_t at) noexcept {
        return ::pwrite(file, from, size, static_cast<::off_t>(at));
    }
    /// As `fdatasync`.
    int sync(int file) noexcept { return ::fdatasync(file); }
    /// Gives `file` room for bytes `from` to `to`, which read as zero; as `posix_fallocate`: 0 or the error.
    int allocate(int file, std::uint64_t from, std::uint64_t to) noexcept {
        return ::posix_fallocate(file, static_cast<::off_t>(from), static_cast<::off_t>(to - from));
    }
    int rename(int folder, std::string const& from, std::string const& to) noexcept {
        return ::renameat(folder, from.c_str(), folder, to.c_str());
    }
    int remove(int folder, std::string const& name) noexcept {
        return ::unlinkat(folder, name.c_str(), 0);
    }
    int sync_folder(int folder) noexcept { return ::fsync(folder); }
};

/// Makes room in a file, so that a full disk is an error here, and not a signal where it is touched.
template <class Calls>
std::error_code allocate_all(Calls& calls, int file, std::uint64_t from,
                             std::uint64_t to) noexcept {
    auto error = calls.allocate(file, from, to);
    for (int i = 1; error == EINTR && i != interruptions_max; ++i)
        error = calls.allocate(file, from, to);
    return {error, std::generic_category()};
}

/// Writes all of it. A short write goes on, and so does one that a signal interrupted; any other error is
/// given back, and how much has been written is then not known.
template <class Calls>
std::error_code write_all(Calls& calls, int file, char const* from, std::size_t size,
                          std::uint64_t at) noexcept {
    while (size != 0) {
        auto const wrote = uninterrupted([&] { return calls.write_at(file, from, size, at); });
        if (wrote < 0) return last_error();
        if (wrote == 0) return std::make_error_code(std::errc::io_error);
        from += wrote;
        size -= static_cast<std::size_t>(wrote);
        at += static_cast<std::uint64_t>(wrote);
    }
    return {};
}

}  // namespace recoup::inline v1::platform
