// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_connection.hpp>
#include <recoup/store/detail/sqlite_operation_row.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/durable_store.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// A place in the order of what is due.
struct due_place {
    std::int64_t due = INT64_MIN;
    std::uint64_t number = 0;
    friend auto operator<=>(due_place const&, due_place const&) = default;
};

/// The rows of operations and steps: what is written must change one row, and what is read must be whole.
/// It knows of no owners. One thread at a time.
class sqlite_operation_table {
  public:
    explicit sqlite_operation_table(sqlite_connection& file) noexcept : file_{&file} {}

    result<void> prepare(bool read_only) {
        auto const select = "SELECT " + std::string{operation_columns} + " FROM recoup_operation ";
        struct source {
            sqlite_statement* statement;
            std::string text;
            bool writes;
        };
        source const all[] = {
            {&by_id_,
             select + "INDEXED BY recoup_operation_identity WHERE space=?1 AND name=?2 AND key=?3",
             false},
            {&by_number_, select + "NOT INDEXED WHERE number=?1", false},
            {&page_, select + "NOT INDEXED WHERE number>?1 ORDER BY number LIMIT ?2", false},
            {&children_,
             select +
                 "INDEXED BY recoup_operation_parent WHERE parent=?3 AND parent<>0 AND number>?1 "
                 "ORDER BY number LIMIT ?2",
             false},
            {&set_back_,
             select + "INDEXED BY recoup_operation_slept WHERE status<3 AND slept>?1 AND due>?1 "
                      "ORDER BY due, number",
             false},
            {&expired_,
             select +
                 "INDEXED BY recoup_operation_expiry WHERE status BETWEEN 3 AND 5 AND expires<=?1 "
                 "AND (expires, number) > (?2, ?3) ORDER BY expires, number LIMIT ?4",
             false},
            {&cancelled_,
             "SELECT number FROM recoup_operation INDEXED BY recoup_operation_cancel WHERE "
             "cancel=1 AND owner=?1 ORDER BY number",
             false},
            {&steps_,
             "SELECT place, payload FROM recoup_step WHERE place BETWEEN ?1 AND ?2 ORDER BY place",
             false},
            {&insert_,
             "INSERT INTO recoup_operation (" + std::string{operation_columns} +
                 ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)",
             true},
            {&set_state_,
             "UPDATE recoup_operation SET epoch=?10, owner=?11, cancel=?12, steps=?13, digest=?14, "
             "seal=?15 WHERE number=?1 AND seal=?17",
             true},
            {&set_all_,
             "UPDATE recoup_operation SET status=?5, due=?6, slept=?7, expires=?8, epoch=?10, "
             "owner=?11, cancel=?12, steps=?13, digest=?14, seal=?15, payload=?16 WHERE number=?1 "
             "AND seal=?17",
             true},
            {&erase_, "DELETE FROM recoup_operation WHERE number=?1", true},
            {&add_step_,
             "INSERT INTO recoup_step (place, payload) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
             true},
            {&replace_step_, "UPDATE recoup_step SET payload=?2 WHERE place=?1", true},
            {&erase_steps_, "DELETE FROM recoup_step WHERE place BETWEEN ?1 AND ?2", true}};
        for (auto const& each : all) {
            if (each.writes && read_only) continue;
            if (auto const code = each.statement->prepare(file_->get(), each.text);
                code != SQLITE_OK)
                return fail(code, "preparing a statement", false);
        }
        return success();
    }

    failure fail(int code, std::string const& doing, bool writing) {
        return file_->fail(code, doing + " in " + file_->path(), writing);
    }

    /// Finds one row and reads it with `read(row)`; nothing where there is none.
    template <class T, class Read>
    result<std::optional<T>> one(sqlite_statement& statement, Read const& read) {
        auto const code = statement.step();
        if (code == SQLITE_DONE) return std::optional<T>{};
        if (code != SQLITE_ROW) return fail(code, "reading an operation", false);
        return std::optional<T>{read(statement)};
    }
    /// Gives each row to `take(row)`, until that says no.
    template <class Take>
    result<void> each(sqlite_statement& statement, Take const& take) {
        auto code = statement.step();
        for (; code == SQLITE_ROW; code = statement.step())
            if (!take(statement)) return success();
        if (code == SQLITE_DONE) return success();
        return fail(code, "listing operations", false);
    }

    // ---- reading: each is reset by the caller's `statement_use`

    sqlite_statement& by_id(operation_ref id) noexcept {
        by_id_.bind_text(1, id.space);
        by_id_.bind_text(2, id.name);
        by_id_.bind_text(3, id.key);
        return by_id_;
    }
    sqlite_statement& by_number(std::uint64_t number) noexcept {
        by_number_.bind(1, static_cast<std::int64_t>(number));
        return by_number_;
    }
    /// Those behind `after`; of `parent`, where it is not 0.
    sqlite_statement& page(std::uint64_t after, std::size_t most, std::uint64_t parent) noexcept {
        auto& rows = parent != 0 ? children_ : page_;
        rows.bind(1, static_cast<std::int64_t>(after));
        rows.bind(2, static_cast<std::int64_t>(most));
        if (parent != 0) rows.bind(3, static_cast<std::int64_t>(parent));
        return rows;
    }
    /// Those of one space and name that are due, behind a place, in the order of time and number. Of
    /// several names each has a slot, since they are read side by side.
    result<sqlite_statement*> due(std::size_t slot, std::string_view space, std::string_view name,
                                  due_place const& after, system_time now) {
        while (due_.size() <= slot) {
            sqlite_statement made;
            if (auto const code = made.prepare(file_->get(), due_text()); code != SQLITE_OK)
                return fail(code, "preparing a statement", false);
            due_.push_back(std::move(made));
        }
        auto& rows = due_[slot];
        rows.bind_text(1, space);
        rows.bind_text(2, name);
        rows.bind(3, after.due);
        rows.bind(4, static_cast<std::int64_t>(after.number));
        rows.bind(5, stamp(now));
        return &rows;
    }
    /// When the one that went to sleep last did so; 0 where none sleeps.
    result<std::int64_t> newest_slept() {
        return file_->ask_number(
            "SELECT max(slept) FROM recoup_operation INDEXED BY recoup_operation_slept WHERE "
            "status<3");
    }
    /// Those that went to sleep at a moment that has not come yet.
    sqlite_statement& set_back(system_time now) noexcept {
        set_back_.bind(1, stamp(now));
        return set_back_;
    }
    sqlite_statement& expired(system_time now, std::int64_t after, std::uint64_t number,
                              std::size_t most) noexcept {
        expired_.bind(1, stamp(now));
        expired_.bind(2, after);
        expired_.bind(3, static_cast<std::int64_t>(number));
        expired_.bind(4, static_cast<std::int64_t>(most));
        return expired_;
    }
    sqlite_statement& cancelled(std::uint64_t owner) noexcept {
        cancelled_.bind(1, static_cast<std::int64_t>(owner));
        return cancelled_;
    }
    sqlite_statement& steps(std::uint64_t number) noexcept {
        steps_.bind(1, first_place(number));
        steps_.bind(2, first_place(number) + static_cast<std::int64_t>(steps_per_operation) - 1);
        return steps_;
    }

    // ---- writing

    result<void> insert(operation_record const& what, sqlite_operation_state const& state) {
        auto const payload = encode_head(what);
        statement_use row{insert_};
        row->bind_text(2, what.id.space);
        row->bind_text(3, what.id.name);
        row->bind_text(4, what.id.key);
        row->bind(9, static_cast<std::int64_t>(what.parent));
        bind_head(insert_, what, payload);
        bind_state(insert_, what.number, state);
        return changed_one(row->step(), "starting operation " + display(what.id));
    }

    /// Replaces the state, and the head where `head` is not null, of a row whose state is `before`.
    result<void> update(std::uint64_t number, sqlite_operation_state const& before,
                        sqlite_operation_state const& after, operation_record const* head) {
        auto const payload = head != nullptr ? encode_head(*head) : std::string{};
        auto& statement = head != nullptr ? set_all_ : set_state_;
        statement_use row{statement};
        if (head != nullptr) bind_head(statement, *head, payload);
        bind_state(statement, number, after);
        row->bind(17, before.seal(number));
        return changed_one(row->step(), "writing operation " + std::to_string(number));
    }

    /// Adds a step, or puts it in the place of the one of its index; `state` follows.
    result<void> put_step(std::uint64_t number, step_record const& what,
                          sqlite_operation_state& state) {
        auto const payload = encode_step(number, what);
        auto const place = place_of(number, what.index);
        auto const bind = [&](sqlite_statement& to) {
            to.bind(1, place);
            to.bind_blob(2, payload);
        };
        {
            statement_use row{add_step_};
            bind(add_step_);
            if (auto const code = row->step(); code != SQLITE_DONE)
                return fail(code, "writing a step", true);
        }
        if (file_->changes() == 1) {
            state.add_step(place);
            return success();
        }
        statement_use row{replace_step_};
        bind(replace_step_);
        return changed_one(row->step(), "writing step " + std::to_string(what.index) +
                                            " of operation " + std::to_string(number));
    }

    /// Removes the steps of an operation: as many as there should be.
    result<void> erase_steps(std::uint64_t number, std::uint64_t expected) {
        statement_use row{erase_steps_};
        row->bind(1, first_place(number));
        row->bind(2, first_place(number) + static_cast<std::int64_t>(steps_per_operation) - 1);
        if (auto const code = row->step(); code != SQLITE_DONE)
            return fail(code, "removing steps", true);
        auto const gone = static_cast<std::uint64_t>(file_->changes());
        if (gone == expected) return success();
        return store_failure(store_errc::corrupt, "operation " + std::to_string(number) + " of " +
                                                      file_->path() + " has " +
                                                      std::to_string(gone) + " steps; expected " +
                                                      std::to_string(expected));
    }

    result<void> erase(std::uint64_t number) {
        statement_use row{erase_};
        row->bind(1, static_cast<std::int64_t>(number));
        return changed_one(row->step(), "removing operation " + std::to_string(number));
    }

  private:
    /// Two in one, since SQLite uses but the first column of a row value to search by.
    static std::string due_text() {
        auto const select = "SELECT " + std::string{operation_columns} +
                            " FROM recoup_operation INDEXED BY recoup_operation_due WHERE status<3 "
                            "AND space=?1 AND name=?2 AND ";
        return select + "due=?3 AND number>?4 UNION ALL " + select +
               "due>?3 AND due<=?5 ORDER BY due, number";
    }
    static void bind_head(sqlite_statement& to, operation_record const& what,
                          std::string_view payload) noexcept {
        to.bind(5, static_cast<std::int64_t>(what.status));
        to.bind(6, stamp(what.due));
        to.bind(7, slept_of(what));
        to.bind(8, stamp(what.expires));
        to.bind_blob(16, payload);
    }
    static void bind_state(sqlite_statement& to, std::uint64_t number,
                           sqlite_operation_state const& state) noexcept {
        to.bind(1, static_cast<std::int64_t>(number));
        to.bind(10, static_cast<std::int64_t>(state.epoch));
        to.bind(11, static_cast<std::int64_t>(state.owner));
        to.bind(12, std::int64_t{state.cancel ? 1 : 0});
        to.bind(13, static_cast<std::int64_t>(state.steps));
        to.bind(14, static_cast<std::int64_t>(state.digest));
        to.bind(15, state.seal(number));
    }
    /// A trigger or a damaged index may lose a write in silence; this is where it is heard.
    result<void> changed_one(int code, std::string const& doing) {
        if (code != SQLITE_DONE) return fail(code, doing, true);
        if (file_->changes() == 1) return success();
        return store_failure(store_errc::corrupt, doing + " in " + file_->path() + " changed " +
                                                      std::to_string(file_->changes()) +
                                                      " rows; expected 1");
    }

    sqlite_connection* file_;
    sqlite_statement by_id_, by_number_, page_, children_, set_back_, expired_, cancelled_;
    std::deque<sqlite_statement> due_;
    sqlite_statement steps_;
    sqlite_statement insert_, set_state_, set_all_, erase_;
    sqlite_statement add_step_, replace_step_, erase_steps_;
};

}  // namespace recoup::inline v1::detail
