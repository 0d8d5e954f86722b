// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/postgres_damage.hpp>
#include <recoup/store/detail/postgres_pool.hpp>
#include <recoup/store/detail/record_codec.hpp>
#include <recoup/store/record.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

inline std::int64_t stamp_of(system_time time) noexcept {
    return std::int64_t{time.time_since_epoch().count()};
}

/// The record in a row. Every column must say what the payload says: by the columns rows are searched and
/// cleaned up, and only the payload has a checksum.
inline decoded_record record_in(postgres_rows const& rows, int row) {
    auto content = decode_record(rows.text(row, 8));
    if (!content.value) return content;
    auto const& what = *content.value;
    if (rows.text(row, 0) != what.id.space || rows.text(row, 1) != what.id.name ||
        rows.text(row, 2) != what.id.key)
        content.wrong = "its identity differs from its payload";
    else if (rows.integer(row, 3) != static_cast<std::int64_t>(what.revision) ||
             rows.integer(row, 5) != static_cast<std::int64_t>(what.status) ||
             rows.integer(row, 6) != stamp_of(what.updated) ||
             rows.integer(row, 7) != stamp_of(what.expires))
        content.wrong = "its columns differ from its payload";
    return content;
}

/// The records of a store.
class postgres_records {
  public:
    explicit postgres_records(postgres_pool& pool, postgres_damage& damage)
        : pool_{&pool}, damage_{&damage} {}

    result<std::optional<record>> load(operation_ref id, duration at_most) {
        postgres_rows rows;
        auto const done = fetch("reading record " + display(id), postgres_query::load_record,
                                identity(id), at_most, rows);
        if (!done.has_value()) return done.error();
        return read_one(rows, id);
    }

    result<std::uint64_t> save(record const& what, duration at_most) {
        return what.revision == 0 ? insert(what, at_most) : update(what, at_most);
    }

    result<void> erase(operation_ref id, std::uint64_t revision, duration at_most) {
        std::optional<failure> refused;
        unchanged_rows unchanged;
        auto const done = pool_->use(
            "erasing record " + display(id), at_most,
            [&](postgres_connection& on, bool,
                steady_time until_then) -> std::optional<postgres_problem> {
                refused.reset();
                auto values = identity(id);
                values.integer(static_cast<std::int64_t>(revision));
                auto erased = on.run(postgres_query::erase_record, values, until_then);
                if (erased.failed()) return std::move(erased.problem);
                if (erased.rows.changed() == 1) return std::nullopt;
                auto found = on.run(postgres_query::load_record, identity(id), until_then);
                if (found.failed()) return std::move(found.problem);
                if (found.rows.size() == 0) return std::nullopt;
                auto const there = static_cast<std::uint64_t>(found.rows.integer(0, 3));
                if (there == revision) return unchanged.another();
                refused = conflict(id, revision, there);
                return std::nullopt;
            });
        if (!done.has_value()) return done;
        if (refused) return *refused;
        return success();
    }

    result<std::vector<record>> list(record_filter const& filter) {
        std::vector<record> page;
        auto after = filter.after.value_or(operation_id{});
        while (page.size() < filter.limit) {
            auto values = identity(after);
            values.integer(filter.status ? static_cast<std::int64_t>(*filter.status) : 0);
            if (filter.name)
                values.text(*filter.name);
            else
                values.null(pg_text);
            values.integer(rows_at_once);
            postgres_rows rows;
            auto const done =
                fetch("listing records", postgres_query::page_of_records, values, unlimited, rows);
            if (!done.has_value()) return done.error();
            for (int row = 0; row != rows.size(); ++row) {
                auto read = record_in(rows, row);
                if (read.wrong != nullptr)
                    note(rows, row, read);
                else if (page.size() < filter.limit)
                    page.push_back(std::move(*read.value));
            }
            if (rows.size() < rows_at_once) break;
            after = id_in(rows, rows.size() - 1);
        }
        return page;
    }

    result<std::size_t> clean_up(system_time now, std::size_t most) {
        std::size_t removed = 0;
        auto from = std::numeric_limits<std::int64_t>::min();
        while (removed < most) {
            auto const wanted =
                static_cast<std::int64_t>(std::min<std::size_t>(most - removed, rows_at_once));
            postgres_values values;
            values.integer(stamp_of(now)).integer(wanted).integer(from);
            postgres_rows rows;
            auto const done =
                fetch("cleaning up", postgres_query::expired_records, values, unlimited, rows);
            if (!done.has_value()) return done.error();
            auto const before = removed;
            for (int row = 0; row != rows.size(); ++row) {
                auto const read = record_in(rows, row);
                if (read.wrong != nullptr) {  // nothing is removed on a doubt
                    note(rows, row, read);
                    continue;
                }
                auto const erased = erase(read.value->id, read.value->revision, unlimited);
                if (erased.has_value())
                    ++removed;
                else if (erased.error().code() != make_error_code(store_errc::conflict))
                    return erased.error();
            }
            if (rows.size() < wanted) break;
            auto const last = rows.integer(rows.size() - 1, 7);
            if (removed == before && last == from) break;  // a page of damage of one moment
            from = last;
        }
        return removed;
    }

    /// Reads all, and counts what is whole and what is not.
    result<void> verify(postgres_verification& found) {
        operation_id after;
        while (true) {
            auto values = identity(after);
            values.integer(0).null(pg_text).integer(rows_at_once);
            postgres_rows rows;
            auto const done = fetch("verifying records", postgres_query::page_of_records, values,
                                    unlimited, rows);
            if (!done.has_value()) return done;
            for (int row = 0; row != rows.size(); ++row) {
                auto const read = record_in(rows, row);
                if (read.wrong == nullptr) {
                    ++found.records;
                    continue;
                }
                ++found.damaged_rows;
                if (found.damaged.size() < damaged_rows_max)
                    found.damaged.push_back(damage_of(rows, row, read));
            }
            if (rows.size() < rows_at_once) return success();
            after = id_in(rows, rows.size() - 1);
        }
    }

    /// Runs a statement that changes nothing.
    result<void> fetch(std::string const& doing, postgres_query which,
                       postgres_values const& values, duration at_most, postgres_rows& rows) {
        return pool_->use(doing, at_most,
                          [&](postgres_connection& on, bool,
                              steady_time until) -> std::optional<postgres_problem> {
                              auto answer = on.run(which, values, until);
                              rows = std::move(answer.rows);
                              return std::move(answer.problem);
                          });
    }

    static constexpr int rows_at_once = 256;

  private:
    static postgres_values identity(operation_ref id) {
        postgres_values values;
        values.text(id.space).text(id.name).text(id.key);
        return values;
    }
    static operation_id id_in(postgres_rows const& rows, int row) {
        return {std::string{rows.text(row, 0)}, std::string{rows.text(row, 1)},
                std::string{rows.text(row, 2)}};
    }
    static damaged_row damage_of(postgres_rows const& rows, int row, decoded_record const& read) {
        return {read.value ? read.value->id : id_in(rows, row), 0, -1, read.wrong};
    }
    void note(postgres_rows const& rows, int row, decoded_record const& read) {
        if (!read.newer) damage_->note(damage_of(rows, row, read));
    }

    static void bind(postgres_values& values, record const& what, std::uint64_t revision,
                     std::int64_t mark, std::string const& payload) {
        values.text(what.id.space).text(what.id.name).text(what.id.key);
        values.integer(static_cast<std::int64_t>(revision)).integer(mark);
        values.integer(static_cast<std::int64_t>(what.status));
        values.integer(stamp_of(what.updated)).integer(stamp_of(what.expires));
        values.bytes(payload);
    }
    // By chance, so that who finds it in the row knows that the row is of his writing.
    static std::int64_t new_mark() noexcept {
        return static_cast<std::int64_t>(real_clock::random() >> 1U);
    }

    result<std::optional<record>> read_one(postgres_rows const& rows, operation_ref id) {
        if (rows.size() == 0) return std::optional<record>{};
        auto read = record_in(rows, 0);
        if (read.wrong == nullptr && !(operation_ref(read.value->id) == id))
            read.wrong = "the index leads to the row of another record";
        if (read.wrong == nullptr) return std::optional<record>{std::move(*read.value)};
        auto const where = "record " + display(id) + " in " + pool_->shown() + ' ';
        if (read.newer)
            return store_failure(store_errc::newer_version,
                                 where + "cannot be read: " + read.wrong);
        note(rows, 0, read);
        return store_failure(store_errc::corrupt,
                             where + "is damaged: " + read.wrong + "; it was left as it is");
    }

    // The revision of a new record is a new number, with room below the next one for the record's saves:
    // none of an earlier record of this identity comes again.
    static constexpr unsigned saves_bits = 24;

    result<std::uint64_t> insert(record const& what, duration at_most) {
        std::uint64_t revision = 0;
        return write(
            what, at_most,
            [&](postgres_connection& on, std::int64_t mark, steady_time until) {
                // Once for all tries: what an earlier one wrote is known by it.
                if (revision == 0) {
                    auto next = on.run(postgres_query::next_revision, {}, until);
                    if (next.failed()) return next;
                    revision = static_cast<std::uint64_t>(next.rows.integer(0, 0)) << saves_bits;
                }
                auto const payload = encode_record(what, revision);
                postgres_values values;
                bind(values, what, revision, mark, payload);
                return on.run(postgres_query::insert_record, values, until);
            },
            revision);
    }

    result<std::uint64_t> update(record const& what, duration at_most) {
        auto const revision = what.revision + 1;
        auto const payload = encode_record(what, revision);
        return write(
            what, at_most,
            [&](postgres_connection& on, std::int64_t mark, steady_time until) {
                postgres_values values;
                bind(values, what, revision, mark, payload);
                values.integer(static_cast<std::int64_t>(what.revision));
                return on.run(postgres_query::update_record, values, until);
            },
            revision);
    }

    /// Does one conditional write, and finds out why where it changed nothing.
    template <class Statement>
    result<std::uint64_t> write(record const& what, duration at_most, Statement const& statement,
                                std::uint64_t const& revision) {
        auto const mark = new_mark();
        std::optional<failure> refused;
        unchanged_rows unchanged;
        auto const done = pool_->use(
            "saving record " + display(what.id), at_most,
            [&](postgres_connection& on, bool again,
                steady_time until) -> std::optional<postgres_problem> {
                refused.reset();
                auto answer = statement(on, mark, until);
                if (answer.failed()) return std::move(answer.problem);
                if (answer.rows.changed() == 1) return std::nullopt;
                auto found = on.run(postgres_query::load_record, identity(what.id), until);
                if (found.failed()) return std::move(found.problem);
                // An earlier try whose answer was lost, and which was done.
                auto const mine =
                    again && found.rows.size() == 1 && found.rows.integer(0, 4) == mark;
                if (mine) return std::nullopt;
                auto const stored = read_one(found.rows, what.id);
                auto const there =
                    stored.has_value() && stored.value() ? stored.value()->revision : 0;
                if (stored.has_value() && there == what.revision) return unchanged.another();
                refused =
                    stored.has_value() ? conflict(what.id, what.revision, there) : stored.error();
                return std::nullopt;
            });
        if (!done.has_value()) return done.error();
        if (refused) return *refused;
        return revision;
    }

    postgres_pool* pool_;
    postgres_damage* damage_;
};

}  // namespace recoup::inline v1::detail
