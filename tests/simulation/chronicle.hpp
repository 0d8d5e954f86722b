// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "simulation/scheduler.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace simulation {

/// What happened in a day, numbered; the last of it is kept. The first promise that is broken ends the
/// program, with all that is needed to see the same again.
class chronicle {
  public:
    chronicle(scheduler& by, std::uint64_t seed, bool aloud) noexcept
        : by_{by}, seed_{seed}, aloud_{aloud} {}
    chronicle(chronicle const&) = delete;
    chronicle& operator=(chronicle const&) = delete;

    /// Notes an event, and lets `on_event` look at the world.
    void note(std::string what);

    /// A promise is broken: tells which, and what went before. Does not return.
    [[noreturn]] void broken(std::string_view promise, std::string const& how);
    /// The same unless `kept`.
    void require(bool kept, std::string_view promise, auto const& how) {
        if (!kept) broken(promise, how());
    }

    [[nodiscard]] std::uint64_t events() const noexcept { return events_; }
    /// Of all that happened: equal for equal seeds.
    [[nodiscard]] std::uint64_t fingerprint() const noexcept { return fingerprint_; }

    std::function<void()> on_event{};
    std::function<void()> before_the_end{};  ///< leaves nothing behind, where a promise is broken
    std::string how_to_repeat{};             ///< beside the seed

  private:
    static constexpr std::size_t kept_max = 60;

    scheduler& by_;
    std::uint64_t const seed_;
    bool const aloud_;
    std::uint64_t events_ = 0;
    std::uint64_t fingerprint_ = 0;
    std::deque<std::string> last_;
};

}  // namespace simulation
