// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "launcher/model_index.hpp"
#include "support/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include <recoup/core/result.hpp>

namespace launcher {

/// An unfinished file `<name>.part` beside the place where the finished one belongs.
///
/// It is locked, so that two launchers never write to the same one. Errors are launcher::errc with
/// a text that names the file.
class part_file {
  public:
    /// Opens or creates the file for `target` and makes the folders it needs; all of them are
    /// synced, so that a checkpoint never speaks of a file that a power cut takes away.
    [[nodiscard]] static recoup::result<part_file> open(std::filesystem::path const& target);

    [[nodiscard]] recoup::result<std::uint64_t> size() const;
    [[nodiscard]] recoup::result<void> truncate(std::uint64_t size);

    /// Takes the space up to `size` now, so that a full disk is found before the download and not
    /// in its middle. The file does not grow. File systems that cannot are left alone.
    [[nodiscard]] recoup::result<void> reserve(std::uint64_t size);

    [[nodiscard]] recoup::result<void> write(std::uint64_t offset,
                                             std::span<std::byte const> bytes);

    /// Returns once all that was written survives a power cut.
    ///
    /// After a failure the file must not be trusted behind the last sync that succeeded.
    [[nodiscard]] recoup::result<void> sync();

    /// Gives the synced file its final name and makes that durable, too.
    [[nodiscard]] recoup::result<void> place();

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  private:
    part_file(support::unique_fd fd, std::filesystem::path target)
        : fd_(std::move(fd)), target_(std::move(target)) {}

    support::unique_fd fd_;
    std::filesystem::path target_;
};

/// The name of the unfinished file for `target`.
[[nodiscard]] std::filesystem::path part_path(std::filesystem::path const& target);

/// Checks that `folder` has the space that `plan` still needs. Throws: problem (disk_full, …).
void check_disk_space(std::filesystem::path const& folder, std::vector<model> const& plan);

/// Makes `folder` with its parents, each made durable. Throws: problem.
void make_folders(std::filesystem::path const& folder);

}  // namespace launcher
