// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a power cut may leave of a folder, rebuilt from a disk's log.

#include "crash/disk.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace recoup_test {

/// The disk at one moment of its log: what is on it for certain, and what may be.
///
/// The rules, as harsh as those of POSIX: what was synced is there. Of what was written to a file since
/// its last sync each 512-byte sector may be there or not, whatever the order, and each change of the
/// size likewise. A new, moved or removed name is certain only once its folder was synced, whatever was
/// synced of the file. A sync that failed has lost what it should have kept.
class disk_state {
  public:
    explicit disk_state(disk_log const& log);

    /// Takes the next event of the log; false: there is none.
    bool advance();
    /// How many events were taken.
    [[nodiscard]] std::size_t position() const { return position_; }
    /// How many changes are in doubt.
    [[nodiscard]] std::size_t doubts() const;
    /// How many states `write_to` can be asked for here, beside random ones.
    [[nodiscard]] std::size_t variants() const { return doubts() == 0 ? 1 : 2 + 3 * doubts(); }

    /// Makes a folder as a power cut at this moment may leave it. `variant`: 0 nothing in doubt is there,
    /// 1 everything, then for each change: only that, all but that, all before it and a half of it; from
    /// `variants()` on: a random choice with the variant as its seed.
    void write_to(std::string const& folder, std::uint64_t variant) const;

  private:
    struct change {
        bool resize;
        std::size_t offset;
        std::string bytes;
    };
    struct file {
        std::string synced;
        std::vector<change> pending;
    };
    struct renaming {  // in `folder`: `path` is now `file`, or nothing
        std::string path;
        std::size_t file;
        std::string from;  // where it was moved from
    };
    static constexpr std::size_t no_file = SIZE_MAX;
    static constexpr std::size_t a_folder = SIZE_MAX - 1;

    template <class Lands>
    void build(std::string const& folder, Lands const& lands) const;
    static void place(std::string& bytes, std::size_t offset, std::string_view what);
    static void apply(std::string& bytes, change const& one);
    void sync_names(std::string const& folder);

    disk_log const* log_;
    std::size_t position_ = 0;
    std::vector<file> files_;
    std::map<std::string, std::size_t> names_;  // certain
    std::map<std::string, std::size_t> seen_;   // as the program sees them
    std::vector<renaming> pending_names_;
};

}  // namespace recoup_test
