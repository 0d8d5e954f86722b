// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace recoup_test {

/// A folder that is removed at the end.
class temporary_folder {
  public:
    temporary_folder() {
        auto pattern = (std::filesystem::temp_directory_path() / "recoup-store-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
        path_ = std::filesystem::canonical(pattern).string();
    }
    temporary_folder(temporary_folder const&) = delete;
    temporary_folder& operator=(temporary_folder const&) = delete;
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string operator/(std::string const& name) const {
        return path_ + "/" + name;
    }
    [[nodiscard]] std::string const& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace recoup_test
