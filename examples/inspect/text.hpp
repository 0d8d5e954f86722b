// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace inspect {

/// `text`, which may be anything, on one line, without secrets that can be told, and safe for a terminal.
[[nodiscard]] std::string printable(std::string_view text);

/// How many columns of a terminal `text` takes: wide characters two, combining ones none.
///
/// Source: the East Asian widths and combining classes of Unicode 15, in ranges.
[[nodiscard]] std::size_t columns_of(std::string_view text) noexcept;

/// `text` with at most `columns` columns, not cut within a character; what is cut ends in `…`.
[[nodiscard]] std::string cut(std::string_view text, std::size_t columns);

/// `text` with spaces behind it up to `columns`.
[[nodiscard]] std::string padded(std::string_view text, std::size_t columns);

/// `2 steps`, `1 step`.
[[nodiscard]] std::string counted(std::size_t count, std::string_view what);

/// `12 B`, `3.4 KiB`.
[[nodiscard]] std::string bytes_text(std::size_t bytes);

}  // namespace inspect
