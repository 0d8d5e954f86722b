// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/operation_codec.hpp>
#include <recoup/store/detail/sleep_began.hpp>
#include <recoup/store/detail/sqlite_row.hpp>
#include <recoup/store/detail/sqlite_statement.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace recoup::inline v1::detail {

/// A step's place in the file is its operation's number, times this, and its index.
inline constexpr std::uint64_t steps_per_operation = std::uint64_t{step_index_max} + 1;
/// So that the place of every step is a positive integer of SQLite's.
inline constexpr std::uint64_t operation_number_max = (std::uint64_t{1} << 43U) - 1;

inline std::int64_t first_place(std::uint64_t number) noexcept {
    return static_cast<std::int64_t>(number * steps_per_operation);
}
inline std::int64_t place_of(std::uint64_t number, std::uint32_t index) noexcept {
    return first_place(number) + index;
}

inline constexpr std::uint64_t mixed(std::uint64_t hash, std::uint64_t with) noexcept {
    hash = (hash ^ with) * 0x9E3779B97F4A7C15U;
    hash = (hash ^ (hash >> 32U)) * 0xBF58476D1CE4E5B9U;
    return hash ^ (hash >> 29U);
}

/// What changes of an operation's row without its payload.
struct sqlite_operation_state {
    std::uint64_t epoch = 0;
    std::uint64_t owner = 0;
    bool cancel = false;
    std::uint64_t steps = 0;   ///< how many rows of steps there are
    std::uint64_t digest = 0;  ///< the sum of their places' hashes: which ones there are

    void add_step(std::int64_t place) noexcept {
        ++steps;
        digest += mixed(1, static_cast<std::uint64_t>(place));
    }
    void remove_step(std::int64_t place) noexcept {
        --steps;
        digest -= mixed(1, static_cast<std::uint64_t>(place));
    }
    /// What SQLite does not do: a checksum, with the row it belongs to.
    [[nodiscard]] std::int64_t seal(std::uint64_t number) const noexcept {
        auto hash = mixed(2, number);
        for (auto const part : {epoch, owner, std::uint64_t{cancel ? 1U : 0U}, steps, digest})
            hash = mixed(hash, part);
        return static_cast<std::int64_t>(hash);
    }

    friend bool operator==(sqlite_operation_state const&, sqlite_operation_state const&) = default;
};

/// An operation that was claimed here, where nobody else can write to the file: claiming writes nothing.
struct live_operation {
    sqlite_operation_state stored{};  ///< as the file has it
    std::uint64_t epoch = 0;          ///< as everybody sees it
    std::uint64_t owner = 0;
};

inline constexpr std::string_view operation_columns =
    "number, space, name, key, status, due, slept, expires, parent, epoch, owner, cancel, steps, "
    "digest, seal, payload";

/// When an operation was put to sleep, as far as its head says.
inline std::int64_t slept_of(operation_record const& what) noexcept {
    return stamp(sleep_began(what.due, what.delay));
}

/// A row of the file: an operation, or what is wrong.
struct stored_operation {
    std::uint64_t number = 0;
    sqlite_operation_state state{};
    decoded<operation_record> content{};
};

/// The state of a row; false where it is not what was written.
inline bool read_state(sqlite_statement const& row, stored_operation& read) noexcept {
    read.number = static_cast<std::uint64_t>(row.integer(0));
    read.state.epoch = static_cast<std::uint64_t>(row.integer(9));
    read.state.owner = static_cast<std::uint64_t>(row.integer(10));
    read.state.cancel = row.integer(11) == 1;
    read.state.steps = static_cast<std::uint64_t>(row.integer(12));
    read.state.digest = static_cast<std::uint64_t>(row.integer(13));
    auto const plain = row.integer(11) == 0 || row.integer(11) == 1;
    return plain && row.integer(14) == read.state.seal(read.number);
}

/// The operation in a row of `operation_columns`. Every column must say what the payload or the seal says.
inline stored_operation read_operation(sqlite_statement const& row) {
    stored_operation read;
    auto const sealed = read_state(row, read);
    if (!row.is_blob(15)) {
        read.content.wrong = "its payload is not a blob";
        return read;
    }
    read.content = decode_operation(row.blob(15));
    if (!read.content.value) return read;
    auto& what = *read.content.value;
    auto const same_identity =
        row.text(1) == what.id.space && row.text(2) == what.id.name && row.text(3) == what.id.key;
    auto const same_numbers =
        read.number == what.number && row.integer(4) == static_cast<std::int64_t>(what.status) &&
        row.integer(5) == stamp(what.due) && row.integer(6) == slept_of(what) &&
        row.integer(7) == stamp(what.expires) &&
        static_cast<std::uint64_t>(row.integer(8)) == what.parent;
    if (!same_identity)
        read.content.wrong = "its identity differs from its payload";
    else if (!same_numbers)
        read.content.wrong = "its columns differ from its payload";
    else if (!sealed)
        read.content.wrong = "its epoch, owner or steps are not those that were written";
    what.epoch = read.state.epoch;
    what.owner = read.state.owner;
    what.cancel_requested = read.state.cancel;
    return read;
}

inline damaged_record describe_damage(sqlite_statement const& row, stored_operation const& read) {
    damaged_record damaged;
    damaged.number = static_cast<std::int64_t>(read.number);
    damaged.wrong = read.content.wrong;
    damaged.kind = damaged_kind::operation;
    if (read.content.value)
        damaged.id = read.content.value->id;
    else
        damaged.id = {std::string{row.text(1)}, std::string{row.text(2)}, std::string{row.text(3)}};
    return damaged;
}

/// The bytes of an operation, without what its row keeps beside them.
inline std::string encode_head(operation_record what) {
    what.epoch = 0;
    what.owner = 0;
    what.cancel_requested = false;
    return encode_operation(what);
}

}  // namespace recoup::inline v1::detail
