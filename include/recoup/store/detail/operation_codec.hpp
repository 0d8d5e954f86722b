// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/detail/bytes.hpp>
#include <recoup/store/detail/crc32c.hpp>
#include <recoup/store/operation_record.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

// A durable operation as bytes, little-endian:
//
//     u32 size of all this          u8  format (1)      u8 status
//     u8  flags: 1 cancel requested, 2 undoing, 4 result, 8 last failure       u8 0
//     u64 number, epoch, owner, parent, fingerprint     u32 generation, recoveries    16 bytes of token
//     i64 delay, due, created, updated, expires (nanoseconds)
//     texts as u32 length and bytes: space, name, key, version, input, progress, note [, result]
//     [u8 category, i32 code, text code_category, text message]
//     u32 CRC-32C of all bytes before it
//
// and a step of one, with the number of its operation, so that it is never taken for another's:
//
//     u32 size of all this          u8  format (1)      u8 status
//     u8  flags: 8 last failure     u8 0
//     u64 operation, fingerprint    u32 index, count, attempts         i64 updated
//     texts: name, id, value, state
//     [u8 category, i32 code, text code_category, text message]
//     u32 CRC-32C of all bytes before it
//
// As with records, there is one encoding and no other bytes decode to it.

namespace recoup::inline v1::detail {

inline constexpr std::uint8_t operation_format = 1;
inline constexpr std::size_t operation_head_bytes = 8 + 40 + 8 + 16 + 40;
inline constexpr std::size_t step_head_bytes = 8 + 16 + 12 + 8;

/// How many bytes `encode_operation` makes of `what`.
inline std::size_t encoded_size(operation_record const& what) noexcept {
    auto size = operation_head_bytes + 7 * 4 + what.id.space.size() + what.id.name.size() +
                what.id.key.size() + what.version.size() + what.input.size() +
                what.progress.size() + what.note.size() + 4;
    if (what.result) size += 4 + what.result->size();
    if (what.last_failure) size += encoded_size(*what.last_failure);
    return size;
}

/// How many bytes `encode_step` makes of `what`.
inline std::size_t encoded_size(step_record const& what) noexcept {
    auto size = step_head_bytes + 4 * 4 + what.name.size() + what.id.size() + what.value.size() +
                what.state.size() + 4;
    if (what.last_failure) size += encoded_size(*what.last_failure);
    return size;
}

/// Writes the bytes of `what`. Pre: `encoded_size(what) <= record_bytes_limit`.
inline void put_operation(byte_writer& to, operation_record const& what) noexcept {
    auto const* const begin = to.at();
    to.number(static_cast<std::uint32_t>(encoded_size(what)));
    to.number(operation_format);
    to.number(static_cast<std::uint8_t>(what.status));
    to.number(static_cast<std::uint8_t>((what.cancel_requested ? 1U : 0U) |
                                        (what.undoing ? 2U : 0U) | (what.result ? 4U : 0U) |
                                        (what.last_failure ? 8U : 0U)));
    to.number(std::uint8_t{0});
    for (auto const number : {what.number, what.epoch, what.owner, what.parent, what.fingerprint})
        to.number(number);
    to.number(what.generation);
    to.number(what.recoveries);
    to.bytes(what.token.data(), what.token.size());
    to.number(std::int64_t{what.delay.count()});
    for (auto const& time : {what.due, what.created, what.updated, what.expires})
        to.number(std::int64_t{time.time_since_epoch().count()});
    for (auto const* text : {&what.id.space, &what.id.name, &what.id.key, &what.version,
                             &what.input, &what.progress, &what.note})
        to.text(*text);
    if (what.result) to.text(*what.result);
    if (what.last_failure) to.failure(*what.last_failure);
    to.number(crc32c({begin, to.at()}));
}

/// Writes the bytes of a step of operation `number`. Pre: `encoded_size(what) <= record_bytes_limit`.
inline void put_step(byte_writer& to, std::uint64_t number, step_record const& what) noexcept {
    auto const* const begin = to.at();
    to.number(static_cast<std::uint32_t>(encoded_size(what)));
    to.number(operation_format);
    to.number(static_cast<std::uint8_t>(what.status));
    to.number(static_cast<std::uint8_t>(what.last_failure ? 8U : 0U));
    to.number(std::uint8_t{0});
    to.number(number);
    to.number(what.fingerprint);
    for (auto const count : {what.index, what.count, what.attempts}) to.number(count);
    to.number(std::int64_t{what.updated.time_since_epoch().count()});
    for (auto const* text : {&what.name, &what.id, &what.value, &what.state}) to.text(*text);
    if (what.last_failure) to.failure(*what.last_failure);
    to.number(crc32c({begin, to.at()}));
}

/// The bytes of `what`. Pre: `encoded_size(what) <= record_bytes_limit`.
inline std::string encode_operation(operation_record const& what) {
    auto bytes = std::string(encoded_size(what), '\0');
    auto to = byte_writer{bytes.data()};
    put_operation(to, what);
    return bytes;
}

/// The bytes of a step of operation `number`. Pre: `encoded_size(what) <= record_bytes_limit`.
inline std::string encode_step(std::uint64_t number, step_record const& what) {
    auto bytes = std::string(encoded_size(what), '\0');
    auto to = byte_writer{bytes.data()};
    put_step(to, number, what);
    return bytes;
}

/// An operation as some bytes hold it: an `operation_record` whose texts are views of them.
struct operation_view {
    operation_ref id{};
    std::uint64_t number = 0;
    std::uint64_t epoch = 0;
    std::uint64_t owner = 0;
    std::uint64_t parent = 0;
    operation_status status = operation_status::pending;
    bool cancel_requested = false;
    bool undoing = false;
    std::uint64_t fingerprint = 0;
    std::uint32_t generation = 1;
    std::uint32_t recoveries = 0;
    std::array<std::uint8_t, 16> token{};
    duration delay{};
    system_time due{};
    system_time created{};
    system_time updated{};
    system_time expires{};
    std::string_view version{};
    std::string_view input{};
    std::string_view progress{};
    std::string_view note{};
    std::optional<std::string_view> result{};
    std::optional<recorded_failure> last_failure{};
};

/// What was read from some bytes: a value, or what is wrong with them.
template <class T>
struct decoded {
    std::optional<T> value{};
    char const* wrong = nullptr;  ///< null where there is a value
    bool newer = false;           ///< whole, but of a format that this version does not know
};

/// Why `bytes` cannot be what was encoded, as far as size, checksum and format tell; or nothing.
template <class T>
decoded<T> check_frame(std::string_view bytes, std::size_t bytes_min) noexcept {
    if (bytes.size() < bytes_min) return {{}, "it is too short"};
    if (bytes.size() > record_bytes_limit) return {{}, "it is too long"};
    auto const* const tail = bytes.data() + bytes.size() - 4;
    if (number_at<std::uint32_t>(tail) != crc32c({bytes.data(), tail}))
        return {{}, "its checksum is wrong"};
    if (number_at<std::uint32_t>(bytes.data()) != bytes.size()) return {{}, "its length is wrong"};
    if (number_at<std::uint8_t>(bytes.data() + 4) != operation_format)
        return {{}, "its format is unknown: a newer version wrote it", true};
    return {};
}

/// Whether `bytes` are still what was encoded of operation `number`, as far as their checksum tells.
inline bool holds_operation(std::uint64_t number, std::string_view bytes) noexcept {
    return check_frame<std::uint64_t>(bytes, operation_head_bytes).wrong == nullptr &&
           number_at<std::uint64_t>(bytes.data() + 8) == number;
}

/// The operation that `bytes` encode. Any other bytes, whatever they hold, are refused with a reason.
///
/// `Operation`: `operation_record`, or `operation_view`, which copies nothing but a failure.
/// Throws: std::bad_alloc, for no more than the bytes' own size.
template <class Operation = operation_record>
decoded<Operation> decode_operation(std::string_view bytes) {
    if (auto bad = check_frame<Operation>(bytes, operation_head_bytes + 7 * 4 + 4);
        bad.wrong != nullptr)
        return bad;
    byte_reader from{bytes.substr(5, bytes.size() - 9)};
    Operation what;
    auto const status = from.number<std::uint8_t>();
    from.require(status >= 1 && status <= 7, "its status is unknown");
    what.status = static_cast<operation_status>(status);
    auto const flags = from.number<std::uint8_t>();
    from.require(flags < 16 && from.number<std::uint8_t>() == 0, "it has unknown flags");
    what.cancel_requested = (flags & 1U) != 0;
    what.undoing = (flags & 2U) != 0;
    for (auto* number : {&what.number, &what.epoch, &what.owner, &what.parent, &what.fingerprint})
        *number = from.number<std::uint64_t>();
    what.generation = from.number<std::uint32_t>();
    what.recoveries = from.number<std::uint32_t>();
    from.bytes(what.token);
    what.delay = duration{from.number<std::int64_t>()};
    for (auto* time : {&what.due, &what.created, &what.updated, &what.expires})
        *time = system_time{duration{from.number<std::int64_t>()}};
    what.id.space = from.text(identifier_bytes_max, "its namespace is too long");
    what.id.name = from.text(identifier_bytes_max, "its name is too long");
    what.id.key = from.text(identifier_bytes_max, "its key is too long");
    what.version = from.text(identifier_bytes_max, "its version is too long");
    what.input = from.text(record_bytes_limit, "its input is cut");
    what.progress = from.text(record_bytes_limit, "its progress is cut");
    what.note = from.text(record_bytes_limit, "its note is cut");
    if ((flags & 4U) != 0) what.result = from.text(record_bytes_limit, "its result is cut");
    if ((flags & 8U) != 0) what.last_failure = read_failure(from);
    from.require(from.at_end() || from.wrong() != nullptr, "it goes on after its end");
    if (from.wrong() != nullptr) return {{}, from.wrong()};
    return {std::move(what), nullptr};
}

/// The step of operation `number` that `bytes` encode; as `decode_operation`.
inline decoded<step_record> decode_step(std::uint64_t number, std::string_view bytes) {
    if (auto bad = check_frame<step_record>(bytes, step_head_bytes + 4 * 4 + 4);
        bad.wrong != nullptr)
        return bad;
    byte_reader from{bytes.substr(5, bytes.size() - 9)};
    step_record what;
    auto const status = from.number<std::uint8_t>();
    from.require(status >= 1 && status <= 4, "its status is unknown");
    what.status = static_cast<step_status>(status);
    auto const flags = from.number<std::uint8_t>();
    from.require((flags & ~8U) == 0 && from.number<std::uint8_t>() == 0, "it has unknown flags");
    from.require(from.number<std::uint64_t>() == number, "it belongs to another operation");
    what.fingerprint = from.number<std::uint64_t>();
    for (auto* count : {&what.index, &what.count, &what.attempts})
        *count = from.number<std::uint32_t>();
    what.updated = system_time{duration{from.number<std::int64_t>()}};
    what.name = from.text(identifier_bytes_max, "its name is too long");
    what.id = from.text(identifier_bytes_max, "its id is too long");
    what.value = from.text(record_bytes_limit, "its value is cut");
    what.state = from.text(record_bytes_limit, "its state is cut");
    if ((flags & 8U) != 0) what.last_failure = read_failure(from);
    from.require(from.at_end() || from.wrong() != nullptr, "it goes on after its end");
    if (from.wrong() != nullptr) return {{}, from.wrong()};
    return {std::move(what), nullptr};
}

}  // namespace recoup::inline v1::detail
