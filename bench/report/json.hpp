// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <nlohmann/json.hpp>

#include <cmath>
#include <initializer_list>
#include <optional>
#include <string>

namespace bench::report_page {

using json = nlohmann::ordered_json;

/// What is found by going down `path`; null where it ends before.
inline json const& at(json const& from, std::initializer_list<char const*> path) {
    static json const nothing;
    auto const* found = &from;
    for (auto const* name : path) {
        if (!found->is_object()) return nothing;
        auto const next = found->find(name);
        if (next == found->end()) return nothing;
        found = &*next;
    }
    return *found;
}

/// A number that can be drawn: finite, and not so large that the next decade is not.
inline std::optional<double> number(json const& value) {
    if (!value.is_number()) return std::nullopt;
    auto const found = value.get<double>();
    constexpr auto most = 1e18;
    return std::isfinite(found) && std::abs(found) < most ? std::optional{found} : std::nullopt;
}

inline std::string text_of(json const& value, char const* otherwise = "") {
    return value.is_string() ? value.get<std::string>() : otherwise;
}

}  // namespace bench::report_page
