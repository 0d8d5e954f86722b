// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "simulation/traffic.hpp"
#include "simulation/watched_store.hpp"
#include "simulation/world.hpp"

#include <recoup/core/attempt.hpp>
#include <recoup/core/result.hpp>
#include <recoup/durable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

namespace simulation {

/// One process of the launcher, from its start to its end: durable operations on the store, and one wrapped
/// callable with everything on it that fetches files.
class launcher : public process {
  public:
    launcher(world& in, std::shared_ptr<recoup_test::any_store> store, int number);
    launcher(launcher const&) = delete;
    launcher& operator=(launcher const&) = delete;

    /// Starts its threads: what was left behind, the users' clicks, and the house.
    void begin();
    /// It ends here and now, in the middle of whatever it does.
    void die();
    /// Asks it to end in good order.
    void close();
    /// What remains of a process is taken away. Pre: no strand is left.
    void bury();

    [[nodiscard]] watched_store& store() noexcept { return store_; }
    [[nodiscard]] bool closing() const noexcept { return closing_; }
    [[nodiscard]] int number() const noexcept { return number_; }
    [[nodiscard]] traffic& calls() noexcept { return traffic_; }

  private:
    recoup::result<std::uint64_t> download(recoup::attempt& attempt, std::string const& host,
                                           std::uint32_t file, std::string const& path);
    void click(std::uint32_t number);
    bool take_result(install& of, recoup::result<std::string> const& got);
    void cancel(std::uint32_t number);
    void keep_house();
    void look_for_wishes();
    /// Lets a strand of this process do that, if it still lives then.
    void later(std::string const& what, recoup::duration in, std::function<void()> body);
    void rest(recoup::duration span);
    [[nodiscard]] bool owns(std::uint64_t number) const;

    using run_function = std::function<recoup::result<std::string>(
        std::string const& key, std::uint32_t number, recoup::duration patience)>;

    world& in_;
    int const number_;
    process_clock clock_;
    watched_store store_;
    traffic traffic_;
    bool closing_ = false;
    std::stop_source leaving_;
    recoup::steady_time began_;
    std::unique_ptr<recoup::operations> ops_;
    run_function run_;
};

}  // namespace simulation
