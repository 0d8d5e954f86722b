// SPDX-License-Identifier: BSL-1.0
#pragma once

// The seam to the operating system for folders of small files.

#include <recoup/platform/file.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace recoup::inline v1::platform {

/// The names in an open folder but `.` and `..`, at most `most`, in no order.
inline std::vector<std::string> names_in(int folder, std::size_t most, std::error_code& error) {
    error.clear();
    // A descriptor of its own, since reading moves its position and closing the stream closes it.
    auto const mine = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto* const stream = mine < 0 ? nullptr : ::fdopendir(mine);
    if (stream == nullptr) {
        error = last_error();
        if (mine >= 0) ::close(mine);
        return {};
    }
    struct closing {
        ::DIR* stream;
        ~closing() { ::closedir(stream); }
    } const at_end{stream};
    std::vector<std::string> names;
    while (names.size() < most) {
        errno = 0;
        auto const* const entry = ::readdir(stream);
        if (entry == nullptr) {
            if (errno != 0) error = last_error();
            break;
        }
        if (std::string_view const name{entry->d_name}; name != "." && name != "..")
            names.emplace_back(name);
    }
    return names;
}

/// Opens a file for reading; never follows a link and never waits.
inline unique_fd open_to_read(int folder, std::string const& name,
                              std::error_code& error) noexcept {
    unique_fd file{
        ::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    error = file ? std::error_code{} : last_error();
    return file;
}

/// Gives a file of a folder another name there.
inline std::error_code rename_in(int folder, std::string const& from,
                                 std::string const& to) noexcept {
    return ::renameat(folder, from.c_str(), folder, to.c_str()) == 0 ? std::error_code{}
                                                                     : last_error();
}

/// Removes a file of a folder; that it is not there is no error.
inline std::error_code remove_in(int folder, std::string const& name) noexcept {
    return ::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT ? std::error_code{}
                                                                       : last_error();
}

/// Makes what was written to an open file survive a power cut.
inline std::error_code sync_file(int file) noexcept {
    return ::fsync(file) == 0 ? std::error_code{} : last_error();
}

}  // namespace recoup::inline v1::platform
