// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string_view>

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

/// The text of a statement, with names in braces for what `postgres_sql` puts in their places.
constexpr std::string_view postgres_template(postgres_query which) noexcept {
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

}  // namespace recoup::inline v1::detail
