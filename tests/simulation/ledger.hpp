// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "simulation/chronicle.hpp"

#include <recoup/core/time.hpp>
#include <recoup/store/durable_store.hpp>
#include <recoup/store/operation_record.hpp>
#include <recoup/store/record.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace recoup_test {
class any_store;
}

namespace simulation {

/// What a store has acknowledged to anybody: what it must hold from then on.
class ledger {
  public:
    struct entry {
        recoup::operation_record head{};
        std::map<std::uint32_t, recoup::step_record> steps{};
        std::optional<recoup::steady_time> wished{};  ///< since when it is to be cancelled
    };

    explicit ledger(chronicle& to) noexcept : to_{to} {}

    // ---- what was acknowledged

    void entered(std::uint64_t owner) { alive_.insert(owner); }
    void left(std::uint64_t owner) { alive_.erase(owner); }
    void started(recoup::started_operation const& what);
    void claimed(recoup::operation_record const& what);
    void written(recoup::operation_write const& what);
    void wished(std::uint64_t number, recoup::steady_time now);

    // ---- what there is to know

    [[nodiscard]] entry const* find(std::uint64_t number) const;
    [[nodiscard]] entry const* find(recoup::operation_ref id) const;
    [[nodiscard]] recoup::step_record const* step(std::uint64_t number, std::string const& name,
                                                  std::string const& id) const;
    /// What the step's retries have come to, as far as that is recorded.
    [[nodiscard]] std::optional<recoup::record> retries(std::uint64_t number,
                                                        std::string const& name,
                                                        std::string const& id) const;
    [[nodiscard]] bool is_alive(std::uint64_t owner) const { return alive_.contains(owner); }
    [[nodiscard]] std::map<std::uint64_t, entry> const& entries() const noexcept { return all_; }

    /// Whether the store has all of it; a promise is broken where not.
    void compare(recoup_test::any_store& with);

  private:
    chronicle& to_;
    std::map<std::uint64_t, entry> all_;
    std::set<std::uint64_t> alive_;
};

}  // namespace simulation
