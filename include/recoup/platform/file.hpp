// SPDX-License-Identifier: BSL-1.0
#pragma once

// The seam to the operating system for files: what is not in the standard library. POSIX only.

#if !__has_include(<fcntl.h>) || !__has_include(<unistd.h>) || !__has_include(<sys/stat.h>)
#error "recoup: platform/file.hpp needs a POSIX system; stores that keep files do not build here."
#endif

#include <recoup/core/time.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/vfs.h>
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__)
#include <sys/mount.h>
#include <sys/param.h>
#endif

namespace recoup::inline v1::platform {

inline std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

/// An open descriptor, closed at the end. -1: none.
class unique_fd {
  public:
    unique_fd() noexcept = default;
    explicit unique_fd(int number) noexcept : number_{number} {}
    unique_fd(unique_fd&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        if (this != &other) {
            reset();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    ~unique_fd() { reset(); }

    [[nodiscard]] int get() const noexcept { return number_; }
    [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }
    int release() noexcept { return std::exchange(number_, -1); }
    void reset() noexcept {
        if (number_ >= 0) ::close(number_);
        number_ = -1;
    }

  private:
    int number_ = -1;
};

/// What is known of a name in a folder, without following a link and without opening it.
struct file_facts {
    bool exists = false;
    bool regular = false;
    bool link = false;
    std::uint32_t owner = 0;
    std::uint32_t group = 0;
    std::uint32_t mode = 0;  ///< the permission bits, with sticky, setuid and setgid
    std::uint64_t links = 0;
    std::uint64_t size = 0;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;

    [[nodiscard]] bool same_file(file_facts const& other) const noexcept {
        return exists && other.exists && device == other.device && inode == other.inode;
    }
};

inline file_facts facts_of(struct ::stat const& seen) noexcept {
    file_facts facts;
    facts.exists = true;
    facts.regular = S_ISREG(seen.st_mode);
    facts.link = S_ISLNK(seen.st_mode);
    facts.owner = static_cast<std::uint32_t>(seen.st_uid);
    facts.group = static_cast<std::uint32_t>(seen.st_gid);
    facts.mode = static_cast<std::uint32_t>(seen.st_mode) & 07777U;
    facts.links = static_cast<std::uint64_t>(seen.st_nlink);
    facts.size = static_cast<std::uint64_t>(seen.st_size);
    facts.device = static_cast<std::uint64_t>(seen.st_dev);
    facts.inode = static_cast<std::uint64_t>(seen.st_ino);
    return facts;
}

/// The facts of `name` in `folder`; `error` is set where they cannot be had.
inline file_facts facts_at(int folder, std::string const& name, std::error_code& error) noexcept {
    struct ::stat seen{};
    error.clear();
    if (::fstatat(folder, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) == 0) return facts_of(seen);
    if (errno != ENOENT) error = last_error();
    return {};
}

/// The facts of what `descriptor` is open on.
inline file_facts facts_of(int descriptor) noexcept {
    struct ::stat seen{};
    return ::fstat(descriptor, &seen) == 0 ? facts_of(seen) : file_facts{};
}

/// The user that this process acts as.
inline std::uint32_t current_user() noexcept { return static_cast<std::uint32_t>(::geteuid()); }
inline std::uint32_t current_group() noexcept { return static_cast<std::uint32_t>(::getegid()); }

/// `path` without links, `.` and `..`; `error` is set where there is no such thing.
inline std::string canonical(std::string const& path, std::error_code& error) {
    error.clear();
    char* const found = ::realpath(path.c_str(), nullptr);
    if (found == nullptr) {
        error = last_error();
        return {};
    }
    std::string text{found};
    std::free(found);
    return text;
}

/// Makes a folder that only its owner may use; that it is there already is no error.
inline std::error_code make_folder(std::string const& path) noexcept {
    if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
    return last_error();
}

inline unique_fd open_folder(std::string const& path, std::error_code& error) noexcept {
    unique_fd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    error = folder ? std::error_code{} : last_error();
    return folder;
}

/// Makes a file that was not there, for its owner only; never follows a link.
inline unique_fd create_file(int folder, std::string const& name, std::error_code& error) noexcept {
    unique_fd file{::openat(folder, name.c_str(),
                            O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600)};
    error = file ? std::error_code{} : last_error();
    return file;
}

/// Opens a file for locking, or makes it for its owner only; never follows a link and never waits.
inline unique_fd open_lock_file(int folder, std::string const& name,
                                std::error_code& error) noexcept {
    unique_fd file{::openat(folder, name.c_str(),
                            O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                            0600)};
    error = file ? std::error_code{} : last_error();
    return file;
}

/// Takes the exclusive advisory lock of an open file, which the kernel frees when the last copy of the
/// descriptor is closed, however the process ends. Never waits.
///
/// Returns: whether it was free; `error` is set where that cannot be told.
inline bool try_lock(int file, std::error_code& error) noexcept {
    error.clear();
#if defined(F_OFD_SETLK)
    struct ::flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(file, F_OFD_SETLK, &whole) == 0) return true;
#else
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) return true;
#endif
    if (errno != EAGAIN && errno != EACCES && errno != EWOULDBLOCK) error = last_error();
    return false;
}

/// As `try_lock`, but any number may have it at once, and nobody has `try_lock`'s meanwhile.
inline bool try_lock_shared(int file, std::error_code& error) noexcept {
    error.clear();
#if defined(F_OFD_SETLK)
    struct ::flock whole{};
    whole.l_type = F_RDLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(file, F_OFD_SETLK, &whole) == 0) return true;
#else
    if (::flock(file, LOCK_SH | LOCK_NB) == 0) return true;
#endif
    if (errno != EAGAIN && errno != EACCES && errno != EWOULDBLOCK) error = last_error();
    return false;
}

/// Whether somebody has the lock of the file `name` in `folder`: not where there is no such file.
inline bool is_locked(int folder, std::string const& name) noexcept {
    unique_fd const file{
        ::openat(folder, name.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    // What is there and cannot be looked at counts as held: its owner's lease then decides alone.
    if (!file) return errno != ENOENT;
#if defined(F_OFD_GETLK)
    struct ::flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    return ::fcntl(file.get(), F_OFD_GETLK, &whole) != 0 || whole.l_type != F_UNLCK;
#else
    return ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;
#endif
}

/// Makes what was created, renamed or removed in an open folder survive a power cut.
inline std::error_code sync_folder(int folder) noexcept {
    return ::fsync(folder) == 0 ? std::error_code{} : last_error();
}

/// Replaces what a small file holds; whether that worked.
inline bool write_whole(int file, std::string_view text) noexcept {
    return ::ftruncate(file, 0) == 0 &&
           ::pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

/// The first bytes of a small file.
inline std::string read_front(int file, std::size_t bytes_max) {
    std::string text(bytes_max, '\0');
    auto const got = ::pread(file, text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

/// The name of the kind of file system that `descriptor` is on; "unknown" where it has no name here.
inline std::string file_system_name(int descriptor) {
    struct ::statfs seen{};
    if (::fstatfs(descriptor, &seen) != 0) return "unknown";
#if defined(__linux__)
    // From linux/magic.h, and the kernel's sources for those that are not in it.
    switch (static_cast<std::uint32_t>(seen.f_type)) {
        case 0x6969: return "nfs";
        case 0x517B: return "smb";
        case 0xFF534D42: return "cifs";
        case 0xFE534D42: return "smb2";
        case 0x65735546: return "fuse";
        case 0x01021994: return "tmpfs";
        case 0x858458F6: return "ramfs";
        case 0x01021997: return "9p";
        case 0x00C36400: return "ceph";
        case 0x5346414F: return "afs";
        case 0x73757245: return "coda";
        case 0x47504653: return "gpfs";
        case 0x0BD00BD0: return "lustre";
        case 0x786F4256: return "vboxsf";
        case 0xEF53: return "ext4";
        case 0x58465342: return "xfs";
        case 0x9123683E: return "btrfs";
        case 0xF2F52010: return "f2fs";
        case 0x2FC12FC1: return "zfs";
        case 0xCA451A4E: return "bcachefs";
        case 0x794C7630: return "overlay";
        default: return "unknown";
    }
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__)
    return seen.f_fstypename;
#else
    return "unknown";
#endif
}

/// Whether a file system of that name is known not to keep what was synced, or not to lock reliably:
/// those over a network, those in memory, and those that a process implements.
inline bool unfit_for_power_loss(std::string_view file_system) noexcept {
    for (std::string_view const unfit :
         {"nfs", "smb", "cifs", "smb2", "smbfs", "fuse", "tmpfs", "ramfs", "9p", "ceph", "afs",
          "coda", "gpfs", "lustre", "vboxsf", "afpfs", "webdav"})
        if (file_system == unfit) return true;
    return false;
}

/// The name of this program, as far as the system tells.
inline std::string program_name() {
#if defined(__GLIBC__)
    return program_invocation_short_name;
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__)
    return ::getprogname();
#else
    return "unknown";
#endif
}

/// Sleeps for about `span`, shorter where a signal comes.
inline void pause(duration span) noexcept {
    if (span <= duration::zero()) return;
    ::timespec wait{};
    wait.tv_sec = static_cast<std::time_t>(span.count() / 1'000'000'000);
    wait.tv_nsec = static_cast<long>(span.count() % 1'000'000'000);
    ::nanosleep(&wait, nullptr);
}

/// The wall clock as `2026-01-31T23:59:59Z`.
inline std::string utc_now() {
    auto const now = std::time(nullptr);
    std::tm parts{};
    char text[32] = "";
    if (::gmtime_r(&now, &parts) == nullptr) return "unknown";
    auto const size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text, size};
}

}  // namespace recoup::inline v1::platform
