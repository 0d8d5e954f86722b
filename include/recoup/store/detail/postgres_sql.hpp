// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The statements that are prepared.
enum class postgres_query : std::size_t {
    next_numbers,
    next_owner,
    next_revision,
    load_record,
    insert_record,
    update_record,
    erase_record,
    page_of_records,
    expired_records,
    enter,
    bury,
    renew,
    wishes,
    leave,
    prolong,
    start,
    find,
    by_number,
    by_ids,
    claim_due,
    claim_set_back,
    claimed_before,
    take,
    write,
    fence,
    drop_steps,
    put_steps,
    fence_one,
    put_step,
    states,
    lock,
    request_cancel,
    remove,
    remove_steps,
    page,
    children,
    steps,
    expired,
    erase_ended,
    erase_steps,
    count
};

inline constexpr auto postgres_query_count = static_cast<std::size_t>(postgres_query::count);

/// The first schema; a number per change of it.
inline constexpr int postgres_schema_version = 1;

// The database's clock in microseconds, as it stands when a statement looks.
inline constexpr std::string_view sql_now =
    "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";

// The fields of an operation's row that statements change without its payload have a sum that shows
// where one of them was changed by something else. See `seal_of`.
inline constexpr std::string_view sql_seal =
    "(o.number + 3 * o.epoch + 5 * o.owner + 7 * o.cancel + 11 * o.writes + 13 * o.mark)";

inline constexpr std::string_view sql_operation =
    "o.number, o.space, o.name, o.key, o.parent, o.epoch, o.owner, o.mark, o.cancel, o.met, "
    "o.writes, "
    "o.seal, o.status, o.due, o.slept, o.expires, o.identity, o.payload";

inline constexpr std::string_view sql_record =
    "space, name, key, revision, mark, status, updated, expires, payload";

// An owner that is dead has no row: who wants what it had buries it first, by a statement of its own, so
// that nobody is claimed from who renews at the same moment.
inline constexpr std::string_view sql_free =
    "NOT EXISTS (SELECT 1 FROM {s}.owners w WHERE w.number = o.owner)";

// What a claim looks at, as its snapshot has it. Where somebody has claimed the row between that and its lock,
// PostgreSQL checks the conditions again on the new row, but not against the rows of other tables: of the
// owner who has it now it knows nothing. The epoch says that there is another one.
inline constexpr std::string_view sql_seen =
    "JOIN {s}.operations seen ON seen.number = o.number AND seen.epoch = o.epoch";

// The fence: the comparison of the epoch is made on the row as it is when its lock has been had, and the
// lock is held until the commit. `mark` ascends within an epoch, so that a write which is sent again, or
// which arrives late, is done once. `met` is the wish to cancel as the last write met it: what a row was
// before it was changed no server older than 18 returns.
inline constexpr std::string_view sql_fence =
    "UPDATE {s}.operations AS o SET mark = w.mark, "
    "writes = CASE WHEN w.drops = 1 THEN w.writes ELSE o.writes + w.writes END, "
    "owner = CASE WHEN w.releases = 1 THEN 0 ELSE o.owner END, "
    "met = o.cancel, cancel = coalesce(w.cancel, o.cancel), "
    "seal = o.number + 3 * o.epoch + 5 * CASE WHEN w.releases = 1 THEN 0 ELSE o.owner END + "
    "7 * coalesce(w.cancel, o.cancel) + "
    "11 * CASE WHEN w.drops = 1 THEN w.writes ELSE o.writes + w.writes END + 13 * w.mark, "
    "status = coalesce(w.status, o.status), due = coalesce(w.due, o.due), "
    "slept = coalesce(w.slept, o.slept), expires = coalesce(w.expires, o.expires), "
    "payload = coalesce(w.payload, o.payload) "
    "FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], "
    "$6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], "
    "$12::bytea[]) AS w(number, epoch, mark, writes, drops, releases, cancel, status, due, slept, "
    "expires, payload) "
    "WHERE o.number = w.number AND o.epoch = w.epoch AND o.owner <> 0 AND o.mark < w.mark "
    "AND o.seal = {seal} RETURNING o.number AS number, o.met AS met, o.owner AS owner";

/// The text of each statement, with the schema's name in it: the one thing that cannot be bound, and so
/// is checked by `valid_schema_name`.
class postgres_sql {
  public:
    explicit postgres_sql(std::string const& schema) : schema_{'"' + schema + '"'} {
        for (std::size_t i = 0; i != postgres_query_count; ++i)
            texts_[i] = filled(template_of(static_cast<postgres_query>(i)));
    }

    [[nodiscard]] std::string const& text(postgres_query which) const noexcept {
        return texts_[static_cast<std::size_t>(which)];
    }

    /// What makes the schema; each can be run again.
    [[nodiscard]] std::vector<std::string> creation() const {
        std::vector<std::string> all;
        for (
            auto const* text : {
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
            })
            all.push_back(filled(text));
        all.push_back(filled("INSERT INTO {s}.store (one, version) VALUES (1, ") +
                      std::to_string(postgres_schema_version) + ") ON CONFLICT (one) DO NOTHING");
        return all;
    }
    [[nodiscard]] std::string version() const {
        return filled("SELECT version FROM {s}.store WHERE one = 1");
    }

    /// Each column of the schema, as `table.column type`.
    [[nodiscard]] static std::vector<std::string> columns() {
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
            {"number", "parent", "epoch", "owner", "mark", "cancel", "met", "writes", "seal",
             "status", "due", "slept", "expires"});
        add("operations", "bytea", {"identity", "payload"});
        return all;
    }

  private:
    [[nodiscard]] std::string filled(std::string_view from) const {
        std::string text{from};
        auto const put = [&](std::string_view mark, std::string_view value) {
            for (auto at = text.find(mark); at != std::string::npos;
                 at = text.find(mark, at + value.size()))
                text.replace(at, mark.size(), value);
        };
        put("{fence}", sql_fence);
        put("{free}", sql_free);
        put("{seen}", sql_seen);
        put("{seal}", sql_seal);
        put("{operation}", sql_operation);
        put("{record}", sql_record);
        put("{now}", sql_now);
        put("{s}", schema_);
        return text;
    }

    static std::string_view template_of(postgres_query which);

    std::string schema_;
    std::array<std::string, postgres_query_count> texts_;
};

inline std::string_view postgres_sql::template_of(postgres_query which) {
    // Of an operation that changes hands: the sum of its fields after that.
    switch (which) {
        case postgres_query::next_numbers:
            return "SELECT nextval('{s}.numbers') FROM generate_series(1, $1::bigint)";
        case postgres_query::next_owner: return "SELECT nextval('{s}.owner_numbers')";
        case postgres_query::next_revision: return "SELECT nextval('{s}.revisions')";
        case postgres_query::load_record:
            return "SELECT {record} FROM {s}.records "
                   "WHERE space = $1::text AND name = $2::text AND key = $3::text";
        case postgres_query::insert_record:
            return "INSERT INTO {s}.records ({record}) VALUES ($1::text, $2::text, $3::text, "
                   "$4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint, $9::bytea) "
                   "ON CONFLICT (space, name, key) DO NOTHING";
        case postgres_query::update_record:
            return "UPDATE {s}.records SET revision = $4::bigint, mark = $5::bigint, "
                   "status = $6::bigint, updated = $7::bigint, expires = $8::bigint, "
                   "payload = $9::bytea WHERE space = $1::text AND name = $2::text "
                   "AND key = $3::text AND revision = $10::bigint";
        case postgres_query::erase_record:
            return "DELETE FROM {s}.records WHERE space = $1::text AND name = $2::text "
                   "AND key = $3::text AND revision = $4::bigint";
        case postgres_query::page_of_records:
            return "SELECT {record} FROM {s}.records "
                   "WHERE (space, name, key) > ($1::text, $2::text, $3::text) "
                   "AND ($4::bigint = 0 OR status = $4::bigint) "
                   "AND ($5::text IS NULL OR name = $5::text) "
                   "ORDER BY space, name, key LIMIT $6::bigint";
        case postgres_query::expired_records:
            return "SELECT {record} FROM {s}.records WHERE status <> 1 AND expires <= $1::bigint "
                   "AND expires >= $3::bigint ORDER BY expires LIMIT $2::bigint";
        case postgres_query::enter:
            return "INSERT INTO {s}.owners (number, who, lease, expires) "
                   "VALUES ($1::bigint, $2::text, $3::bigint, {now} + $3::bigint) "
                   "ON CONFLICT (number) DO NOTHING";
        case postgres_query::bury: return "DELETE FROM {s}.owners WHERE expires <= {now}";
        case postgres_query::renew:
            return "UPDATE {s}.owners SET lease = $2::bigint, expires = {now} + $2::bigint "
                   "WHERE number = $1::bigint AND expires > {now}";
        case postgres_query::wishes:
            return "SELECT number FROM {s}.operations WHERE owner = $1::bigint AND cancel = 1";
        case postgres_query::leave: return "DELETE FROM {s}.owners WHERE number = $1::bigint";
        case postgres_query::prolong:
            return "UPDATE {s}.owners SET expires = {now} + lease + lease / 8 "
                   "WHERE number = ANY($1::bigint[]) AND expires > {now} "
                   "AND expires < {now} + lease RETURNING number, lease";
        case postgres_query::start:
            return "INSERT INTO {s}.operations (number, space, name, key, parent, epoch, owner, "
                   "mark, cancel, met, writes, seal, status, due, slept, expires, identity, "
                   "payload) "
                   "SELECT w.number, w.space, w.name, w.key, w.parent, 1, w.owner, 0, w.cancel, 0, "
                   "0, "
                   "w.number + 3 + 5 * w.owner + 7 * w.cancel, w.status, w.due, w.slept, "
                   "w.expires, w.identity, w.payload FROM unnest($1::bigint[], $2::text[], "
                   "$3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], "
                   "$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[], "
                   "$13::bytea[]) AS w(number, space, name, key, parent, owner, cancel, status, "
                   "due, slept, expires, identity, payload) "
                   "ON CONFLICT (space, name, key) DO NOTHING RETURNING number";
        case postgres_query::find:
            return "SELECT {operation} FROM {s}.operations o "
                   "WHERE space = $1::text AND name = $2::text AND key = $3::text";
        case postgres_query::by_number:
            return "SELECT {operation} FROM {s}.operations o WHERE number = $1::bigint";
        case postgres_query::by_ids:
            return "SELECT {operation} FROM unnest($1::text[], $2::text[], $3::text[]) "
                   "AS w(space, name, key) JOIN {s}.operations o "
                   "ON o.space = w.space AND o.name = w.name AND o.key = w.key";
        case postgres_query::claim_due:
            return "WITH due AS (SELECT o.number FROM {s}.operations o {seen} "
                   "WHERE o.status < 3 AND o.space = $1::text AND o.due <= $2::bigint "
                   "AND o.name = ANY($3::text[]) AND o.seal = {seal} AND {free} "
                   "ORDER BY o.due, o.number LIMIT $4::bigint FOR UPDATE OF o SKIP LOCKED) "
                   "UPDATE {s}.operations o SET epoch = o.epoch + 1, owner = $5::bigint, "
                   "mark = $6::bigint, seal = o.number + 3 * (o.epoch + 1) + 5 * $5::bigint + "
                   "7 * o.cancel + 11 * o.writes + 13 * $6::bigint "
                   "FROM due WHERE o.number = due.number RETURNING {operation}";
        case postgres_query::claim_set_back:
            return "WITH due AS (SELECT o.number FROM {s}.operations o {seen} "
                   "WHERE o.status < 3 AND o.space = $1::text AND o.slept > $2::bigint "
                   "AND o.due > $2::bigint "
                   "AND o.name = ANY($3::text[]) AND o.seal = {seal} AND {free} "
                   "ORDER BY o.due, o.number LIMIT $4::bigint FOR UPDATE OF o SKIP LOCKED) "
                   "UPDATE {s}.operations o SET epoch = o.epoch + 1, owner = $5::bigint, "
                   "mark = $6::bigint, seal = o.number + 3 * (o.epoch + 1) + 5 * $5::bigint + "
                   "7 * o.cancel + 11 * o.writes + 13 * $6::bigint "
                   "FROM due WHERE o.number = due.number RETURNING {operation}";
        case postgres_query::claimed_before:
            return "SELECT {operation} FROM {s}.operations o WHERE o.status < 3 "
                   "AND o.space = $1::text AND o.owner = $2::bigint AND o.mark = $3::bigint";
        case postgres_query::take:
            return "UPDATE {s}.operations o SET epoch = o.epoch + 1, owner = $3::bigint, "
                   "mark = $4::bigint, seal = o.number + 3 * (o.epoch + 1) + 5 * $3::bigint + "
                   "7 * o.cancel + 11 * o.writes + 13 * $4::bigint "
                   "WHERE o.number = $1::bigint AND o.epoch = $2::bigint AND o.seal = {seal} "
                   "AND {free} RETURNING {operation}";
        case postgres_query::write:
            // One statement, and so one transaction: steps go in only where the fence was had.
            return "WITH fence AS ({fence}), put AS (INSERT INTO {s}.steps AS s "
                   "(operation, idx, writes, payload) SELECT t.operation, t.idx, 1, t.payload "
                   "FROM unnest($13::bigint[], $14::bigint[], $15::bytea[]) "
                   "AS t(operation, idx, payload) "
                   "WHERE t.operation = ANY(ARRAY(SELECT number FROM fence)) "
                   "ON CONFLICT (operation, idx) DO UPDATE "
                   "SET writes = s.writes + 1, payload = excluded.payload RETURNING 1) "
                   "SELECT number, met, owner, (SELECT count(*) FROM put) FROM fence";
        case postgres_query::fence: return "{fence}";
        case postgres_query::drop_steps:
            return "DELETE FROM {s}.steps WHERE operation = ANY(ARRAY(SELECT o.number "
                   "FROM unnest($1::bigint[], $2::bigint[]) AS w(number, mark) "
                   "JOIN {s}.operations o ON o.number = w.number AND o.mark = w.mark))";
        case postgres_query::put_steps:
            return "INSERT INTO {s}.steps AS s (operation, idx, writes, payload) "
                   "SELECT t.operation, t.idx, 1, t.payload "
                   "FROM unnest($3::bigint[], $4::bigint[], $5::bytea[]) "
                   "AS t(operation, idx, payload) WHERE t.operation = ANY(ARRAY(SELECT o.number "
                   "FROM unnest($1::bigint[], $2::bigint[]) AS w(number, mark) "
                   "JOIN {s}.operations o ON o.number = w.number AND o.mark = w.mark)) "
                   "ON CONFLICT (operation, idx) DO UPDATE "
                   "SET writes = s.writes + 1, payload = excluded.payload";
        case postgres_query::fence_one:
            return "UPDATE {s}.operations o SET mark = $3::bigint, met = o.cancel, writes = "
                   "o.writes + 1, "
                   "seal = o.number + 3 * o.epoch + 5 * o.owner + 7 * o.cancel + "
                   "11 * (o.writes + 1) + 13 * $3::bigint WHERE o.number = $1::bigint "
                   "AND o.epoch = $2::bigint AND o.owner <> 0 AND o.mark < $3::bigint "
                   "AND o.seal = {seal} RETURNING o.number, o.met, o.owner";
        case postgres_query::put_step:
            return "INSERT INTO {s}.steps AS s (operation, idx, writes, payload) "
                   "VALUES ($1::bigint, $2::bigint, 1, $3::bytea) ON CONFLICT (operation, idx) "
                   "DO UPDATE SET writes = s.writes + 1, payload = excluded.payload";
        case postgres_query::states:
            return "SELECT {operation} FROM {s}.operations o WHERE number = ANY($1::bigint[])";
        case postgres_query::lock:
            return "SELECT {operation} FROM {s}.operations o WHERE number = $1::bigint "
                   "FOR UPDATE";
        case postgres_query::request_cancel:
            return "UPDATE {s}.operations o SET cancel = 1, seal = o.number + 3 * o.epoch + "
                   "5 * o.owner + 7 + 11 * o.writes + 13 * o.mark "
                   "WHERE o.number = $1::bigint AND o.seal = {seal}";
        case postgres_query::remove:
            return "DELETE FROM {s}.operations o WHERE o.number = $1::bigint "
                   "AND o.epoch = $2::bigint AND {free}";
        case postgres_query::remove_steps:
            return "DELETE FROM {s}.steps WHERE operation = $1::bigint AND NOT EXISTS "
                   "(SELECT 1 FROM {s}.operations o WHERE o.number = $1::bigint)";
        case postgres_query::page:
            return "SELECT {operation} FROM {s}.operations o WHERE o.number > $1::bigint "
                   "AND ($2::bigint = 0 OR o.status = $2::bigint) "
                   "AND ($3::text IS NULL OR o.space = $3::text) "
                   "AND ($4::text IS NULL OR o.name = $4::text) "
                   "ORDER BY o.number LIMIT $5::bigint";
        case postgres_query::children:
            return "SELECT {operation} FROM {s}.operations o "
                   "WHERE o.parent = $6::bigint AND o.parent <> 0 AND o.number > $1::bigint "
                   "AND ($2::bigint = 0 OR o.status = $2::bigint) "
                   "AND ($3::text IS NULL OR o.space = $3::text) "
                   "AND ($4::text IS NULL OR o.name = $4::text) "
                   "ORDER BY o.parent, o.number LIMIT $5::bigint";
        case postgres_query::steps:
            return "SELECT {operation}, s.idx, s.writes, s.payload FROM {s}.operations o "
                   "LEFT JOIN {s}.steps s ON s.operation = o.number "
                   "WHERE o.number = $1::bigint ORDER BY s.idx";
        case postgres_query::expired:
            return "SELECT {operation} FROM {s}.operations o WHERE o.status > 2 AND o.status < 6 "
                   "AND o.expires <= $1::bigint AND o.expires >= $3::bigint AND {free} "
                   "ORDER BY o.expires LIMIT $2::bigint";
        case postgres_query::erase_ended:
            return "DELETE FROM {s}.operations o USING unnest($1::bigint[], $2::bigint[]) "
                   "AS w(number, mark) WHERE o.number = w.number AND o.mark = w.mark AND {free}";
        case postgres_query::erase_steps:
            return "DELETE FROM {s}.steps s WHERE s.operation = ANY($1::bigint[]) AND NOT EXISTS "
                   "(SELECT 1 FROM {s}.operations o WHERE o.number = s.operation)";
        case postgres_query::count: break;
    }
    return "";
}

/// Whether `name` may be a schema's: nothing in it needs quoting, and it is not one of the server's.
constexpr bool valid_schema_name(std::string_view name) noexcept {
    constexpr std::size_t bytes_max = 48;
    if (name.empty() || name.size() > bytes_max || name.starts_with("pg_")) return false;
    for (auto const letter : name) {
        auto const plain = (letter >= 'a' && letter <= 'z') || letter == '_';
        auto const digit = letter >= '0' && letter <= '9';
        if (!plain && !(digit && letter != name.front())) return false;
    }
    return name != "information_schema";
}

}  // namespace recoup::inline v1::detail
