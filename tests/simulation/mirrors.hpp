// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "simulation/chronicle.hpp"
#include "simulation/dice.hpp"

#include <recoup/core/result.hpp>
#include <recoup/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

namespace simulation {

/// A file that workflows need: its bytes follow from its number.
struct model_file {
    static constexpr std::size_t chunk = 32;

    std::uint32_t number = 0;

    [[nodiscard]] std::size_t size() const noexcept {
        return chunk * (1 + number % 5) - number % 7;
    }
    [[nodiscard]] std::string bytes(std::size_t from, std::size_t count) const;
    [[nodiscard]] std::string all() const { return bytes(0, size()); }
    [[nodiscard]] std::string name() const { return "model-" + std::to_string(number); }
};

/// Servers that have the same files, each with bad times of its own.
class mirrors {
  public:
    enum class trouble { down, silent, refusing, slow, cut, garbled };
    struct bad_time {
        trouble what;
        recoup::steady_time from;
        recoup::steady_time to;
    };

    /// Troubles begin after `begin`, and none lasts longer than `end`.
    mirrors(scheduler& by, dice& chance, std::size_t count, recoup::steady_time begin,
            recoup::steady_time end);

    [[nodiscard]] std::size_t count() const noexcept { return hosts_.size(); }
    [[nodiscard]] static std::string host(std::size_t index) {
        return "mirror-" + std::to_string(index);
    }
    [[nodiscard]] std::size_t index_of(std::string const& host) const;
    /// Whether any of them has it.
    [[nodiscard]] static bool exists(model_file what) noexcept { return what.number % 29 != 0; }
    [[nodiscard]] bool has(std::size_t host, model_file what) const noexcept;

    /// The bytes from `from` on, up to a chunk: fewer where the line was cut.
    ///
    /// Takes as long as the server does, `patience` at the most, and no longer than until a stop is requested.
    recoup::result<std::string> get(std::size_t host, model_file what, std::size_t from,
                                    recoup::duration patience, std::stop_token const& stop);

    [[nodiscard]] bool is_down(std::size_t host) const;

  private:
    struct server {
        std::vector<bad_time> troubles{};
    };

    [[nodiscard]] bad_time const* trouble_of(std::size_t host) const;

    scheduler& by_;
    dice& dice_;
    recoup::steady_time const calm_from_;
    std::vector<server> hosts_;
};

}  // namespace simulation
