// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "soak/readings.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace soak {

/// Mistakes, to see that the verdict is worth something.
enum class mistake { none, descriptors, memory, threads, slow, lost };

/// Which stores the users write to: half of them to each, where it is both.
enum class stores { journal, sqlite, both };

/// A service under load: calls with everything on them, and durable operations, on real stores.
class users {
  public:
    users(std::string const& folder, stores which, mistake planted);
    users(users const&) = delete;
    users& operator=(users const&) = delete;
    ~users();

    /// How many phases there are before they come again.
    static std::size_t phases();

    /// Lets the users of phase `number` work for so long, and tells what it came to.
    interval work(std::size_t number, double seconds);

    /// What does not agree with what was counted beside it; empty: all does.
    [[nodiscard]] std::string disagreement();

  private:
    struct parts;
    std::unique_ptr<parts> parts_;
};

}  // namespace soak
