// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/journal_store.hpp>
#include <recoup/store/sqlite_store.hpp>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace orders {

/// What `with_store` knows.
inline std::vector<std::string> const store_names{"journal", "sqlite"};

/// Opens the store of that name in `folder`, and calls `use(store)`.
/// Throws: std::invalid_argument for another name; what opening a store throws.
template <class Use>
auto with_store(std::string const& name, std::filesystem::path const& folder, Use&& use) {
    if (name == "journal") {
        auto store = recoup::journal_store{(folder / "orders.journal").string()};
        return std::forward<Use>(use)(store);
    }
    if (name == "sqlite") {
        // A SIGKILL ends a process, not a machine: what survives that is enough here.
        auto store = recoup::sqlite_store{folder / "orders.db",
                                          {.durability = recoup::durability::process_crash}};
        return std::forward<Use>(use)(store);
    }
    throw std::invalid_argument{"no store is called '" + name + "'"};
}

}  // namespace orders
