// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "simulation/dice.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace recoup_test {
class any_store;
}

namespace simulation {

/// Where the launcher's store lies: in memory that outlives its processes, or in files, of which a crash
/// leaves what was written, and a power cut what was synced and anything of the rest.
class machine {
  public:
    /// `kind`: "memory", or the name of a store of tests/crash.
    explicit machine(std::string kind);
    machine(machine const&) = delete;
    machine& operator=(machine const&) = delete;
    ~machine();

    /// Those that this build can play.
    static std::vector<std::string> kinds();

    [[nodiscard]] bool in_memory() const noexcept;
    /// Whether it keeps what it has acknowledged when the power fails, and that can be played here.
    [[nodiscard]] bool stands_power_cuts() const noexcept;

    /// Opens the store, as the first process or one that comes after another.
    ///
    /// Pre: where it is of files, nobody has it open.
    std::shared_ptr<recoup_test::any_store> open();

    /// The process ends at this moment: what it does from now on changes nothing for those that follow.
    void crash(bool power_fails, dice& chance);

    /// Removes its files.
    void clear() noexcept;

  private:
    struct parts;
    std::unique_ptr<parts> parts_;
};

}  // namespace simulation
