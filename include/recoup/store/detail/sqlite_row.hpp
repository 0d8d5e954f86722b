// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/record_codec.hpp>
#include <recoup/store/detail/sqlite_statement.hpp>
#include <recoup/store/record.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace recoup::inline v1 {

/// What was found damaged.
enum class damaged_kind : std::uint8_t { record, operation, step };

/// A record, an operation or a step that a store found damaged and left as it is.
struct damaged_record {
    operation_id id{};        ///< as far as it can be told; empty for a step
    std::int64_t number = 0;  ///< its row in the file
    std::string wrong{};      ///< what is wrong with it
    damaged_kind kind = damaged_kind::record;

    friend bool operator==(damaged_record const&, damaged_record const&) = default;
};

namespace detail {

/// The columns of a row, in the order in which every statement here selects them.
inline constexpr std::string_view row_columns =
    "number, space, name, key, revision, status, updated, expires, payload";

/// A row of the file: a record, or what is wrong.
struct stored_row {
    std::int64_t number = 0;
    std::int64_t revision = 0;
    std::int64_t expires = 0;
    decoded_record content{};
};

inline std::int64_t stamp(system_time time) noexcept {
    return std::int64_t{time.time_since_epoch().count()};
}

/// The record in a row. Every column must say what the payload says: the columns are what the file is
/// searched and cleaned by, and only the payload has a checksum.
inline stored_row read_row(sqlite_statement const& row) {
    stored_row read;
    read.number = row.integer(0);
    read.revision = row.integer(4);
    read.expires = row.integer(7);
    if (!row.is_blob(8)) {
        read.content.wrong = "its payload is not a blob";
        return read;
    }
    read.content = decode_record(row.blob(8));
    if (!read.content.value) return read;
    auto const& what = *read.content.value;
    auto const same_identity =
        row.text(1) == what.id.space && row.text(2) == what.id.name && row.text(3) == what.id.key;
    auto const same_numbers = read.revision == static_cast<std::int64_t>(what.revision) &&
                              row.integer(5) == static_cast<std::int64_t>(what.status) &&
                              row.integer(6) == stamp(what.updated) &&
                              read.expires == stamp(what.expires);
    if (same_identity && same_numbers) return read;
    read.content.wrong = same_identity ? "its columns differ from its payload"
                                       : "its identity differs from its payload";
    return read;
}

/// For a report: the identity of the payload where that is whole, else that of the columns.
inline damaged_record describe_damage(sqlite_statement const& row, stored_row const& read) {
    damaged_record damaged;
    damaged.number = read.number;
    damaged.wrong = read.content.wrong;
    if (read.content.value)
        damaged.id = read.content.value->id;
    else
        damaged.id = {std::string{row.text(1)}, std::string{row.text(2)}, std::string{row.text(3)}};
    return damaged;
}

}  // namespace detail

}  // namespace recoup::inline v1
