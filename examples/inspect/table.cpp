// SPDX-License-Identifier: BSL-1.0
#include "inspect/table.hpp"

#include "inspect/text.hpp"

#include <algorithm>
#include <numeric>

namespace inspect {

namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t column_min = 6;

/// The widths at which the row fits into `columns`: the widest column gives first.
void fit(std::vector<std::size_t>& widths, std::size_t columns) {
    auto total = std::accumulate(widths.begin(), widths.end(), gap * (widths.size() - 1));
    while (total > columns) {
        auto const widest = std::max_element(widths.begin(), widths.end());
        if (*widest <= column_min) return;
        --*widest;
        --total;
    }
}

std::string row_text(std::vector<std::string> const& cells, std::vector<std::size_t> const& widths,
                     std::size_t indent) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i != cells.size(); ++i)
        line += padded(cut(cells[i], widths[i]), widths[i]) + std::string(gap, ' ');
    return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace

std::string table_text(std::vector<std::string> const& head,
                       std::vector<std::vector<std::string>> const& rows, std::size_t columns,
                       std::size_t indent) {
    std::vector<std::size_t> widths;
    for (auto const& cell : head) widths.push_back(columns_of(cell));
    for (auto const& row : rows)
        for (std::size_t i = 0; i != row.size(); ++i)
            widths[i] = std::max(widths[i], columns_of(row[i]));
    if (columns != 0) fit(widths, columns > indent ? columns - indent : 0);
    auto text = row_text(head, widths, indent);
    for (auto const& row : rows) text += row_text(row, widths, indent);
    return text;
}

}  // namespace inspect
