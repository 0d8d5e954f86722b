// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/store/detail/membership.hpp>
#include <recoup/store/detail/record_codec.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace recoup::inline v1::detail {

/// What a file should hold: written in the same transaction as every record that comes or goes.
///
/// SQLite checksums nothing: damage can make a row vanish, and a record that is not found would look
/// as if it had never been. The number of records and the sum of their identities' hashes show it.
struct store_account {
    std::uint64_t records = 0;
    std::uint64_t digest = 0;  ///< the sum of `hash_of` over all identities, whatever their order
    /// Above every revision that an erased record ever had, so that none is given twice.
    std::uint64_t next_revision = 1;
    system_time newest = system_time::min();  ///< the latest `updated` that came with a new record
    std::uint64_t operations = 0;
    std::uint64_t operations_digest = 0;  ///< the sum of `hash_of` over the operations' identities
    std::uint64_t next_number = 1;        ///< of operations; none is given twice
    /// How often the file was opened by somebody who used operations. Owners and claims are numbered within
    /// that, so that none has a number that an earlier one had, although most are never written.
    std::uint64_t openings = 0;

    void add(operation_ref id) noexcept {
        ++records;
        digest += hash_of(id);
    }
    void remove(operation_ref id) noexcept {
        --records;
        digest -= hash_of(id);
    }
    /// Whether it agrees with what was counted.
    [[nodiscard]] bool agrees(store_account const& counted) const noexcept {
        return records == counted.records && digest == counted.digest;
    }
    void add_operation(operation_ref id) noexcept {
        ++operations;
        operations_digest += hash_of(id);
    }
    void remove_operation(operation_ref id) noexcept {
        --operations;
        operations_digest -= hash_of(id);
    }
    [[nodiscard]] bool agrees_on_operations(store_account const& counted) const noexcept {
        return operations == counted.operations && operations_digest == counted.operations_digest;
    }
};

/// As bytes: format (2), the eight numbers, CRC-32C. Format 1 ended behind the fourth.
inline std::string encode_account(store_account const& what) {
    std::string bytes;
    put_number(bytes, std::uint8_t{2});
    put_number(bytes, what.records);
    put_number(bytes, what.digest);
    put_number(bytes, what.next_revision);
    put_number(bytes, std::int64_t{what.newest.time_since_epoch().count()});
    for (auto const number :
         {what.operations, what.operations_digest, what.next_number, what.openings})
        put_number(bytes, number);
    put_number(bytes, crc32c(bytes));
    return bytes;
}

/// Nothing where the bytes are not those of an account.
inline std::optional<store_account> decode_account(std::string_view bytes) noexcept {
    auto const first_format = bytes.size() == 1 + 4 * 8 + 4;
    if (!first_format && bytes.size() != 1 + 8 * 8 + 4) return std::nullopt;
    byte_reader from{bytes};
    auto const format = from.number<std::uint8_t>();
    store_account what;
    what.records = from.number<std::uint64_t>();
    what.digest = from.number<std::uint64_t>();
    what.next_revision = from.number<std::uint64_t>();
    what.newest = system_time{duration{from.number<std::int64_t>()}};
    if (!first_format)
        for (auto* number :
             {&what.operations, &what.operations_digest, &what.next_number, &what.openings})
            *number = from.number<std::uint64_t>();
    if (from.number<std::uint32_t>() != crc32c(bytes.substr(0, bytes.size() - 4)) ||
        format != (first_format ? 1 : 2))
        return std::nullopt;
    return what;
}

}  // namespace recoup::inline v1::detail
