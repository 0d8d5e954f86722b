// SPDX-License-Identifier: BSL-1.0
#include "inspect/text.hpp"

#include <recoup/core/identity.hpp>
#include <recoup/core/redact.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace inspect {

namespace {

struct range {
    char32_t first;
    char32_t last;
};

constexpr std::array<range, 24> without_width{
    {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x05BF, 0x05C7},  {0x0610, 0x061A},
     {0x064B, 0x065F}, {0x0670, 0x0670}, {0x06D6, 0x06ED}, {0x0711, 0x0711},  {0x0730, 0x074A},
     {0x0900, 0x0902}, {0x093A, 0x093C}, {0x0941, 0x094D}, {0x0E31, 0x0E31},  {0x0E34, 0x0E3A},
     {0x0E47, 0x0E4E}, {0x1160, 0x11FF}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},  {0x200B, 0x200F},
     {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF}}};

constexpr std::array<range, 17> of_two_columns{{{0x1100, 0x115F},
                                                {0x231A, 0x231B},
                                                {0x2E80, 0x303E},
                                                {0x3041, 0x33FF},
                                                {0x3400, 0x4DBF},
                                                {0x4E00, 0x9FFF},
                                                {0xA000, 0xA4CF},
                                                {0xA960, 0xA97C},
                                                {0xAC00, 0xD7A3},
                                                {0xF900, 0xFAFF},
                                                {0xFE30, 0xFE6F},
                                                {0xFF01, 0xFF60},
                                                {0xFFE0, 0xFFE6},
                                                {0x1F300, 0x1F64F},
                                                {0x1F680, 0x1F6FF},
                                                {0x1F900, 0x1FAFF},
                                                {0x20000, 0x3FFFD}}};

template <std::size_t Count>
bool is_in(std::array<range, Count> const& ranges, char32_t point) noexcept {
    auto const at = std::lower_bound(ranges.begin(), ranges.end(), point,
                                     [](range one, char32_t value) { return one.last < value; });
    return at != ranges.end() && at->first <= point;
}

char32_t point_of(std::string_view sequence) noexcept {
    auto const lead = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1) return lead;
    auto point = static_cast<char32_t>(lead & (0x7FU >> sequence.size()));
    for (auto const byte : sequence.substr(1))
        point = point << 6U | (static_cast<unsigned char>(byte) & 0x3FU);
    return point;
}

/// The character at the front of `text`, and how wide it is; what is not UTF-8 counts byte by byte.
std::size_t front_columns(std::string_view text, std::size_t& bytes) noexcept {
    bytes = recoup::detail::utf8_sequence(text);
    if (bytes == 0) {
        bytes = 1;
        return 1;
    }
    auto const point = point_of(text.substr(0, bytes));
    if (is_in(without_width, point)) return 0;
    return is_in(of_two_columns, point) ? 2 : 1;
}

}  // namespace

std::string printable(std::string_view text) { return recoup::escape(recoup::redact(text)); }

std::size_t columns_of(std::string_view text) noexcept {
    std::size_t columns = 0;
    for (std::size_t bytes = 0; !text.empty(); text.remove_prefix(bytes))
        columns += front_columns(text, bytes);
    return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
    if (columns_of(text) <= columns) return std::string{text};
    if (columns == 0) return {};
    std::size_t used = 0;
    std::size_t kept = 0;
    for (std::size_t bytes = 0; kept < text.size(); kept += bytes) {
        auto const wide = front_columns(text.substr(kept), bytes);
        if (used + wide > columns - 1) break;
        used += wide;
    }
    return std::string{text.substr(0, kept)} + "…";
}

std::string padded(std::string_view text, std::size_t columns) {
    auto const used = columns_of(text);
    return std::string{text} + std::string(columns > used ? columns - used : 0, ' ');
}

std::string counted(std::size_t count, std::string_view what) {
    auto const entry = what.ends_with('y');
    return std::to_string(count) + " " +
           std::string{count != 1 && entry ? what.substr(0, what.size() - 1) : what} +
           (count == 1 ? ""
            : entry    ? "ies"
                       : "s");
}

std::string bytes_text(std::size_t bytes) {
    if (bytes < 1024) return std::to_string(bytes) + " B";
    auto value = static_cast<double>(bytes) / 1024;
    std::array<char const*, 3> const units{"KiB", "MiB", "GiB"};
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 != units.size(); ++unit) value /= 1024;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f %s", value, units[unit]);
    return text.data();
}

}  // namespace inspect
