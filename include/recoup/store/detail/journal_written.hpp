// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/bytes.hpp>
#include <recoup/store/detail/operation_codec.hpp>
#include <recoup/store/durable_store.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

// What a frame that wrote to an operation holds: number, epoch, flags, how many steps; then the head, if the
// flags say so, and the steps, each with its size before it.

namespace recoup::inline v1::detail {

inline constexpr std::uint32_t written_head = 1;      ///< a head comes before the steps
inline constexpr std::uint32_t written_drops = 2;     ///< what was recorded of steps before is gone
inline constexpr std::uint32_t written_releases = 4;  ///< nobody has the operation any more
inline constexpr std::size_t written_front_bytes = 8 + 8 + 4 + 4;

/// How many bytes `encode_written` makes. `head`: what replaces the stored one, or nothing.
inline std::size_t written_size(operation_write const& what,
                                std::optional<operation_record> const& head) noexcept {
    auto size = written_front_bytes;
    if (head) size += 4 + encoded_size(*head);
    for (auto const& step : what.steps) size += 4 + encoded_size(step);
    return size;
}

/// Pre: `size == written_size(what, head)`, and at most `record_bytes_limit`.
inline std::string encode_written(operation_write const& what,
                                  std::optional<operation_record> const& head, std::size_t size) {
    auto bytes = std::string(size, '\0');
    auto to = byte_writer{bytes.data()};
    to.number(what.number);
    to.number(what.epoch);
    to.number((head ? written_head : 0U) | (what.drop_steps ? written_drops : 0U) |
              (what.release ? written_releases : 0U));
    to.number(static_cast<std::uint32_t>(what.steps.size()));
    if (head) {
        to.number(static_cast<std::uint32_t>(encoded_size(*head)));
        put_operation(to, *head);
    }
    for (auto const& step : what.steps) {
        to.number(static_cast<std::uint32_t>(encoded_size(step)));
        put_step(to, what.number, step);
    }
    return bytes;
}

}  // namespace recoup::inline v1::detail
