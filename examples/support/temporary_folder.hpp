// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace support {

/// A new empty folder under the system's temporary folder, removed with all it holds at the end.
class temporary_folder {
  public:
    explicit temporary_folder(std::string const& purpose)
        : temporary_folder(std::filesystem::temp_directory_path(), purpose) {}

    temporary_folder(std::filesystem::path const& parent, std::string const& purpose) {
        std::string name = (parent / (purpose + "-XXXXXX")).string();
        if (::mkdtemp(name.data()) == nullptr)
            throw std::system_error(errno, std::generic_category(), "making folder " + name);
        path_ = name;
    }
    temporary_folder(temporary_folder const&) = delete;
    temporary_folder& operator=(temporary_folder const&) = delete;
    ~temporary_folder() {
        std::error_code ignored;
        if (!kept_) std::filesystem::remove_all(path_, ignored);
    }

    /// Leaves the folder behind, for someone to look at.
    void keep() noexcept { kept_ = true; }
    [[nodiscard]] std::filesystem::path const& path() const noexcept { return path_; }

  private:
    std::filesystem::path path_;
    bool kept_ = false;
};

}  // namespace support
