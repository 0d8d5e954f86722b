// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "simulation/dice.hpp"

#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

namespace simulation {

/// Where downloads go: it can be full, and what was not synced may be gone after a power cut.
class user_disk {
  public:
    explicit user_disk(std::size_t room) noexcept : room_{room} {}

    /// Writes at `from`; what was behind it is cut off.
    recoup::result<void> write(std::string const& path, std::size_t from, std::string const& what) {
        auto& one = files_[path];
        if (used() + from + what.size() > room() + one.bytes.size())
            return recoup::failure{recoup::category::disk_full, "no space left on device"};
        one.bytes.resize(from);
        one.synced = std::min(one.synced, from);
        one.bytes += what;
        return recoup::success();
    }
    void sync(std::string const& path) {
        auto& one = files_[path];
        one.synced = one.bytes.size();
    }
    [[nodiscard]] std::string read(std::string const& path) const {
        auto const found = files_.find(path);
        return found == files_.end() ? std::string{} : found->second.bytes;
    }
    void remove(std::string const& path) { files_.erase(path); }

    /// Something else fills the disk, or lets go of it.
    void fill(bool full) noexcept { full_ = full; }
    [[nodiscard]] bool full() const noexcept { return full_; }

    void power_cut(dice& chance) {
        for (auto& [path, one] : files_)
            one.bytes.resize(one.synced + chance.below(one.bytes.size() - one.synced + 1));
    }

  private:
    struct file {
        std::string bytes;
        std::size_t synced = 0;
    };
    [[nodiscard]] std::size_t used() const {
        std::size_t sum = 0;
        for (auto const& [path, one] : files_) sum += one.bytes.size();
        return sum;
    }
    [[nodiscard]] std::size_t room() const noexcept { return full_ ? 0 : room_; }

    std::size_t const room_;
    bool full_ = false;
    std::map<std::string, file> files_;
};

}  // namespace simulation
