// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string_view>

namespace fault_server {

/// A part of a file, as [first, first + length).
struct byte_range {
    std::uint64_t first = 0;
    std::uint64_t length = 0;

    friend bool operator==(byte_range const&, byte_range const&) = default;
};

enum class range_kind : std::uint8_t {
    whole,          ///< no usable range was asked for: the whole file is the answer
    part,           ///< one range that the file has
    unsatisfiable,  ///< one range that begins behind the file's end: 416
};

struct range_asked {
    range_kind kind = range_kind::whole;
    byte_range range{};
};

/// Reads a `Range` header for a file of `size` bytes.
///
/// One range of bytes is understood: `bytes=a-b`, `bytes=a-` and `bytes=-n`. A header that is
/// malformed or asks for several ranges counts as none, as RFC 9110 section 14.2 allows.
[[nodiscard]] range_asked parse_range(std::string_view header, std::uint64_t size) noexcept;

}  // namespace fault_server
