// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/journal_store.hpp>
#include <recoup/store/sqlite_store.hpp>
#if defined(ORDERS_POSTGRES)
#include <recoup/store/postgres_store.hpp>
#endif

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace orders {

/// What `with_store` knows.
inline std::vector<std::string> const store_names{
    "journal",
    "sqlite",
#if defined(ORDERS_POSTGRES)
    "postgres",
#endif
};

/// Where the store is: a folder, or for `postgres` how libpq connects; empty: as its environment says.
struct store_place {
    std::filesystem::path folder{};
    std::string database{};
};

/// Opens the store of that name at `place`, and calls `use(store)`.
/// Throws: std::invalid_argument for another name; what opening a store throws.
template <class Use>
auto with_store(std::string const& name, store_place const& place, Use&& use) {
    if (name == "journal") {
        auto store = recoup::journal_store{(place.folder / "orders.journal").string()};
        return std::forward<Use>(use)(store);
    }
    if (name == "sqlite") {
        // A SIGKILL ends a process, not a machine: what survives that is enough here.
        auto store = recoup::sqlite_store{place.folder / "orders.db",
                                          {.durability = recoup::durability::process_crash}};
        return std::forward<Use>(use)(store);
    }
#if defined(ORDERS_POSTGRES)
    if (name == "postgres") {
        // A schema for each folder, so that orders of one number in several do not meet.
        auto const number =
            std::hash<std::string>{}(std::filesystem::canonical(place.folder).string());
        auto store =
            recoup::postgres_store{place.database, {.schema = "orders_" + std::to_string(number)}};
        return std::forward<Use>(use)(store);
    }
#endif
    throw std::invalid_argument{"no store is called '" + name + "'"};
}

}  // namespace orders
