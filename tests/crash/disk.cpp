// SPDX-License-Identifier: BSL-1.0
#include "crash/disk.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace recoup_test {

std::atomic<disk*> disk::current{nullptr};
std::atomic<bool> disk::never_waits{false};

namespace {

constexpr std::size_t disk_sector = 512;

[[noreturn]] void die() {
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
}

std::string descriptor_path(int file) {
    char text[4096];
    auto const link = "/proc/self/fd/" + std::to_string(file);
    auto const size = ::readlink(link.c_str(), text, sizeof text);
    return size > 0 ? std::string{text, static_cast<std::size_t>(size)} : std::string{};
}

}  // namespace

disk::disk(std::string folder, options how) : root_{std::move(folder)}, how_{how} {
    namespace fs = std::filesystem;
    for (auto const& entry : fs::recursive_directory_iterator{root_}) {
        auto const path = entry.path().string().substr(root_.size() + 1);
        if (entry.is_directory()) {
            log_.folders.push_back(path);
            continue;
        }
        if (!entry.is_regular_file()) continue;
        log_.names[path] = log_.contents.size();
        log_.contents.emplace_back();
        if (!how_.log) continue;
        auto& content = log_.contents.back();
        content.resize(static_cast<std::size_t>(entry.file_size()));
        std::ifstream file{entry.path(), std::ios::binary};
        file.read(content.data(), static_cast<std::streamsize>(content.size()));
    }
    names_ = log_.names;
    disk* none = nullptr;
    if (!current.compare_exchange_strong(none, this))
        throw std::logic_error{"there is a disk already"};
}

disk::~disk() { current.store(nullptr); }

void disk::fail(unsigned kinds, std::uint64_t number, int error, bool for_good) {
    std::lock_guard const lock{mutex_};
    heal();
    kinds_ = kinds;
    fail_at_ = number;
    error_ = error;
    for_good_ = for_good;
}

void disk::kill_at(unsigned kinds, std::uint64_t number, moment when) {
    std::lock_guard const lock{mutex_};
    heal();
    kinds_ = kinds;
    kill_at_ = number;
    kill_when_ = when;
}

void disk::heal() {
    std::lock_guard const lock{mutex_};
    kinds_ = 0;
    count_ = fail_at_ = kill_at_ = 0;
    failures_ = 0;
}

void disk::count(unsigned kinds) {
    std::lock_guard const lock{mutex_};
    heal();
    kinds_ = kinds;
}

void disk::mark(std::uint64_t what) {
    std::lock_guard const lock{mutex_};
    capture_all();
    note({.what = disk_event::kind::mark, .offset = static_cast<std::size_t>(what)});
}

disk_log disk::take_log() {
    std::lock_guard const lock{mutex_};
    how_.log = false;
    return std::move(log_);
}

disk::verdict disk::judge(unsigned kind) {
    if ((kinds_ & kind) == 0) return {};
    ++count_;
    if (kill_at_ == count_) {
        if (kill_when_ == moment::before) die();
        return {.cut = kill_when_ == moment::middle, .kill_after = true};
    }
    if (fail_at_ == 0 || count_ < fail_at_ || (count_ > fail_at_ && !for_good_)) return {};
    if (error_ == 0) {
        // A short call is one that other kinds do not know.
        if ((kind & (calls::read | calls::write | calls::send)) == 0) return {};
        ++failures_;
        return {.cut = true};
    }
    ++failures_;
    errno = error_;
    return {.fails = true};
}

/// The path below the folder; a dot for the folder itself; empty: it is somewhere else.
std::string disk::below(int folder, char const* path) const {
    std::string whole = path;
    if (path[0] != '/') {
        auto base = folder == AT_FDCWD ? std::string{"."} : descriptor_path(folder);
        if (folder == AT_FDCWD) {
            char here[4096];
            if (::getcwd(here, sizeof here) != nullptr) base = here;
        }
        whole = base + "/" + whole;
    }
    if (whole == root_) return ".";
    if (whole.size() > root_.size() + 1 && whole.starts_with(root_) && whole[root_.size()] == '/')
        return whole.substr(root_.size() + 1);
    return {};
}

disk::open_file const* disk::find(int file) const {
    auto const found = open_.find(file);
    return found == open_.end() ? nullptr : &found->second;
}

std::size_t disk::number_of(std::string const& path, std::size_t size) {
    auto const found = names_.find(path);
    if (found != names_.end()) return found->second;
    auto const number = log_.contents.size();
    log_.contents.emplace_back(size, '\0');
    names_[path] = number;
    return number;
}

void disk::note(disk_event event) {
    if (how_.log) log_.events.push_back(std::move(event));
}

// A mapped file is written to by other threads meanwhile: what is read here may be torn, as it is on a
// disk.
#if defined(__clang__) || defined(__GNUC__)
__attribute__((no_sanitize("thread")))
#endif
void disk::capture(mapping& one) {
    if (!how_.log) return;
    // More may be mapped than the file has, and that must not be touched.
    auto const there = sizes_[one.file];
    auto const end = std::min(one.size, there - std::min(there, one.offset));
    if (one.seen.size() < end) one.seen.resize(end);
    for (std::size_t at = 0; at < end; at += disk_sector) {
        auto const size = std::min(disk_sector, end - at);
        if (std::memcmp(one.address + at, one.seen.data() + at, size) == 0) continue;
        std::memcpy(one.seen.data() + at, one.address + at, size);
        note({.what = disk_event::kind::write,
              .file = one.file,
              .offset = one.offset + at,
              .bytes = one.seen.substr(at, size)});
    }
}

void disk::capture_all() {
    for (auto& one : mappings_) capture(one);
}

/// What the system would say who it is after another start.
int disk::open_boot_identity() const {
    auto const file = static_cast<int>(::syscall(SYS_memfd_create, "boot", 0));
    auto const text = "00000000-0000-4000-8000-" + std::to_string(100'000'000'000 + how_.boot);
    if (::syscall(SYS_pwrite64, file, text.data(), text.size(), 0) < 0) return -1;
    return file;
}

int disk::on_open(int folder, char const* path, int flags, mode_t mode) {
    std::lock_guard const lock{mutex_};
    if (how_.boot != 0 && std::string_view{path} == "/proc/sys/kernel/random/boot_id")
        return open_boot_identity();
    auto const real = [&] {
        return static_cast<int>(::syscall(SYS_openat, folder, path, flags, mode));
    };
    auto const name = below(folder, path);
    if (name.empty()) return real();
    struct ::stat seen{};
    auto const there = ::stat((root_ + "/" + name).c_str(), &seen) == 0;
    auto const makes = !there && (flags & O_CREAT) != 0;
    auto const judged = judge(makes ? calls::name : calls::open);
    if (judged.fails) return -1;
    auto const file = real();
    if (file >= 0) {
        if (there && S_ISDIR(seen.st_mode)) {
            open_[file] = {true, 0, name};
        } else {
            auto const number = number_of(name, 0);
            open_[file] = {false, number, name};
            sizes_[number] =
                there && (flags & O_TRUNC) == 0 ? static_cast<std::size_t>(seen.st_size) : 0;
            if (makes) note({.what = disk_event::kind::make, .file = number, .path = name});
            if (there && (flags & O_TRUNC) != 0)
                note({.what = disk_event::kind::resize, .file = number});
        }
    }
    if (judged.kill_after) die();
    return file;
}

ssize_t disk::on_write(int file, void const* bytes, std::size_t size, off_t offset,
                       bool at_offset) {
    std::lock_guard const lock{mutex_};
    auto const* const known = find(file);
    auto const real = [&](std::size_t most) {
        return at_offset ? ::syscall(SYS_pwrite64, file, bytes, most, offset)
                         : ::syscall(SYS_write, file, bytes, most);
    };
    if (known == nullptr || known->folder) return real(size);
    auto const judged = judge(calls::write);
    if (judged.fails) return -1;
    if (!at_offset) offset = static_cast<off_t>(::syscall(SYS_lseek, file, 0, SEEK_CUR));
    auto const done = real(judged.cut ? (size + 1) / 2 : size);
    if (done > 0) {
        auto& there = sizes_[known->file];
        there = std::max(there, static_cast<std::size_t>(offset + done));
        note({.what = disk_event::kind::write,
              .file = known->file,
              .offset = static_cast<std::size_t>(offset),
              .bytes = {static_cast<char const*>(bytes), static_cast<std::size_t>(done)}});
    }
    if (judged.kill_after) die();
    return done;
}

ssize_t disk::on_read(int file, void* into, std::size_t size, off_t offset, bool at_offset) {
    std::lock_guard const lock{mutex_};
    auto most = size;
    if (find(file) != nullptr) {
        auto const judged = judge(calls::read);
        if (judged.fails) return -1;
        if (judged.cut) most = (size + 1) / 2;
    }
    return at_offset ? ::syscall(SYS_pread64, file, into, most, offset)
                     : ::syscall(SYS_read, file, into, most);
}

int disk::on_sync(int file, long number) {
    std::lock_guard const lock{mutex_};
    auto const* const known = find(file);
    if (known == nullptr) return static_cast<int>(::syscall(number, file));
    capture_all();
    auto const judged = judge(known->folder ? calls::sync_folder : calls::sync);
    if (judged.fails) {
        if (!known->folder) note({.what = disk_event::kind::lost, .file = known->file});
        if (planted_ != mistake::retried_sync) return -1;
    }
    if (known->folder) {
        if (planted_ != mistake::skipped_folder_sync)
            note({.what = disk_event::kind::sync_folder, .path = known->path});
    } else if (planted_ != mistake::skipped_sync) {
        note({.what = disk_event::kind::sync, .file = known->file});
    }
    auto const code = how_.real_sync ? static_cast<int>(::syscall(number, file)) : 0;
    if (judged.kill_after) die();
    return code;
}

int disk::on_resize(int file, off_t size) {
    std::lock_guard const lock{mutex_};
    auto const* const known = find(file);
    if (known == nullptr) return static_cast<int>(::syscall(SYS_ftruncate, file, size));
    capture_all();
    auto const judged = judge(calls::resize);
    if (judged.fails) return -1;
    auto const code = static_cast<int>(::syscall(SYS_ftruncate, file, size));
    if (code == 0) sizes_[known->file] = static_cast<std::size_t>(size);
    if (code == 0)
        note({.what = disk_event::kind::resize,
              .file = known->file,
              .offset = static_cast<std::size_t>(size)});
    if (judged.kill_after) die();
    return code;
}

int disk::on_allocate(int file, int mode, off_t offset, off_t size) {
    std::lock_guard const lock{mutex_};
    auto const* const known = find(file);
    if (known != nullptr) {
        auto const judged = judge(calls::resize);
        if (judged.fails) return -1;
        struct ::stat before{};
        ::fstat(file, &before);
        auto const code = static_cast<int>(::syscall(SYS_fallocate, file, mode, offset, size));
        if (code == 0 && mode == 0 && offset + size > before.st_size) {
            sizes_[known->file] = static_cast<std::size_t>(offset + size);
            note({.what = disk_event::kind::resize,
                  .file = known->file,
                  .offset = static_cast<std::size_t>(offset + size)});
        }
        if (judged.kill_after) die();
        return code;
    }
    return static_cast<int>(::syscall(SYS_fallocate, file, mode, offset, size));
}

int disk::on_name(long number, int folder, char const* path, int to_folder, char const* to,
                  unsigned detail) {
    std::lock_guard const lock{mutex_};
    auto const real = [&] {
        switch (number) {
            case SYS_renameat2:
                return static_cast<int>(
                    ::syscall(SYS_renameat2, folder, path, to_folder, to, detail));
            case SYS_mkdirat: return static_cast<int>(::syscall(SYS_mkdirat, folder, path, detail));
            default: return static_cast<int>(::syscall(SYS_unlinkat, folder, path, detail));
        }
    };
    auto const name = below(folder, path);
    if (name.empty()) return real();
    capture_all();
    auto const judged = judge(calls::name);
    if (judged.fails) return -1;
    auto const code = real();
    if (code == 0 && number == SYS_mkdirat) {
        note({.what = disk_event::kind::make_folder, .path = name});
    } else if (code == 0 && number == SYS_renameat2) {
        auto const next = below(to_folder, to);
        note({.what = disk_event::kind::rename, .path = name, .to = next});
        if (auto moved = names_.extract(name)) names_[next] = moved.mapped();
    } else if (code == 0) {
        note({.what = disk_event::kind::remove, .path = name});
        names_.erase(name);
    }
    if (judged.kill_after) die();
    return code;
}

void* disk::on_map(void* address, std::size_t size, int protection, int flags, int file,
                   off_t offset) {
    std::lock_guard const lock{mutex_};
    auto const* const known = find(file);
    if (known != nullptr && judge(calls::map).fails) return MAP_FAILED;
    auto const at = ::syscall(SYS_mmap, address, size, protection, flags, file, offset);
    auto* const mapped = reinterpret_cast<char*>(at);
    // The index of SQLite's log is made anew by the first who opens the database.
    if (known != nullptr && mapped != MAP_FAILED && (flags & MAP_SHARED) != 0 &&
        (protection & PROT_WRITE) != 0 && how_.log && !known->path.ends_with("-shm")) {
        auto const begin = static_cast<std::size_t>(offset);
        auto const there = sizes_[known->file];
        auto const end = std::min(size, there - std::min(there, begin));
        mappings_.push_back({known->file, mapped, size, begin, std::string(mapped, end)});
    }
    return mapped;
}

int disk::on_map_sync(void* address, std::size_t size, int flags) {
    std::lock_guard const lock{mutex_};
    capture_all();
    for (auto const& one : mappings_) {
        if (address < one.address || address >= one.address + one.size) continue;
        auto const judged = judge(calls::sync);
        if (judged.fails) {
            note({.what = disk_event::kind::lost, .file = one.file});
            if (planted_ != mistake::retried_sync) return -1;
        }
        if ((flags & MS_SYNC) != 0 && planted_ != mistake::skipped_sync)
            note({.what = disk_event::kind::sync, .file = one.file});
        if (judged.kill_after) die();
        return how_.real_sync ? static_cast<int>(::syscall(SYS_msync, address, size, flags)) : 0;
    }
    return static_cast<int>(::syscall(SYS_msync, address, size, flags));
}

void disk::on_unmap(void* address, std::size_t size) {
    std::lock_guard const lock{mutex_};
    auto const* const end = static_cast<char const*>(address) + size;
    std::erase_if(mappings_, [&](mapping& one) {
        if (one.address < address || one.address >= end) return false;
        capture(one);
        return true;
    });
}

ssize_t disk::on_send(int socket, void const* bytes, std::size_t size, int flags) {
    std::lock_guard const lock{mutex_};
    auto const judged = judge(calls::send);
    if (judged.fails) return -1;
    auto const done =
        ::syscall(SYS_sendto, socket, bytes, judged.cut ? (size + 1) / 2 : size, flags, nullptr, 0);
    if (judged.kill_after) die();
    return done;
}

int disk::on_close(int file) {
    std::lock_guard const lock{mutex_};
    open_.erase(file);
    return static_cast<int>(::syscall(SYS_close, file));
}

}  // namespace recoup_test

// ---- The functions of the C library. The program's own definitions come before the shared ones, also
// for the libraries that it loads.

using recoup_test::disk;

namespace {
disk* now() { return disk::current.load(std::memory_order_acquire); }

int open_at(int folder, char const* path, int flags, mode_t mode) {
    if (auto* const at = now()) return at->on_open(folder, path, flags, mode);
    return static_cast<int>(::syscall(SYS_openat, folder, path, flags, mode));
}
int name_call(long number, int folder, char const* path, int to_folder, char const* to,
              unsigned detail) {
    if (auto* const at = now()) return at->on_name(number, folder, path, to_folder, to, detail);
    if (number == SYS_renameat2)
        return static_cast<int>(::syscall(number, folder, path, to_folder, to, detail));
    return static_cast<int>(::syscall(number, folder, path, detail));
}
}  // namespace

#define RECOUP_MODE(flags, mode)                                          \
    mode_t mode = 0;                                                      \
    if (((flags) & O_CREAT) != 0 || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list rest;                                                     \
        va_start(rest, flags);                                            \
        mode = static_cast<mode_t>(va_arg(rest, unsigned));               \
        va_end(rest);                                                     \
    }

#pragma GCC diagnostic push
#ifndef __clang__  // does not know it
#pragma GCC diagnostic ignored "-Wnonnull-compare"
#endif
extern "C" {
int open(char const* path, int flags, ...) {
    RECOUP_MODE(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}
int open64(char const* path, int flags, ...) {
    RECOUP_MODE(flags, mode)
    return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int folder, char const* path, int flags, ...) {
    RECOUP_MODE(flags, mode)
    return open_at(folder, path, flags, mode);
}
int openat64(int folder, char const* path, int flags, ...) {
    RECOUP_MODE(flags, mode)
    return open_at(folder, path, flags | O_LARGEFILE, mode);
}
int close(int file) {
    if (auto* const at = now()) return at->on_close(file);
    return static_cast<int>(::syscall(SYS_close, file));
}
ssize_t write(int file, void const* bytes, size_t size) {
    if (auto* const at = now()) return at->on_write(file, bytes, size, 0, false);
    return ::syscall(SYS_write, file, bytes, size);
}
ssize_t pwrite(int file, void const* bytes, size_t size, off_t offset) {
    if (auto* const at = now()) return at->on_write(file, bytes, size, offset, true);
    return ::syscall(SYS_pwrite64, file, bytes, size, offset);
}
ssize_t pwrite64(int file, void const* bytes, size_t size, off64_t offset) {
    return pwrite(file, bytes, size, offset);
}
ssize_t send(int socket, void const* bytes, size_t size, int flags) {
    if (auto* const at = now()) return at->on_send(socket, bytes, size, flags);
    return ::syscall(SYS_sendto, socket, bytes, size, flags, nullptr, 0);
}
ssize_t read(int file, void* into, size_t size) {
    if (auto* const at = now()) return at->on_read(file, into, size, 0, false);
    return ::syscall(SYS_read, file, into, size);
}
ssize_t pread(int file, void* into, size_t size, off_t offset) {
    if (auto* const at = now()) return at->on_read(file, into, size, offset, true);
    return ::syscall(SYS_pread64, file, into, size, offset);
}
ssize_t pread64(int file, void* into, size_t size, off64_t offset) {
    return pread(file, into, size, offset);
}
int fsync(int file) {
    if (auto* const at = now()) return at->on_sync(file, SYS_fsync);
    return disk::never_waits ? 0 : static_cast<int>(::syscall(SYS_fsync, file));
}
int fdatasync(int file) {
    if (auto* const at = now()) return at->on_sync(file, SYS_fdatasync);
    return disk::never_waits ? 0 : static_cast<int>(::syscall(SYS_fdatasync, file));
}
int ftruncate(int file, off_t size) noexcept {
    if (auto* const at = now()) return at->on_resize(file, size);
    return static_cast<int>(::syscall(SYS_ftruncate, file, size));
}
int ftruncate64(int file, off64_t size) noexcept { return ftruncate(file, size); }
int fallocate(int file, int mode, off_t offset, off_t size) {
    if (auto* const at = now()) return at->on_allocate(file, mode, offset, size);
    return static_cast<int>(::syscall(SYS_fallocate, file, mode, offset, size));
}
int fallocate64(int file, int mode, off64_t offset, off64_t size) {
    return fallocate(file, mode, offset, size);
}
int posix_fallocate(int file, off_t offset, off_t size) {
    return fallocate(file, 0, offset, size) == 0 ? 0 : errno;
}
int posix_fallocate64(int file, off64_t offset, off64_t size) {
    return posix_fallocate(file, offset, size);
}
int unlink(char const* path) noexcept {
    return name_call(SYS_unlinkat, AT_FDCWD, path, 0, nullptr, 0);
}
int unlinkat(int folder, char const* path, int flags) noexcept {
    return name_call(SYS_unlinkat, folder, path, 0, nullptr, static_cast<unsigned>(flags));
}
int rename(char const* path, char const* to) noexcept {
    return name_call(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, to, 0);
}
int renameat(int folder, char const* path, int to_folder, char const* to) noexcept {
    return name_call(SYS_renameat2, folder, path, to_folder, to, 0);
}
int renameat2(int folder, char const* path, int to_folder, char const* to,
              unsigned flags) noexcept {
    return name_call(SYS_renameat2, folder, path, to_folder, to, flags);
}
int mkdir(char const* path, mode_t mode) noexcept {
    return name_call(SYS_mkdirat, AT_FDCWD, path, 0, nullptr, mode);
}
int mkdirat(int folder, char const* path, mode_t mode) noexcept {
    return name_call(SYS_mkdirat, folder, path, 0, nullptr, mode);
}
void* mmap(void* address, size_t size, int protection, int flags, int file, off_t offset) noexcept {
    if (file >= 0)
        if (auto* const at = now())
            return at->on_map(address, size, protection, flags, file, offset);
    return reinterpret_cast<void*>(
        ::syscall(SYS_mmap, address, size, protection, flags, file, offset));
}
void* mmap64(void* address, size_t size, int protection, int flags, int file,
             off64_t offset) noexcept {
    return mmap(address, size, protection, flags, file, offset);
}
int munmap(void* address, size_t size) noexcept {
    if (auto* const at = now()) at->on_unmap(address, size);
    return static_cast<int>(::syscall(SYS_munmap, address, size));
}
int msync(void* address, size_t size, int flags) {
    if (auto* const at = now()) return at->on_map_sync(address, size, flags);
    return static_cast<int>(::syscall(SYS_msync, address, size, flags));
}
}
#pragma GCC diagnostic pop
