// SPDX-License-Identifier: BSL-1.0
#include "launcher/safe_path.hpp"

#include "launcher/errc.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace launcher {

namespace {

constexpr std::size_t component_bytes_max = 200;  // leaves room for ".part" below NAME_MAX
constexpr std::size_t components_max = 16;
constexpr std::size_t printed_bytes_max = 120;

bool is_control(char c) noexcept {
    auto const byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

char const* flaw_of(std::string_view component) noexcept {
    if (component.empty()) return "has an empty component";
    if (component == "." || component == "..") return "would leave its folder";
    if (component.size() > component_bytes_max) return "has a component above 200 bytes";
    if (component.find(':') != std::string_view::npos) return "contains a colon";
    if (component.ends_with(".part")) return "ends in .part, which is kept for unfinished files";
    return nullptr;
}

}  // namespace

std::string printable(std::string_view text) {
    std::string shown;
    for (char c : text.substr(0, printed_bytes_max)) {
        if (!is_control(c)) {
            shown += c;
            continue;
        }
        std::array<char, 8> escaped{};
        std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned char>(c));
        shown += escaped.data();
    }
    if (text.size() > printed_bytes_max) shown += "...";
    return shown;
}

std::filesystem::path safe_relative_path(std::string_view name, std::string const& whose) {
    auto const reject = [&](char const* flaw) {
        throw problem(errc::unsafe_path, whose + " '" + printable(name) + "' " + flaw);
    };
    if (std::any_of(name.begin(), name.end(), is_control)) reject("has a control character");
    std::string slashed{name};
    std::replace(slashed.begin(), slashed.end(), '\\', '/');
    if (slashed.starts_with('/')) reject("is an absolute path");

    std::filesystem::path path;
    std::string_view rest = slashed;
    for (std::size_t count = 1;; ++count) {
        if (count > components_max) reject("has more than 16 components");
        auto const slash = rest.find('/');
        std::string_view const component = rest.substr(0, slash);
        if (char const* const flaw = flaw_of(component)) reject(flaw);
        path /= component;
        if (slash == std::string_view::npos) return path;
        rest.remove_prefix(slash + 1);
    }
}

}  // namespace launcher
