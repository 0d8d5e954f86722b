// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace recoup::inline v1::detail {

/// The first schema; a number per change of it.
inline constexpr int postgres_schema_version = 1;

/// What makes the schema, whose name goes where `{s}` stands; each can be run again.
inline constexpr std::string_view postgres_creation[] = {
    "CREATE SCHEMA IF NOT EXISTS {s}",
    "CREATE TABLE IF NOT EXISTS {s}.store (one bigint PRIMARY KEY CHECK (one = 1), "
    "version bigint NOT NULL)",
    "CREATE SEQUENCE IF NOT EXISTS {s}.numbers",
    "CREATE SEQUENCE IF NOT EXISTS {s}.owner_numbers",
    "CREATE SEQUENCE IF NOT EXISTS {s}.revisions",
    "CREATE TABLE IF NOT EXISTS {s}.records (space text COLLATE \"C\" NOT NULL, "
    "name text COLLATE \"C\" NOT NULL, key text COLLATE \"C\" NOT NULL, "
    "revision bigint NOT NULL, mark bigint NOT NULL, status bigint NOT NULL, "
    "updated bigint NOT NULL, expires bigint NOT NULL, payload bytea NOT NULL, "
    "PRIMARY KEY (space, name, key))",
    "CREATE INDEX IF NOT EXISTS records_expiring ON {s}.records (expires) "
    "WHERE status <> 1",
    "CREATE TABLE IF NOT EXISTS {s}.owners (number bigint PRIMARY KEY, "
    "who text NOT NULL, lease bigint NOT NULL, expires bigint NOT NULL)",
    // Room in each page for the next version of its rows, which then need no new index entry.
    "CREATE TABLE IF NOT EXISTS {s}.operations (number bigint PRIMARY KEY, "
    "space text COLLATE \"C\" NOT NULL, name text COLLATE \"C\" NOT NULL, "
    "key text COLLATE \"C\" NOT NULL, parent bigint NOT NULL, epoch bigint NOT NULL, "
    "owner bigint NOT NULL, mark bigint NOT NULL, cancel bigint NOT NULL, "
    "met bigint NOT NULL, "
    "writes bigint NOT NULL, seal bigint NOT NULL, status bigint NOT NULL, "
    "due bigint NOT NULL, slept bigint NOT NULL, expires bigint NOT NULL, "
    "identity bytea NOT NULL, payload bytea NOT NULL, UNIQUE (space, name, key)) "
    "WITH (fillfactor = 60)",
    "CREATE INDEX IF NOT EXISTS operations_due ON {s}.operations (space, due, number) "
    "WHERE status < 3",
    "CREATE INDEX IF NOT EXISTS operations_slept ON {s}.operations (space, slept) "
    "WHERE status < 3",
    "CREATE INDEX IF NOT EXISTS operations_expiring ON {s}.operations (expires) "
    "WHERE status > 2 AND status < 6",
    "CREATE INDEX IF NOT EXISTS operations_children ON {s}.operations "
    "(parent, number) WHERE parent <> 0",
    "CREATE INDEX IF NOT EXISTS operations_wishes ON {s}.operations (owner) "
    "WHERE cancel = 1",
    "CREATE TABLE IF NOT EXISTS {s}.steps (operation bigint NOT NULL, "
    "idx bigint NOT NULL, writes bigint NOT NULL, payload bytea NOT NULL, "
    "PRIMARY KEY (operation, idx))",
};

/// Each column of the schema, as `table.column type`.
inline std::vector<std::string> postgres_columns() {
    std::vector<std::string> all;
    auto const add = [&](std::string const& table, std::string_view type,
                         std::initializer_list<std::string_view> names) {
        for (auto const name : names)
            all.push_back(table + '.' + std::string{name} + ' ' + std::string{type});
    };
    add("store", "bigint", {"one", "version"});
    add("owners", "bigint", {"number", "lease", "expires"});
    add("owners", "text", {"who"});
    add("steps", "bigint", {"operation", "idx", "writes"});
    add("steps", "bytea", {"payload"});
    add("records", "text", {"space", "name", "key"});
    add("records", "bigint", {"revision", "mark", "status", "updated", "expires"});
    add("records", "bytea", {"payload"});
    add("operations", "text", {"space", "name", "key"});
    add("operations", "bigint",
        {"number", "parent", "epoch", "owner", "mark", "cancel", "met", "writes", "seal", "status",
         "due", "slept", "expires"});
    add("operations", "bytea", {"identity", "payload"});
    return all;
}

}  // namespace recoup::inline v1::detail
