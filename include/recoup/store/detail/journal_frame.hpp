// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/bytes.hpp>
#include <recoup/store/detail/crc32c.hpp>
#include <recoup/store/detail/membership.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

// A journal's bytes, little-endian: a header, and frames behind it. docs/journal-format.md is the
// reference; a change here is a new format number.

namespace recoup::inline v1::detail {

inline constexpr std::uint32_t journal_format = 1;
inline constexpr std::string_view journal_magic = "RECOUPJ\n";
/// The header is there twice, so that a damaged one is not the end of the file.
inline constexpr std::size_t journal_header_bytes = 64;
inline constexpr std::size_t journal_begin = 2 * journal_header_bytes;
inline constexpr std::size_t frame_head_bytes = 40;
inline constexpr std::size_t frame_tail_bytes = 16;
inline constexpr std::size_t frame_bytes_min = frame_head_bytes + frame_tail_bytes;
/// A frame's size must fit into 28 bits of its tail, in units of 8.
inline constexpr std::uint64_t frame_bytes_limit = std::uint64_t{1} << 30U;

enum class frame_kind : std::uint8_t {
    session = 1,    ///< a process opened the journal
    record = 2,     ///< a record was saved
    erased = 3,     ///< a record was removed
    started = 4,    ///< an operation was made
    written = 5,    ///< an operation's head or steps were written
    claimed = 6,    ///< an operation got an owner
    cancel = 7,     ///< an operation's end is wanted
    removed = 8,    ///< an operation was removed
    closed = 9,     ///< all before it was synced, and the process that wrote it was done
    accepted = 10,  ///< somebody accepted the loss of what is missing before it
};
inline constexpr std::uint8_t frame_kind_last = 10;
/// How many frames the head can say are not synced; this or more is "any".
inline constexpr std::uint64_t frame_lag_limit = 0xFFFFFF;

/// What the front of a journal says.
struct journal_header {
    std::uint32_t version = journal_format;
    std::uint64_t generation = 1;  ///< raised by each compaction
    std::uint64_t nonce = 0;       ///< random: goes into the checksum of every frame
    std::uint64_t first = 1;       ///< the sequence number of the first frame

    friend bool operator==(journal_header const&, journal_header const&) = default;
};

inline void place_header(char* to, journal_header const& what) noexcept {
    for (auto* at : {to, to + journal_header_bytes}) {
        std::memset(at, 0, journal_header_bytes);
        std::memcpy(at, journal_magic.data(), journal_magic.size());
        place_number(at + 8, what.version);
        place_number(at + 12, static_cast<std::uint32_t>(journal_begin));
        place_number(at + 16, what.generation);
        place_number(at + 24, what.nonce);
        place_number(at + 32, what.first);
        place_number(at + 60, crc32c({at, 60}));
    }
}

/// How the front of a file was found.
enum class header_state : std::uint8_t { whole, damaged, foreign, newer };

/// Reads the header at `from`, of `journal_begin` bytes: whichever of the two is whole.
inline header_state read_header(char const* from, journal_header& into) noexcept {
    auto seen = header_state::foreign;
    for (auto const* at : {from, from + journal_header_bytes}) {
        if (std::string_view{at, journal_magic.size()} != journal_magic) continue;
        seen = header_state::damaged;
        if (number_at<std::uint32_t>(at + 60) != crc32c({at, 60})) continue;
        into.version = number_at<std::uint32_t>(at + 8);
        if (into.version != journal_format) return header_state::newer;
        if (number_at<std::uint32_t>(at + 12) != journal_begin) continue;
        into.generation = number_at<std::uint64_t>(at + 16);
        into.nonce = number_at<std::uint64_t>(at + 24);
        into.first = number_at<std::uint64_t>(at + 32);
        return header_state::whole;
    }
    return seen;
}

/// A frame, as it is given and found. Its views are valid as long as what they show.
struct journal_frame {
    frame_kind kind = frame_kind::session;
    std::uint32_t session = 0;
    std::uint64_t sequence = 0;
    std::uint64_t subject = 0;  ///< the hash of a record's identity, or an operation's number
    std::uint64_t synced = 0;  ///< all frames up to this number had been synced when it was written
    std::string_view payload{};
    std::uint64_t offset = 0;  ///< where it begins
    std::uint64_t size = 0;    ///< with head, padding and tail
};

constexpr std::uint64_t frame_size(std::size_t payload) noexcept {
    return frame_head_bytes + (std::uint64_t{payload} + 7) / 8 * 8 + frame_tail_bytes;
}

// The checksums begin with the nonce and the sequence number: bytes of another file, or of another place
// in this one, are never believed.
inline std::uint32_t head_checksum(char const* head, std::uint64_t nonce) noexcept {
    char bytes[8 + 36];
    place_number(bytes, nonce);
    std::memcpy(bytes + 8, head, 36);
    return crc32c({bytes, sizeof bytes});
}

inline std::uint32_t tail_checksum(char const* tail, std::uint64_t nonce,
                                   std::uint64_t sequence) noexcept {
    char bytes[16 + 12];
    place_number(bytes, nonce);
    place_number(bytes + 8, sequence);
    std::memcpy(bytes + 16, tail, 12);
    return crc32c({bytes, sizeof bytes});
}

/// Puts a frame at `to`, where there are `frame_size(what.payload.size())` bytes of zero. Its first word,
/// which says that there is one, comes last: who dies on the way leaves nothing.
inline void place_frame(char* to, journal_frame const& what, std::uint64_t nonce) noexcept {
    auto const size = frame_size(what.payload.size());
    auto const padded = size - frame_bytes_min;
    auto* const payload = to + frame_head_bytes;
    if (!what.payload.empty()) std::memcpy(payload, what.payload.data(), what.payload.size());
    auto* const tail = payload + padded;
    place_number(tail, what.subject);
    place_number(tail + 8,
                 static_cast<std::uint32_t>(
                     (size / 8) | std::uint64_t{static_cast<std::uint8_t>(what.kind)} << 28U));
    place_number(tail + 12, tail_checksum(tail, nonce, what.sequence));

    char head[frame_head_bytes]{};
    place_number(head, static_cast<std::uint32_t>(size));
    auto const lag = std::min(what.sequence - what.synced, frame_lag_limit);
    place_number(head + 4,
                 static_cast<std::uint32_t>(lag << 8U | static_cast<std::uint8_t>(what.kind)));
    place_number(head + 8, what.sequence);
    place_number(head + 16, what.session);
    place_number(head + 20, static_cast<std::uint32_t>(what.payload.size()));
    place_number(head + 24, what.subject);
    place_number(head + 32, crc32c({payload, padded}));
    place_number(head + 36, head_checksum(head, nonce));
    std::memcpy(to + 4, head + 4, frame_head_bytes - 4);
    auto first = number_at<std::uint32_t>(head);
    if constexpr (std::endian::native == std::endian::big) first = __builtin_bswap32(first);
    // `to` is a multiple of 8 from the beginning of a mapping.
    std::atomic_ref<std::uint32_t>{*reinterpret_cast<std::uint32_t*>(to)}.store(
        first, std::memory_order_release);
}

/// What is at a place of a journal.
enum class frame_state : std::uint8_t {
    none,         ///< nothing was written here, or what was is not recognisable
    whole,        ///< a frame
    bad_payload,  ///< a frame whose head can be believed and whose content cannot
};

/// Reads the frame at `offset` of `bytes`; never past their end. `into` is set but for `none`.
inline frame_state read_frame(std::string_view bytes, std::uint64_t offset, std::uint64_t nonce,
                              journal_frame& into) noexcept {
    if (offset % 8 != 0 || offset > bytes.size() || bytes.size() - offset < frame_bytes_min)
        return frame_state::none;
    auto const* const at = bytes.data() + offset;
    // Whoever writes it writes the size last, so what follows is read behind it. Not by a fence, which the
    // thread sanitizer does not know.
    auto const first =
        __atomic_load_n(reinterpret_cast<std::uint32_t const*>(at), __ATOMIC_ACQUIRE);
    auto const size =
        std::uint64_t{number_at<std::uint32_t>(reinterpret_cast<char const*>(&first))};
    if (size < frame_bytes_min || size % 8 != 0 || size > bytes.size() - offset ||
        size > frame_bytes_limit)
        return frame_state::none;
    auto const word = number_at<std::uint32_t>(at + 4);
    auto const kind = static_cast<std::uint8_t>(word & 0xFFU);
    auto const payload = std::uint64_t{number_at<std::uint32_t>(at + 20)};
    if (kind == 0 || kind > frame_kind_last || frame_size(payload) != size ||
        number_at<std::uint32_t>(at + 36) != head_checksum(at, nonce))
        return frame_state::none;
    into.kind = static_cast<frame_kind>(kind);
    into.sequence = number_at<std::uint64_t>(at + 8);
    auto const lag = std::uint64_t{word >> 8U};
    into.synced = lag == frame_lag_limit || lag > into.sequence ? 0 : into.sequence - lag;
    into.session = number_at<std::uint32_t>(at + 16);
    into.subject = number_at<std::uint64_t>(at + 24);
    into.payload = {at + frame_head_bytes, payload};
    into.offset = offset;
    into.size = size;
    auto const padded = size - frame_bytes_min;
    if (number_at<std::uint32_t>(at + 32) != crc32c({at + frame_head_bytes, padded}))
        return frame_state::bad_payload;
    // The tail repeats what the head says; where it does not, a byte of it was changed.
    auto const* const tail = at + frame_head_bytes + padded;
    if (number_at<std::uint64_t>(tail) != into.subject ||
        number_at<std::uint32_t>(tail + 8) != (size / 8 | std::uint64_t{kind} << 28U) ||
        number_at<std::uint32_t>(tail + 12) != tail_checksum(tail, nonce, into.sequence))
        return frame_state::bad_payload;
    return frame_state::whole;
}

/// Reads the tail that ends at `end`: tells the size, subject and kind of the frame of that sequence
/// number where its head cannot be read.
inline bool read_tail(std::string_view bytes, std::uint64_t end, std::uint64_t nonce,
                      std::uint64_t sequence, journal_frame& into) noexcept {
    if (end < frame_bytes_min || end > bytes.size()) return false;
    auto const* const tail = bytes.data() + end - frame_tail_bytes;
    if (number_at<std::uint32_t>(tail + 12) != tail_checksum(tail, nonce, sequence)) return false;
    auto const word = number_at<std::uint32_t>(tail + 8);
    into.kind = static_cast<frame_kind>(word >> 28U);
    into.size = std::uint64_t{word & 0x0FFFFFFFU} * 8;
    into.subject = number_at<std::uint64_t>(tail);
    into.sequence = sequence;
    into.payload = {};
    if (into.size < frame_bytes_min || into.size > end) return false;
    into.offset = end - into.size;
    return true;
}

}  // namespace recoup::inline v1::detail
