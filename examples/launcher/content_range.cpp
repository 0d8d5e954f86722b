// SPDX-License-Identifier: BSL-1.0
#include "launcher/content_range.hpp"

#include <charconv>

namespace launcher {

namespace {

/// Takes the digits at the front of `text`; nothing where there are none, or too many.
std::optional<std::uint64_t> take_number(std::string_view& text) noexcept {
    std::uint64_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

bool take(std::string_view& text, std::string_view prefix) noexcept {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

}  // namespace

std::optional<content_range> parse_content_range(std::string_view value) noexcept {
    if (!take(value, "bytes ")) return std::nullopt;
    auto const first = take_number(value);
    if (!first || !take(value, "-")) return std::nullopt;
    auto const last = take_number(value);
    if (!last || !take(value, "/")) return std::nullopt;
    content_range range{.first = *first, .last = *last};
    if (!take(value, "*")) {
        range.total = take_number(value);
        if (!range.total || range.last >= *range.total) return std::nullopt;
    }
    if (!value.empty() || range.last < range.first) return std::nullopt;
    return range;
}

}  // namespace launcher
