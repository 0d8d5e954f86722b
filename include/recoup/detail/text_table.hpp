// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Lines of cells, the first to the left and the others to the right.
class text_table {
  public:
    void add(std::vector<std::string> line) { lines_.push_back(std::move(line)); }

    [[nodiscard]] std::string text() const {
        std::vector<std::size_t> widths;
        for (auto const& line : lines_) {
            widths.resize(std::max(widths.size(), line.size()));
            for (std::size_t i = 0; i != line.size(); ++i)
                widths[i] = std::max(widths[i], width(line[i]));
        }
        std::string all;
        for (auto const& line : lines_) {
            for (std::size_t i = 0; i != line.size(); ++i) {
                auto const gap = std::string(widths[i] - width(line[i]), ' ');
                if (i != 0) all += "  ";
                all += i == 0 ? line[i] + gap : gap + line[i];
            }
            all += '\n';
        }
        return all;
    }

  private:
    /// Letters, not bytes: the rest of a character in UTF-8 is 10xxxxxx.
    static std::size_t width(std::string const& cell) {
        return static_cast<std::size_t>(std::count_if(cell.begin(), cell.end(), [](char letter) {
            return (static_cast<unsigned char>(letter) & 0xC0U) != 0x80U;
        }));
    }

    std::vector<std::vector<std::string>> lines_;
};

}  // namespace recoup::inline v1::detail
