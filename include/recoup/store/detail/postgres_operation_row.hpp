// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/operation_codec.hpp>
#include <recoup/store/detail/postgres_records.hpp>
#include <recoup/store/operation_record.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

// How an operation lies in its row. What is given at the start and stays is encoded in `identity`, what a
// write of the head replaces in `payload`, each with the number and a checksum. Owner, epoch, the wish to
// cancel, the count of step writes and the mark of the last write are changed by statements that do not
// read the row: they are columns alone, and `seal` shows where one was changed by anything else.

/// Numbers that use all 64 bits are kept as what bigint makes of them.
constexpr std::int64_t as_signed(std::uint64_t value) noexcept {
    return static_cast<std::int64_t>(value);
}
constexpr std::uint64_t as_unsigned(std::int64_t value) noexcept {
    return static_cast<std::uint64_t>(value);
}

/// When an operation went to sleep: where now is before that, the clock was set back.
inline std::int64_t slept_at(operation_record const& what) noexcept {
    // The least duration has no opposite.
    auto const back = what.delay == duration::min() ? duration::max() : -what.delay;
    return stamp_of(saturating_add(what.due, back));
}

inline std::string encode_identity(std::uint64_t number, operation_record const& what) {
    operation_record kept;
    kept.id = what.id;
    kept.number = number;
    kept.parent = what.parent;
    kept.created = what.created;
    return encode_operation(kept);
}

inline std::string encode_head(std::uint64_t number, operation_record const& what) {
    auto kept = what;
    kept.id = {};
    kept.number = number;
    kept.epoch = 0;
    kept.owner = 0;
    kept.parent = 0;
    kept.created = {};
    kept.cancel_requested = false;
    return encode_operation(kept);
}

/// A row of operations.
struct operation_row {
    operation_record record{};
    std::int64_t mark = 0;
    bool met_wish = false;     ///< whether the last write met a wish to cancel
    std::uint64_t writes = 0;  ///< of steps that are there: their rows say the same
    char const* wrong = nullptr;
    bool newer = false;
};

inline operation_row operation_in(postgres_rows const& rows, int row) {
    enum {
        number,
        space,
        name,
        key,
        parent,
        epoch,
        owner,
        mark,
        cancel,
        met,
        writes,
        seal,
        status,
        due,
        slept,
        expires,
        identity,
        payload
    };
    auto const column = [&](int which) { return as_unsigned(rows.integer(row, which)); };
    operation_row read;
    read.mark = rows.integer(row, mark);
    read.met_wish = column(met) != 0;
    read.writes = column(writes);
    // For a report, where it is damaged.
    read.record.id = {std::string{rows.text(row, space)}, std::string{rows.text(row, name)},
                      std::string{rows.text(row, key)}};
    read.record.number = column(number);
    read.record.epoch = column(epoch);
    read.record.owner = column(owner);
    if (column(seal) != column(number) + 3 * column(epoch) + 5 * column(owner) +
                            7 * column(cancel) + 11 * column(writes) + 13 * column(mark) ||
        column(cancel) > 1) {
        read.wrong = "its fence was changed by something else";
        return read;
    }
    auto kept = decode_operation(rows.text(row, identity));
    auto head = decode_operation(rows.text(row, payload));
    for (auto const* part : {&kept, &head})
        if (part->wrong != nullptr) {
            read.wrong = part->wrong;
            read.newer = part->newer;
            return read;
        }
    auto& what = *head.value;
    if (kept.value->number != column(number) || what.number != column(number))
        read.wrong = "it belongs to another operation";
    else if (!(kept.value->id == read.record.id) || kept.value->parent != column(parent))
        read.wrong = "its identity differs from its payload";
    else if (as_signed(column(status)) != static_cast<std::int64_t>(what.status) ||
             rows.integer(row, due) != stamp_of(what.due) ||
             rows.integer(row, slept) != slept_at(what) ||
             rows.integer(row, expires) != stamp_of(what.expires))
        read.wrong = "its columns differ from its payload";
    if (read.wrong != nullptr) return read;
    what.id = std::move(kept.value->id);
    what.epoch = column(epoch);
    what.owner = column(owner);
    what.parent = kept.value->parent;
    what.created = kept.value->created;
    what.cancel_requested = column(cancel) == 1;
    read.record = std::move(what);
    return read;
}

/// The steps that `postgres_query::steps` gave of one operation, or what is wrong with them.
struct step_rows {
    std::vector<step_record> steps{};
    char const* wrong = nullptr;
    bool newer = false;
    std::int64_t index = -1;  ///< of the wrong one; -1: of them all
};

inline step_rows steps_in(postgres_rows const& rows, std::uint64_t number, std::uint64_t writes) {
    constexpr int first = 18;  // behind the columns of the operation
    step_rows read;
    std::uint64_t written = 0;
    for (int row = 0; row != rows.size(); ++row) {
        if (rows.is_null(row, first)) continue;  // the operation has no step
        auto step = decode_step(number, rows.text(row, first + 2));
        if (step.wrong == nullptr && rows.integer(row, first) != std::int64_t{step.value->index})
            step.wrong = "its index differs from its payload";
        if (step.wrong != nullptr) {
            read.wrong = step.wrong;
            read.newer = step.newer;
            read.index = rows.integer(row, first);
            return read;
        }
        written += as_unsigned(rows.integer(row, first + 1));
        read.steps.push_back(std::move(*step.value));
    }
    // Every write of a step is counted in its row and in its operation's: a row that is lost, or comes
    // back from an earlier time, leaves a difference.
    if (written != writes) read.wrong = "its steps are not those that were written";
    return read;
}

}  // namespace recoup::inline v1::detail
