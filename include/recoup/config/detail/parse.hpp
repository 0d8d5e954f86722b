// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config/detail/place.hpp>
#include <recoup/config/problem.hpp>
#include <recoup/json.hpp>

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace recoup::inline v1::config {

/// The deepest nesting, and the most bytes, of a document.
inline constexpr int document_depth_max = 16;
inline constexpr std::size_t document_bytes_max = std::size_t{1} << 20U;

namespace detail {

/// Finds names that an object gives twice: of these JSON keeps one in silence.
class repeated_names {
  public:
    repeated_names(std::string_view path, std::vector<problem>& problems)
        : root_{std::string{path}, problems} {}

    void operator()(int /*depth*/, nlohmann::json::parse_event_t what,
                    nlohmann::json const& value) {
        using event = nlohmann::json::parse_event_t;
        if (what == event::object_start) open_.emplace_back();
        if (what == event::object_end && !open_.empty()) open_.pop_back();
        if (what != event::key || open_.empty()) return;
        auto& in = open_.back();
        in.current = value.get<std::string>();
        if (in.names.insert(in.current).second) return;
        auto at = root_;
        for (auto const& each : open_) at = at.child(each.current);
        at.say("is given twice");
    }

  private:
    struct object {
        std::set<std::string> names{};
        std::string current{};
    };
    place root_;
    std::vector<object> open_{};
};

inline std::optional<nlohmann::json> parse(std::string_view text, std::string_view path,
                                           std::vector<problem>& problems) {
    auto const at = place{std::string{path}, problems};
    if (text.size() > document_bytes_max) {
        at.say("has " + std::to_string(text.size()) + " bytes, expected at most " +
               std::to_string(document_bytes_max));
        return std::nullopt;
    }
    try {
        auto const limits = recoup::detail::json_limits{document_depth_max, document_bytes_max};
        auto parsed =
            recoup::detail::parse_bounded_json(text, limits, repeated_names{path, problems});
        if (!parsed)
            at.say("is nested deeper than " + std::to_string(document_depth_max) + " levels");
        return parsed;
    } catch (nlohmann::json::exception const& wrong) {
        auto where = std::string{"is no JSON: "};
        for (auto const* c = wrong.what(); *c != '\0' && where.size() < 300; ++c)
            where += *c >= ' ' && *c <= '~' ? *c : '?';
        at.say(std::move(where));
        return std::nullopt;
    }
}

}  // namespace detail

}  // namespace recoup::inline v1::config
