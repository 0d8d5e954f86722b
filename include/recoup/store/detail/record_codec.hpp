// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/bytes.hpp>
#include <recoup/store/detail/crc32c.hpp>
#include <recoup/store/record.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

// A record as bytes, little-endian:
//
//     u32 size of all this          u8  format (1)      u8 status
//     u8  flags: 1 checkpoint, 2 result, 4 last failure
//     u8  number of categories with a count
//     u64 revision, fingerprint     u32 generation, attempts, spent     16 bytes of token
//     i64 active, delay, due, created, updated, expires (nanoseconds)
//     each category with a count: u8 category, u32 count; ascending, none is zero
//     texts as u32 length and bytes: space, name, key [, checkpoint] [, result]
//     [u8 category, i32 code, text code_category, text message]
//     u32 CRC-32C of all bytes before it, and so of the identity and every field
//
// There is one encoding of a record and no other bytes decode to it, so that what was decoded is
// what was encoded. A change of the layout is a new format number; the old one stays readable.

namespace recoup::inline v1::detail {

inline constexpr std::uint8_t record_format = 1;

inline constexpr std::size_t record_head_bytes = 8 + 16 + 12 + 16 + 48;

/// How many bytes `encode_record` makes of `what`.
inline std::size_t encoded_size(record const& what) noexcept {
    auto size = record_head_bytes + 3 * 4 + what.id.space.size() + what.id.name.size() +
                what.id.key.size() + 4;
    for (auto const count : what.spent_by_category) size += count != 0 ? 5U : 0U;
    if (what.checkpoint) size += 4 + what.checkpoint->size();
    if (what.result) size += 4 + what.result->size();
    if (what.last_failure) size += encoded_size(*what.last_failure);
    return size;
}

/// The bytes of `what`, with `revision` in place of its own.
///
/// Pre: `encoded_size(what) <= record_bytes_limit`.
inline std::string encode_record(record const& what, std::uint64_t revision) {
    auto bytes = std::string(encoded_size(what), '\0');
    auto to = byte_writer{bytes.data()};
    auto counts = 0U;
    for (auto const count : what.spent_by_category) counts += count != 0 ? 1U : 0U;

    to.number(static_cast<std::uint32_t>(bytes.size()));
    to.number(record_format);
    to.number(static_cast<std::uint8_t>(what.status));
    to.number(static_cast<std::uint8_t>((what.checkpoint ? 1U : 0U) | (what.result ? 2U : 0U) |
                                        (what.last_failure ? 4U : 0U)));
    to.number(static_cast<std::uint8_t>(counts));
    to.number(revision);
    to.number(what.fingerprint);
    to.number(what.generation);
    to.number(what.attempts);
    to.number(what.spent);
    to.bytes(what.token.data(), what.token.size());
    to.number(std::int64_t{what.active.count()});
    to.number(std::int64_t{what.delay.count()});
    for (auto const& time : {what.due, what.created, what.updated, what.expires})
        to.number(std::int64_t{time.time_since_epoch().count()});
    for (std::size_t i = 0; i != category_count; ++i) {
        if (what.spent_by_category[i] == 0) continue;
        to.number(static_cast<std::uint8_t>(i));
        to.number(what.spent_by_category[i]);
    }
    to.text(what.id.space);
    to.text(what.id.name);
    to.text(what.id.key);
    if (what.checkpoint) to.text(*what.checkpoint);
    if (what.result) to.text(*what.result);
    if (what.last_failure) to.failure(*what.last_failure);
    to.number(crc32c({bytes.data(), to.at()}));
    return bytes;
}

/// What `decode_record` made of some bytes: a record, or what is wrong with them.
struct decoded_record {
    std::optional<record> value{};
    char const* wrong = nullptr;  ///< null where there is a value
    bool newer = false;           ///< whole, but of a format that this version does not know
};

inline void read_counts(byte_reader& from, std::size_t count, record& into) noexcept {
    from.require(count <= category_count, "it counts more categories than there are");
    for (std::size_t i = 0, lowest = 0; i != count && from.wrong() == nullptr; ++i) {
        auto const index = std::size_t{from.number<std::uint8_t>()};
        auto const value = from.number<std::uint32_t>();
        from.require(index < category_count && index >= lowest && value != 0,
                     "a count per category is out of order");
        if (from.wrong() != nullptr) return;
        into.spent_by_category[index] = value;
        lowest = index + 1;
    }
}

/// The record that `bytes` encode. Any other bytes, whatever they hold, are refused with a reason.
///
/// Throws: std::bad_alloc, for no more than the bytes' own size.
inline decoded_record decode_record(std::string_view bytes) {
    if (bytes.size() < record_head_bytes + 3 * 4 + 4) return {{}, "it is too short"};
    if (bytes.size() > record_bytes_limit) return {{}, "it is too long"};
    byte_reader tail{bytes.substr(bytes.size() - 4)};
    auto const body = bytes.substr(0, bytes.size() - 4);
    if (tail.number<std::uint32_t>() != crc32c(body)) return {{}, "its checksum is wrong"};

    byte_reader from{body};
    record what;
    from.require(from.number<std::uint32_t>() == bytes.size(), "its length is wrong");
    if (from.number<std::uint8_t>() != record_format && from.wrong() == nullptr)
        return {{}, "its format is unknown: a newer version wrote it", true};
    auto const status = from.number<std::uint8_t>();
    from.require(status >= 1 && status <= 3, "its status is unknown");
    what.status = static_cast<record_status>(status);
    auto const flags = from.number<std::uint8_t>();
    from.require(flags < 8, "it has unknown flags");
    auto const counts = std::size_t{from.number<std::uint8_t>()};
    what.revision = from.number<std::uint64_t>();
    what.fingerprint = from.number<std::uint64_t>();
    what.generation = from.number<std::uint32_t>();
    what.attempts = from.number<std::uint32_t>();
    what.spent = from.number<std::uint32_t>();
    from.bytes(what.token);
    what.active = duration{from.number<std::int64_t>()};
    what.delay = duration{from.number<std::int64_t>()};
    for (auto* time : {&what.due, &what.created, &what.updated, &what.expires})
        *time = system_time{duration{from.number<std::int64_t>()}};
    read_counts(from, counts, what);
    what.id.space = from.text(identifier_bytes_max, "its namespace is too long");
    what.id.name = from.text(identifier_bytes_max, "its name is too long");
    what.id.key = from.text(identifier_bytes_max, "its key is too long");
    if ((flags & 1U) != 0) what.checkpoint = from.text(record_bytes_limit, "its checkpoint is cut");
    if ((flags & 2U) != 0) what.result = from.text(record_bytes_limit, "its result is cut");
    if ((flags & 4U) != 0) what.last_failure = read_failure(from);
    from.require(from.at_end() || from.wrong() != nullptr, "it goes on after its end");
    if (from.wrong() != nullptr) return {{}, from.wrong()};
    return {std::move(what), nullptr};
}

}  // namespace recoup::inline v1::detail
