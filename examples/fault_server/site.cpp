// SPDX-License-Identifier: BSL-1.0
#include "fault_server/site.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>

namespace fault_server {

namespace {

std::string etag_of(struct stat const& status) {
    std::array<char, 80> text{};
    std::snprintf(text.data(), text.size(), "\"%llx-%llx%09llx\"",
                  static_cast<unsigned long long>(status.st_size),
                  static_cast<unsigned long long>(status.st_mtim.tv_sec),
                  static_cast<unsigned long long>(status.st_mtim.tv_nsec));
    return text.data();
}

// Only plain names: what would need decoding, or could climb out of the root, is not served.
bool is_plain(std::string_view target) noexcept {
    return target.starts_with('/') && target.find("..") == std::string_view::npos &&
           std::all_of(target.begin(), target.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_' || c == '/';
           });
}

}  // namespace

std::size_t served_file::read(std::uint64_t offset, std::span<char> to) const noexcept {
    ssize_t const got = ::pread(fd_.get(), to.data(), to.size(), static_cast<off_t>(offset));
    return got > 0 ? static_cast<std::size_t>(got) : 0;
}

site::site(site_options options)
    : options_(std::move(options)), plan_(options_.seed, options_.faults) {
    if (options_.access_log.empty()) return;
    log_ = support::unique_fd{
        ::open(options_.access_log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
    if (!log_)
        throw std::system_error(errno, std::generic_category(), options_.access_log.string());
}

std::optional<served_file> site::open(std::string_view target) const {
    if (!is_plain(target)) return std::nullopt;
    std::filesystem::path const path = options_.root / std::string(target.substr(1));
    support::unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    return served_file{std::move(fd), static_cast<std::uint64_t>(status.st_size), etag_of(status)};
}

void site::log(support::access const& entry) const noexcept {
    if (!log_) return;
    // One write call a line: readers that follow the file never see lines mixed.
    std::string const line = support::to_json_line(entry);
    if (::write(log_.get(), line.data(), line.size()) < 0) std::perror("access log");
}

}  // namespace fault_server
