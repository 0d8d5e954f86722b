// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace inspect {

/// Rows under a head, each column as wide as its widest cell; where that is wider than `columns`, the
/// widest columns are cut first. 0: no limit. Every cell must be printable.
[[nodiscard]] std::string table_text(std::vector<std::string> const& head,
                                     std::vector<std::vector<std::string>> const& rows,
                                     std::size_t columns, std::size_t indent = 0);

}  // namespace inspect
