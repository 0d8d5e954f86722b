// SPDX-License-Identifier: BSL-1.0
#include "fault_server/byte_range.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace fault_server {

namespace {

std::optional<std::uint64_t> number(std::string_view digits) noexcept {
    std::uint64_t value = 0;
    auto const* const last = digits.data() + digits.size();
    auto const [end, error] = std::from_chars(digits.data(), last, value);
    if (error != std::errc{} || end != last) return std::nullopt;
    return value;
}

}  // namespace

range_asked parse_range(std::string_view header, std::uint64_t size) noexcept {
    constexpr range_kind part = range_kind::part;
    range_asked const whole{.kind = range_kind::whole, .range = {.first = 0, .length = size}};
    constexpr std::string_view unit = "bytes=";
    if (!header.starts_with(unit)) return whole;
    header.remove_prefix(unit.size());
    auto const dash = header.find('-');
    if (dash == std::string_view::npos) return whole;

    auto const first = number(header.substr(0, dash));
    auto const last = number(header.substr(dash + 1));
    if (dash == 0) {  // the last n bytes
        if (!last) return whole;
        if (*last == 0 || size == 0) return {.kind = range_kind::unsatisfiable};
        std::uint64_t const length = std::min(*last, size);
        return {.kind = part, .range = {.first = size - length, .length = length}};
    }
    bool const open_end = dash + 1 == header.size();
    if (!first || (!last && !open_end) || (last && *last < *first)) return whole;
    if (*first >= size) return {.kind = range_kind::unsatisfiable};
    std::uint64_t const end = last ? std::min(*last, size - 1) : size - 1;
    return {.kind = part, .range = {.first = *first, .length = end - *first + 1}};
}

}  // namespace fault_server
