// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace launcher {

/// What `Content-Range: bytes 100-199/500` says: [first, last] of a file of `total` bytes.
struct content_range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::optional<std::uint64_t> total{};  ///< nothing where the server wrote '*'

    friend bool operator==(content_range const&, content_range const&) = default;
};

/// Reads the value of a `Content-Range` header; nothing where it is malformed or contradicts itself.
[[nodiscard]] std::optional<content_range> parse_content_range(std::string_view value) noexcept;

}  // namespace launcher
