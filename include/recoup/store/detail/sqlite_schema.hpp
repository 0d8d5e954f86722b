// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_account.hpp>
#include <recoup/store/detail/sqlite_connection.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What a file of this store looks like. A change of it is a new version with a step in `migrate`;
// the texts of old versions stay, since a file is compared with them before it is touched.
//
// Version 0 is the layout of before the first release: no order by expiry and no account of what is
// there. Version 1 added both.

namespace recoup::inline v1::detail {

inline constexpr std::int64_t sqlite_application_id = 0x72637570;  // "rcup"
inline constexpr std::int64_t sqlite_schema_version = 1;

struct schema_object {
    std::string_view type;
    std::string_view name;
    std::string_view table;
    std::string_view sql;
};

inline constexpr std::string_view record_table_sql =
    "CREATE TABLE recoup_record (number INTEGER PRIMARY KEY, space TEXT NOT NULL, name TEXT NOT "
    "NULL, "
    "key TEXT NOT NULL, revision INTEGER NOT NULL, status INTEGER NOT NULL, updated INTEGER NOT "
    "NULL, "
    "expires INTEGER NOT NULL, payload BLOB NOT NULL) STRICT";
inline constexpr std::string_view identity_index_sql =
    "CREATE UNIQUE INDEX recoup_record_identity ON recoup_record (space, name, key)";
inline constexpr std::string_view expiry_index_sql =
    "CREATE INDEX recoup_record_expiry ON recoup_record (expires) WHERE status <> 1";
inline constexpr std::string_view state_table_sql =
    "CREATE TABLE recoup_state (number INTEGER PRIMARY KEY CHECK (number = 1), state BLOB NOT "
    "NULL) STRICT";

/// What each version consists of, in the order of the names.
inline std::vector<schema_object> schema_of(std::int64_t version) {
    std::vector<schema_object> objects{
        {"table", "recoup_record", "recoup_record", record_table_sql}};
    if (version >= 1)
        objects.push_back({"index", "recoup_record_expiry", "recoup_record", expiry_index_sql});
    objects.push_back({"index", "recoup_record_identity", "recoup_record", identity_index_sql});
    if (version >= 1) objects.push_back({"table", "recoup_state", "recoup_state", state_table_sql});
    return objects;
}

/// The file's schema version; an error where the file is not ours, or of a version not known here.
/// Reads only.
inline result<std::int64_t> identify(sqlite_connection& file) {
    auto const id = file.ask_number("PRAGMA application_id");
    if (!id.has_value()) return id.error();
    if (id.value() != sqlite_application_id)
        return store_failure(store_errc::foreign_schema,
                             file.path() + " is a database of another program (application id " +
                                 std::to_string(id.value()) + "); expected " +
                                 std::to_string(sqlite_application_id) + "; it was left as it is");
    auto const version = file.ask_number("PRAGMA user_version");
    if (!version.has_value()) return version.error();
    if (version.value() > sqlite_schema_version)
        return store_failure(store_errc::newer_version,
                             file.path() + " has schema version " +
                                 std::to_string(version.value()) +
                                 "; this version of the library reads up to " +
                                 std::to_string(sqlite_schema_version));
    if (version.value() < 0)
        return store_failure(store_errc::foreign_schema, file.path() + " has schema version " +
                                                             std::to_string(version.value()) +
                                                             "; expected 0 or more");
    return version;
}

/// Refuses a file that holds anything but what its version consists of: a trigger, a view, a changed
/// table. Reads only.
inline result<void> compare_schema(sqlite_connection& file, std::int64_t version) {
    sqlite_statement objects;
    auto code = objects.prepare(
        file.get(),
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name COLLATE BINARY");
    if (code != SQLITE_OK) return file.fail(code, "reading the schema of " + file.path(), false);
    auto const foreign = [&](std::string const& what) {
        return store_failure(store_errc::foreign_schema,
                             file.path() + " " + what + "; expected the schema of version " +
                                 std::to_string(version) +
                                 " of a recoup store; it was left as it is");
    };
    for (auto const& expected : schema_of(version)) {
        code = objects.step();
        if (code == SQLITE_DONE)
            return foreign("lacks the " + std::string{expected.type} + " " +
                           std::string{expected.name});
        if (code != SQLITE_ROW)
            return file.fail(code, "reading the schema of " + file.path(), false);
        if (objects.text(1) != expected.name || objects.text(0) != expected.type)
            return foreign("holds the " + std::string{objects.text(0)} + " \"" +
                           std::string{objects.text(1)} + "\" where " + std::string{expected.name} +
                           " should be");
        if (objects.text(2) != expected.table || objects.text(3) != expected.sql)
            return foreign("has another definition of " + std::string{expected.name});
    }
    code = objects.step();
    if (code == SQLITE_ROW)
        return foreign("holds the " + std::string{objects.text(0)} + " \"" +
                       std::string{objects.text(1)} + "\" besides");
    if (code != SQLITE_DONE) return file.fail(code, "reading the schema of " + file.path(), false);
    return success();
}

/// Gives an empty file its schema, all of it or none.
inline result<void> create_schema(sqlite_connection& file, std::int64_t version) {
    sqlite_connection::transaction whole{file};
    auto const doing = "making the tables of " + file.path();
    if (auto begun = whole.begin(); !begun.has_value()) return begun;
    for (auto const& object : schema_of(version))
        if (object.type == "table")
            if (auto made = file.run(std::string{object.sql}.c_str(), doing, true);
                !made.has_value())
                return made;
    for (auto const& object : schema_of(version))
        if (object.type == "index")
            if (auto made = file.run(std::string{object.sql}.c_str(), doing, true);
                !made.has_value())
                return made;
    if (version >= 1) {
        auto const account = encode_account({});
        sqlite_statement row;
        auto code =
            row.prepare(file.get(), "INSERT INTO recoup_state (number, state) VALUES (1, ?1)");
        row.bind_blob(1, account);
        if (code == SQLITE_OK) code = row.step();
        if (code != SQLITE_DONE) return file.fail(code, doing, true);
    }
    auto const marks = "PRAGMA application_id=" + std::to_string(sqlite_application_id) +
                       "; PRAGMA user_version=" + std::to_string(version);
    if (auto marked = file.run(marks.c_str(), doing, true); !marked.has_value()) return marked;
    return whole.commit();
}

/// Brings a file of an older version to the present one, inside the caller's transaction.
inline result<void> migrate_schema(sqlite_connection& file, std::int64_t from) {
    auto const doing = "migrating " + file.path() + " from schema version " + std::to_string(from);
    for (auto version = from; version != sqlite_schema_version; ++version) {
        if (version == 0)
            for (auto const sql : {expiry_index_sql, state_table_sql})
                if (auto made = file.run(std::string{sql}.c_str(), doing, true); !made.has_value())
                    return made;
    }
    auto const mark = "PRAGMA user_version=" + std::to_string(sqlite_schema_version);
    return file.run(mark.c_str(), doing, true);
}

}  // namespace recoup::inline v1::detail
