// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_account.hpp>
#include <recoup/store/detail/sqlite_connection.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What a file of this store looks like. A change of it is a new version with a step in `migrate`;
// the texts of old versions stay, since a file is compared with them before it is touched.
//
// Version 0 is the layout of before the first release: no order by expiry and no account of what is
// there. Version 1 added both. Version 2 added durable operations, their steps and their owners. Version 3
// orders what is due by space and name, and what sleeps by when that began.
//
// An operation's row has its searched columns, which say what the payload says, and those that change
// without it: epoch, owner, cancel, and the number and digest of its steps. Those are under `seal`. A step's
// place is its operation's number, times 2^20, and its index.
//
// Tables and indices whose names do not begin with recoup_ are the user's. Triggers and views are
// nobody's.

namespace recoup::inline v1::detail {

inline constexpr std::int64_t sqlite_application_id = 0x72637570;  // "rcup"
inline constexpr std::int64_t sqlite_schema_version = 3;

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

inline constexpr std::string_view operation_table_sql =
    "CREATE TABLE recoup_operation (number INTEGER PRIMARY KEY, space TEXT NOT NULL, name TEXT NOT "
    "NULL, key TEXT NOT NULL, status INTEGER NOT NULL, due INTEGER NOT NULL, slept INTEGER NOT "
    "NULL, "
    "expires INTEGER NOT NULL, parent INTEGER NOT NULL, epoch INTEGER NOT NULL, owner INTEGER NOT "
    "NULL, cancel INTEGER NOT NULL, steps INTEGER NOT NULL, digest INTEGER NOT NULL, seal INTEGER "
    "NOT NULL, payload BLOB NOT NULL) STRICT";
inline constexpr std::string_view operation_cancel_sql =
    "CREATE INDEX recoup_operation_cancel ON recoup_operation (owner) WHERE cancel = 1";
inline constexpr std::string_view operation_due_sql_2 =
    "CREATE INDEX recoup_operation_due ON recoup_operation (due, number, slept) WHERE status < 3";
inline constexpr std::string_view operation_due_sql =
    "CREATE INDEX recoup_operation_due ON recoup_operation (space, name, due, number) WHERE status "
    "< 3";
inline constexpr std::string_view operation_expiry_sql =
    "CREATE INDEX recoup_operation_expiry ON recoup_operation (expires) WHERE status BETWEEN 3 AND "
    "5";
inline constexpr std::string_view operation_identity_sql =
    "CREATE UNIQUE INDEX recoup_operation_identity ON recoup_operation (space, name, key)";
inline constexpr std::string_view operation_parent_sql =
    "CREATE INDEX recoup_operation_parent ON recoup_operation (parent) WHERE parent <> 0";
inline constexpr std::string_view operation_slept_sql =
    "CREATE INDEX recoup_operation_slept ON recoup_operation (slept) WHERE status < 3";
inline constexpr std::string_view owner_table_sql =
    "CREATE TABLE recoup_owner (number INTEGER PRIMARY KEY, who TEXT NOT NULL, lease INTEGER NOT "
    "NULL, until INTEGER NOT NULL) STRICT";
inline constexpr std::string_view step_table_sql =
    "CREATE TABLE recoup_step (place INTEGER PRIMARY KEY, payload BLOB NOT NULL) STRICT";

/// What each version consists of, in the order of the names.
inline std::vector<schema_object> schema_of(std::int64_t version) {
    std::vector<schema_object> objects;
    if (version >= 2) {
        constexpr std::string_view table = "recoup_operation";
        objects = {{"table", table, table, operation_table_sql},
                   {"index", "recoup_operation_cancel", table, operation_cancel_sql},
                   {"index", "recoup_operation_due", table,
                    version >= 3 ? operation_due_sql : operation_due_sql_2},
                   {"index", "recoup_operation_expiry", table, operation_expiry_sql},
                   {"index", "recoup_operation_identity", table, operation_identity_sql},
                   {"index", "recoup_operation_parent", table, operation_parent_sql}};
        if (version >= 3)
            objects.push_back({"index", "recoup_operation_slept", table, operation_slept_sql});
        objects.push_back({"table", "recoup_owner", "recoup_owner", owner_table_sql});
    }
    objects.push_back({"table", "recoup_record", "recoup_record", record_table_sql});
    if (version >= 1)
        objects.push_back({"index", "recoup_record_expiry", "recoup_record", expiry_index_sql});
    objects.push_back({"index", "recoup_record_identity", "recoup_record", identity_index_sql});
    if (version >= 1) objects.push_back({"table", "recoup_state", "recoup_state", state_table_sql});
    if (version >= 2) objects.push_back({"table", "recoup_step", "recoup_step", step_table_sql});
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

/// Whether that is the name of something of the store's. SQLite does not tell cases apart.
inline bool is_name_of_store(std::string_view name) noexcept {
    constexpr std::string_view front = "recoup_";
    return name.size() >= front.size() &&
           sqlite3_strnicmp(name.data(), front.data(), static_cast<int>(front.size())) == 0;
}

/// Whether a row of the schema (type, name, table, sql, root page) is a plain table of the user's, or an
/// index of one.
inline bool belongs_to_user(sqlite_statement const& object) noexcept {
    auto const type = object.text(0);
    return (type == "table" || type == "index") && object.integer(4) != 0 &&
           !is_name_of_store(object.text(1)) && !is_name_of_store(object.text(2));
}

/// Refuses a file that holds anything but what its version consists of, and plain tables of the user's:
/// a trigger, a view, a changed table. Reads only.
inline result<void> compare_schema(sqlite_connection& file, std::int64_t version) {
    sqlite_statement objects;
    auto code = objects.prepare(
        file.get(),
        "SELECT type, name, tbl_name, sql, rootpage FROM sqlite_master ORDER BY name COLLATE "
        "BINARY");
    if (code != SQLITE_OK) return file.fail(code, "reading the schema of " + file.path(), false);
    auto const foreign = [&](std::string const& what) {
        return store_failure(store_errc::foreign_schema,
                             file.path() + " " + what + "; expected the schema of version " +
                                 std::to_string(version) +
                                 " of a recoup store; it was left as it is");
    };
    auto const next = [&] {
        auto found = objects.step();
        while (found == SQLITE_ROW && belongs_to_user(objects)) found = objects.step();
        return found;
    };
    for (auto const& expected : schema_of(version)) {
        code = next();
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
    code = next();
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
    auto const before = schema_of(from);
    auto const after = schema_of(sqlite_schema_version);
    auto const same_in = [](std::vector<schema_object> const& objects,
                            schema_object const& object) {
        return std::any_of(objects.begin(), objects.end(), [&](schema_object const& one) {
            return one.name == object.name && one.sql == object.sql;
        });
    };
    auto const run = [&](std::string const& text) { return file.run(text.c_str(), doing, true); };
    // A table was never changed. Indices go before what is on them is written, and come after it is there.
    for (auto const& object : before)
        if (!same_in(after, object))
            if (auto gone = run("DROP INDEX " + std::string{object.name}); !gone.has_value())
                return gone;
    for (auto const type : {"table", "index"})
        for (auto const& object : after)
            if (object.type == type && !same_in(before, object))
                if (auto made = run(std::string{object.sql}); !made.has_value()) return made;
    auto const mark = "PRAGMA user_version=" + std::to_string(sqlite_schema_version);
    return file.run(mark.c_str(), doing, true);
}

}  // namespace recoup::inline v1::detail
