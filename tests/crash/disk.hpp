// SPDX-License-Identifier: BSL-1.0
#pragma once

// The seam between this program and its files. The functions of the C library that change files are
// defined in disk.cpp, and so are SQLite's calls and the library's own: every store is seen alike. While
// a `disk` lives, calls on what is below its folder are counted, can be failed, can end the process, and
// are kept as a log from which a power cut can be played (power_cut.hpp). What is sent on a socket is counted
// as well: of a store whose files are a server's, that is what it writes.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace recoup_test {

/// Kinds of calls, to be combined.
namespace calls {
inline constexpr unsigned open = 1;          ///< of a file or folder
inline constexpr unsigned read = 2;          ///< read, pread
inline constexpr unsigned write = 4;         ///< write, pwrite
inline constexpr unsigned sync = 8;          ///< fsync, fdatasync, msync of a file
inline constexpr unsigned sync_folder = 16;  ///< fsync of a folder
inline constexpr unsigned resize = 32;       ///< ftruncate, fallocate
inline constexpr unsigned name = 64;         ///< what makes, moves or removes a name
inline constexpr unsigned map = 128;         ///< mmap of a file
inline constexpr unsigned send = 256;        ///< on any socket
inline constexpr unsigned changes = write | sync | sync_folder | resize | name | send;
inline constexpr unsigned all = 511;
}  // namespace calls

/// Mistakes of a store, played by the disk: what a store with that mistake would leave.
enum class mistake {
    none,
    skipped_sync,         ///< never syncs a file, and goes on as if it had
    skipped_folder_sync,  ///< the same for folders
    retried_sync,         ///< takes a sync that failed for done when it works at the second try
};

/// Something that happened to the files below the folder.
struct disk_event {
    enum class kind {
        make,         ///< `path` is a new name, of the new file `file`
        make_folder,  ///< `path` is a new folder
        write,        ///< `bytes` at `offset` of `file`
        resize,       ///< `file` has `offset` bytes
        sync,         ///< what was written to `file` until now is on the disk
        lost,         ///< a sync of `file` failed, and the kernel dropped what was not on the disk
        rename,       ///< `path` is called `to`
        remove,       ///< `path` is gone
        sync_folder,  ///< what happened to the names in `path` until now is on the disk
        mark,         ///< the program says `offset`
    };
    kind what = kind::mark;
    std::size_t file = 0;
    std::size_t offset = 0;
    std::string bytes{};
    std::string path{};
    std::string to{};
};

/// The files below a folder, and all that happened to them since.
struct disk_log {
    std::map<std::string, std::size_t> names{};  ///< at the beginning: paths below the folder
    std::vector<std::string> folders{};          ///< at the beginning
    std::vector<std::string> contents{};         ///< of each file at its beginning, by its number
    std::vector<disk_event> events{};
};

/// One at a time. Thread safety: the calls may come from any thread, the members from one.
class disk {
  public:
    struct options {
        bool log = true;         ///< keep the events
        bool real_sync = false;  ///< wait for the device; no test here needs that
        unsigned boot = 0;       ///< the machine was started anew so many times
    };

    explicit disk(std::string folder, options how);
    explicit disk(std::string folder) : disk{std::move(folder), options{}} {}
    disk(disk const&) = delete;
    disk& operator=(disk const&) = delete;
    ~disk();

    /// Fails the `number`-th call from now (1: the next) of these kinds with `error`; where that is 0,
    /// reads and writes are short instead. `for_good`: and all that follow.
    void fail(unsigned kinds, std::uint64_t number, int error, bool for_good);
    /// Ends the process by SIGKILL at the `number`-th call: before it, in the middle of it, or after it.
    enum class moment { before, middle, after };
    void kill_at(unsigned kinds, std::uint64_t number, moment when);
    void plant(mistake which) { planted_ = which; }
    void heal();

    [[nodiscard]] bool failed() const { return failures_ != 0; }
    [[nodiscard]] std::uint64_t failures() const { return failures_; }
    /// The calls of the planned kinds since that was planned.
    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// Starts to count calls of these kinds.
    void count(unsigned kinds);

    /// Notes that the program got so far: an acknowledgement.
    void mark(std::uint64_t what);
    /// Ends the log and gives it.
    disk_log take_log();

    // What the replaced functions call; each does the real call, unless it is to fail.
    struct verdict {
        bool fails = false;
        bool cut = false;         ///< do half of it
        bool kill_after = false;  ///< then end the process
    };
    int on_open(int folder, char const* path, int flags, mode_t mode);
    ssize_t on_write(int file, void const* bytes, std::size_t size, off_t offset, bool at_offset);
    ssize_t on_read(int file, void* into, std::size_t size, off_t offset, bool at_offset);
    int on_sync(int file, long number);
    int on_resize(int file, off_t size);
    int on_allocate(int file, int mode, off_t offset, off_t size);
    int on_name(long number, int folder, char const* path, int to_folder, char const* to,
                unsigned detail);
    void* on_map(void* address, std::size_t size, int protection, int flags, int file,
                 off_t offset);
    int on_map_sync(void* address, std::size_t size, int flags);
    void on_unmap(void* address, std::size_t size);
    ssize_t on_send(int socket, void const* bytes, std::size_t size, int flags);
    int on_close(int file);

    /// The one that lives, if any.
    static std::atomic<disk*> current;
    /// Where none lives: do not wait for the device either.
    static std::atomic<bool> never_waits;

  private:
    struct mapping {
        std::size_t file;
        char const* address;
        std::size_t size;
        std::size_t offset;
        std::string seen;
    };
    struct open_file {
        bool folder = false;
        std::size_t file = 0;
        std::string path{};
    };

    verdict judge(unsigned kind);
    [[nodiscard]] std::string below(int folder, char const* path) const;
    open_file const* find(int file) const;
    int open_boot_identity() const;
    std::size_t number_of(std::string const& path, std::size_t size);
    void note(disk_event event);
    void capture(mapping& one);
    void capture_all();

    std::string root_;
    options how_;
    mutable std::recursive_mutex mutex_;
    unsigned kinds_ = 0;
    std::uint64_t count_ = 0;
    std::uint64_t fail_at_ = 0;
    std::uint64_t kill_at_ = 0;
    moment kill_when_ = moment::before;
    int error_ = 0;
    bool for_good_ = false;
    std::uint64_t failures_ = 0;
    mistake planted_ = mistake::none;
    std::map<int, open_file> open_;
    std::map<std::string, std::size_t> names_;  // as they are now
    std::map<std::size_t, std::size_t> sizes_;  // of the files that were opened
    std::vector<mapping> mappings_;
    disk_log log_;
};

}  // namespace recoup_test
