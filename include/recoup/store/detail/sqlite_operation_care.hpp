// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_file.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// Looking for damage among operations and steps, and living with it.

namespace recoup::inline v1::detail {

/// What is there of an operation's steps.
struct steps_found {
    sqlite_operation_state counted{};  ///< as the operation's row should say
    std::uint64_t whole = 0;
    std::vector<damaged_record> damaged{};
};

inline result<steps_found> look_at_steps(sqlite_file& file, std::uint64_t number) {
    auto& table = file.operations.table();
    steps_found found;
    statement_use const rows{table.steps(number)};
    auto done = table.each(*rows.operator->(), [&](sqlite_statement const& row) {
        auto const place = row.integer(0);
        found.counted.add_step(place);
        auto const read = decode_step(number, row.blob(1));
        auto const* wrong = read.wrong;
        if (wrong == nullptr && place_of(number, read.value->index) != place)
            wrong = "its index differs from its place";
        if (wrong == nullptr)
            ++found.whole;
        else
            found.damaged.push_back({{}, place, wrong, damaged_kind::step});
        return true;
    });
    if (!done.has_value()) return done.error();
    return found;
}

inline std::string lacking(sqlite_operation_state const& there,
                           sqlite_operation_state const& expected) {
    return "it has " + std::to_string(there.steps) + " of its " + std::to_string(expected.steps) +
           " steps";
}

/// Reads up to `most` operations behind `after`, with their steps; says whether there may be more.
inline result<bool> verify_operations(sqlite_file& file, std::uint64_t& after, std::size_t most,
                                      sqlite_verification& found) {
    auto& table = file.operations.table();
    struct seen {
        std::uint64_t number;
        sqlite_operation_state state;
        operation_id id;
    };
    std::vector<seen> whole;
    std::size_t rows_seen = 0;
    auto const report = [&](damaged_record&& what) {
        file.records.note_damage(what);
        found.damaged.push_back(std::move(what));
    };
    {
        statement_use const rows{table.page(after, most, 0)};
        auto done = table.each(*rows.operator->(), [&](sqlite_statement const& row) {
            ++rows_seen;
            auto read = read_operation(row);
            after = read.number;
            if (read.content.wrong != nullptr)
                report(describe_damage(row, read));
            else
                whole.push_back({read.number, read.state, std::move(read.content.value->id)});
            return true;
        });
        if (!done.has_value()) {
            if (done.error().code() != make_error_code(store_errc::corrupt)) return done.error();
            found.problems.push_back(done.error().message());
            return false;
        }
    }
    for (auto& each : whole) {
        auto steps = look_at_steps(file, each.number);
        if (!steps.has_value()) {
            if (steps.error().code() != make_error_code(store_errc::corrupt)) return steps.error();
            found.problems.push_back(steps.error().message());
            continue;
        }
        auto const& there = steps.value();
        found.steps += there.whole;
        for (auto damage : there.damaged) report(std::move(damage));
        if (there.counted.steps != each.state.steps || there.counted.digest != each.state.digest)
            report({std::move(each.id), static_cast<std::int64_t>(each.number),
                    lacking(there.counted, each.state), damaged_kind::operation});
        else if (there.damaged.empty())
            ++found.operations;
    }
    return rows_seen == most;
}

/// Steps whose operation is not there.
inline result<void> verify_orphans(sqlite_file& file, sqlite_verification& found) {
    sqlite_statement row;
    auto code = row.prepare(file.connection.get(),
                            "SELECT place FROM recoup_step WHERE (place >> 20) NOT IN (SELECT "
                            "number FROM recoup_operation NOT INDEXED) LIMIT 64");
    if (code == SQLITE_OK) code = row.step();
    for (; code == SQLITE_ROW; code = row.step()) {
        auto damage =
            damaged_record{{}, row.integer(0), "its operation is not there", damaged_kind::step};
        file.records.note_damage(damage);
        found.damaged.push_back(std::move(damage));
    }
    if (code == SQLITE_DONE) return success();
    auto const failed =
        file.connection.fail(code, "verifying the steps of " + file.connection.path(), false);
    if (failed.code() != make_error_code(store_errc::corrupt)) return failed;
    found.problems.push_back(failed.message());
    return success();
}

inline failure not_damaged(damaged_record const& what, sqlite_file const& file) {
    return store_failure(store_errc::conflict, "row " + std::to_string(what.number) + " of " +
                                                   file.connection.path() +
                                                   " is not damaged; expected a damaged one");
}

/// The operation's row as it is, and its state, whether or not it can be believed.
inline result<std::optional<stored_operation>> raw_operation(sqlite_file& file,
                                                             std::uint64_t number) {
    auto& table = file.operations.table();
    statement_use const row{table.by_number(number)};
    return table.one<stored_operation>(
        *row.operator->(), [](sqlite_statement const& at) { return read_operation(at); });
}

/// Makes an operation's row say what is there of its steps.
inline result<void> accept_steps(sqlite_file& file, std::uint64_t number) {
    auto const stored = raw_operation(file, number);
    if (!stored.has_value()) return stored.error();
    if (!stored.value() || stored.value()->content.wrong != nullptr) return success();
    auto const there = look_at_steps(file, number);
    if (!there.has_value()) return there.error();
    auto const& before = stored.value()->state;
    auto after = before;
    after.steps = there.value().counted.steps;
    after.digest = there.value().counted.digest;
    if (after == before) return success();
    file.operations.forget(number);
    return file.operations.table().update(number, before, after, nullptr);
}

inline result<void> discard_step(sqlite_file& file, damaged_record const& what) {
    auto const number = static_cast<std::uint64_t>(what.number) / steps_per_operation;
    auto const there = look_at_steps(file, number);
    if (!there.has_value()) return there.error();
    auto const stored = raw_operation(file, number);
    if (!stored.has_value()) return stored.error();
    auto damaged = !stored.value();
    for (auto const& each : there.value().damaged) damaged = damaged || each.number == what.number;
    if (!damaged) return not_damaged(what, file);
    sqlite_statement row;
    auto code = row.prepare(file.connection.get(), "DELETE FROM recoup_step WHERE place=?1");
    row.bind(1, what.number);
    if (code == SQLITE_OK) code = row.step();
    if (code != SQLITE_DONE) return file.connection.fail(code, "removing a damaged step", true);
    return accept_steps(file, number);
}

inline result<void> discard_operation(sqlite_file& file, damaged_record const& what,
                                      sqlite_change& change) {
    auto const number = static_cast<std::uint64_t>(what.number);
    auto const stored = raw_operation(file, number);
    if (!stored.has_value()) return stored.error();
    if (!stored.value()) return success();
    auto const there = look_at_steps(file, number);
    if (!there.has_value()) return there.error();
    auto const& state = stored.value()->state;
    auto const whole = stored.value()->content.wrong == nullptr &&
                       there.value().counted.steps == state.steps &&
                       there.value().counted.digest == state.digest;
    if (whole) return not_damaged(what, file);
    auto& table = file.operations.table();
    if (auto gone = table.erase_steps(number, there.value().counted.steps); !gone.has_value())
        return gone;
    if (auto gone = table.erase(number); !gone.has_value()) return gone;
    file.operations.forget(number);
    change.account_changed = true;
    return file.ledger.count_operations(change.account);
}

/// Makes the rows of operations say what is there of their steps.
inline result<void> accept_all_steps(sqlite_file& file) {
    std::vector<std::uint64_t> numbers;
    auto& table = file.operations.table();
    for (std::uint64_t after = 0, more = 1; more != 0;) {
        constexpr std::size_t at_once = 1000;
        numbers.clear();
        {
            statement_use const rows{table.page(after, at_once, 0)};
            auto done = table.each(*rows.operator->(), [&](sqlite_statement const& row) {
                numbers.push_back(static_cast<std::uint64_t>(row.integer(0)));
                return true;
            });
            if (!done.has_value()) return done;
        }
        for (auto const number : numbers)
            if (auto taken = accept_steps(file, number); !taken.has_value()) return taken;
        more = numbers.size() == at_once ? 1 : 0;
        if (!numbers.empty()) after = numbers.back();
    }
    return success();
}

}  // namespace recoup::inline v1::detail
