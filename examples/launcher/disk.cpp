// SPDX-License-Identifier: BSL-1.0
#include "launcher/disk.hpp"

#include "launcher/failures.hpp"

#include <cerrno>
#include <cstring>
#include <limits>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace launcher {

namespace {

namespace fs = std::filesystem;

std::string quoted(fs::path const& path) {
    std::string text{'\''};
    text += path.string();
    text += '\'';
    return text;
}

/// Makes the names in a folder durable: a new or renamed file is not there after a power cut before.
int sync_folder(fs::path const& folder) noexcept {
    support::unique_fd const fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    return fd && ::fsync(fd.get()) == 0 ? 0 : errno;
}

int make_folders_durably(fs::path const& folder) {
    struct stat status{};
    if (folder.empty() || (::stat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode)))
        return 0;
    fs::path const parent = folder.parent_path();
    if (int const error = make_folders_durably(parent); error != 0) return error;
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return errno;
    if (::stat(folder.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) return ENOTDIR;
    return sync_folder(parent.empty() ? fs::path{"."} : parent);
}

/// The bytes of `target` that need no space any more.
std::uint64_t allocated_for(fs::path const& target) noexcept {
    struct stat status{};
    if (::stat(part_path(target).c_str(), &status) != 0) return 0;
    return static_cast<std::uint64_t>(status.st_blocks) * 512U;
}

bool finished(fs::path const& target, model const& what) noexcept {
    struct stat status{};
    return ::stat(target.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
           static_cast<std::uint64_t>(status.st_size) == what.size;
}

std::string in_units(std::uint64_t bytes) {
    return std::to_string(bytes) + " bytes (" + std::to_string(bytes / 1'000'000) + " MB)";
}

}  // namespace

fs::path part_path(fs::path const& target) {
    fs::path part = target;
    part += ".part";
    return part;
}

recoup::result<part_file> part_file::open(fs::path const& target) {
    fs::path const folder = target.parent_path();
    if (int const error = make_folders_durably(folder); error != 0)
        return fail_errno(error, "making the folder " + quoted(folder));
    fs::path const path = part_path(target);
    // A link in the place of the file is never followed: it could point anywhere.
    support::unique_fd fd{
        ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644)};
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0) return fail_errno(errno, "opening " + quoted(path));
    if (!S_ISREG(status.st_mode)) return fail(errc::no_permission, quoted(path) + " is not a file");
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
        return fail(errc::state_locked, "another launcher is downloading " + quoted(target));
    if (int const error = sync_folder(folder.empty() ? fs::path{"."} : folder); error != 0)
        return fail_errno(error, "syncing the folder " + quoted(folder));
    return part_file{std::move(fd), target};
}

recoup::result<std::uint64_t> part_file::size() const {
    struct stat status{};
    if (::fstat(fd_.get(), &status) != 0)
        return fail_errno(errno, "looking at " + quoted(part_path(target_)));
    return static_cast<std::uint64_t>(status.st_size);
}

recoup::result<void> part_file::truncate(std::uint64_t size) {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0)
        return fail_errno(errno, "truncating " + quoted(part_path(target_)));
    return recoup::success();
}

recoup::result<void> part_file::reserve(std::uint64_t size) {
    if (size == 0 ||
        ::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) == 0 ||
        errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR)
        return recoup::success();
    return fail_errno(errno, "reserving space for " + quoted(target_));
}

recoup::result<void> part_file::write(std::uint64_t offset, std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
        ssize_t const written =
            ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail_errno(errno, "writing " + quoted(part_path(target_)));
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
    }
    return recoup::success();
}

recoup::result<void> part_file::sync() {
    if (::fdatasync(fd_.get()) != 0)
        return fail_errno(errno, "syncing " + quoted(part_path(target_)));
    return recoup::success();
}

recoup::result<void> part_file::place() {
    if (::fsync(fd_.get()) != 0) return fail_errno(errno, "syncing " + quoted(part_path(target_)));
    if (::rename(part_path(target_).c_str(), target_.c_str()) != 0)
        return fail_errno(errno, "renaming to " + quoted(target_));
    fs::path const folder = target_.parent_path();
    if (int const error = sync_folder(folder.empty() ? fs::path{"."} : folder); error != 0)
        return fail_errno(error, "syncing the folder " + quoted(folder));
    return recoup::success();
}

void make_folders(fs::path const& folder) {
    if (int const error = make_folders_durably(folder); error != 0)
        throw problem(from_errno(error, errc::disk_failed),
                      "the folder " + quoted(folder) + " cannot be made: " + std::strerror(error));
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
        throw problem(
            from_errno(errno, errc::disk_failed),
            "the folder " + quoted(folder) + " cannot be written: " + std::strerror(errno));
}

void check_disk_space(fs::path const& folder, std::vector<model> const& plan) {
    std::uint64_t needed = 0;
    for (model const& what : plan) {
        fs::path const target = folder / what.target;
        if (finished(target, what)) continue;
        std::uint64_t const had = allocated_for(target);
        needed += had < what.size ? what.size - had : 0;  // sizes are bounded: no overflow
    }
    struct statvfs status{};
    if (::statvfs(folder.c_str(), &status) != 0)
        throw problem(errc::disk_failed, "the free space of " + quoted(folder) +
                                             " cannot be found: " + std::strerror(errno));
    std::uint64_t const free = std::uint64_t{status.f_bavail} * status.f_frsize;
    if (needed > free)
        throw problem(errc::disk_full, "the models need " + in_units(needed) + ", and " +
                                           quoted(folder) + " has " + in_units(free) + " free");
}

}  // namespace launcher
