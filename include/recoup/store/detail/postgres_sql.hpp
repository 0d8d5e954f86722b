// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/postgres_query.hpp>
#include <recoup/store/detail/postgres_tables.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace recoup::inline v1::detail {

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
            texts_[i] = filled(postgres_template(static_cast<postgres_query>(i)));
    }

    [[nodiscard]] std::string const& text(postgres_query which) const noexcept {
        return texts_[static_cast<std::size_t>(which)];
    }

    /// What makes the schema; each can be run again.
    [[nodiscard]] std::vector<std::string> creation() const {
        std::vector<std::string> all;
        for (auto const text : postgres_creation) all.push_back(filled(text));
        all.push_back(filled("INSERT INTO {s}.store (one, version) VALUES (1, ") +
                      std::to_string(postgres_schema_version) + ") ON CONFLICT (one) DO NOTHING");
        return all;
    }
    [[nodiscard]] std::string version() const {
        return filled("SELECT version FROM {s}.store WHERE one = 1");
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

    std::string schema_;
    std::array<std::string, postgres_query_count> texts_;
};

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
