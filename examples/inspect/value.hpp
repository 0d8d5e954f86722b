// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace inspect {

// What a record keeps in an encoding of its own (core/encoding.hpp): a checkpoint, a result, the value of a
// step. It is input: the first byte tells the kind, and whatever does not fit that is shown as bytes.

/// The value on one line, for a table: `42`, `"text"`, `{"a":1}`, `3 bytes: 00ff10`.
[[nodiscard]] std::string value_line(std::string_view encoded);

/// The value on as many lines as it takes; of a long one the first `bytes_max` bytes.
[[nodiscard]] std::vector<std::string> value_lines(std::string_view encoded, std::size_t bytes_max);

/// `{"encoding": "integer" | "unsigned" | "real" | "text" | "bytes" | "json" | "none" | "unknown",
/// "bytes": size, "value": …, "truncated": whether value is not all of it}`.
[[nodiscard]] nlohmann::json value_json(std::string_view encoded, std::size_t bytes_max);

/// The arguments of an operation, each in its encoding; one that is the whole where it is not that.
[[nodiscard]] std::vector<std::string> arguments_of(std::string_view input);

/// The most bytes of a value that `show` prints, if not told otherwise.
inline constexpr std::size_t value_bytes_shown = 4096;

/// The most arguments that are told apart.
inline constexpr std::size_t arguments_max = 64;

}  // namespace inspect
