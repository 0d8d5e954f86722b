// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace orders {

/// What has happened in the world, a line each: a file that outlives whoever writes it.
///
/// A line is there once `add` has returned, even where a SIGKILL comes next.
class diary {
  public:
    /// Throws: std::system_error.
    explicit diary(std::filesystem::path path);

    /// Throws: std::system_error.
    void add(std::string_view what, std::string_view step) const;

    /// How often `what` has happened to `step`.
    [[nodiscard]] std::size_t count(std::string_view what, std::string_view step) const;

  private:
    std::filesystem::path path_;
};

}  // namespace orders
