// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/encoding.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

/// Keeps every type that has `to_json` and `from_json` in records.
///
/// What is read back is input: its depth and size are bounded before anything is built of it.

namespace recoup::inline v1 {

/// The deepest nesting that a recorded value may have.
inline constexpr int json_depth_max = 64;

/// The most bytes that a recorded value may have.
inline constexpr std::size_t json_bytes_max = std::size_t{16} << 20U;

namespace detail {

/// How much JSON is built at the most.
struct json_limits {
    int depth_max = json_depth_max;
    std::size_t bytes_max = json_bytes_max;
};

/// Parses JSON of bounded depth and size; nothing where it is deeper or longer.
///
/// `see(depth, event, value)` is told what is met on the way, as nlohmann's callback is.
/// Throws: nlohmann::json::exception where it is not JSON, or holds a number that no double can.
template <class See>
std::optional<nlohmann::json> parse_bounded_json(std::string_view text, json_limits limits,
                                                 See&& see) {
    if (text.size() > limits.bytes_max) return std::nullopt;
    auto too_deep = false;
    auto const bounded = [&](int depth, nlohmann::json::parse_event_t what, nlohmann::json& value) {
        using event = nlohmann::json::parse_event_t;
        auto const opens = what == event::array_start || what == event::object_start;
        if (opens && depth >= limits.depth_max)
            too_deep = true;  // `depth` is that of what it is in
        if (!too_deep) see(depth, what, value);
        return !too_deep;  // what is cut off here is never built, so that nothing recurses into it
    };
    auto parsed = nlohmann::json::parse(text, bounded);
    if (too_deep || parsed.is_discarded()) return std::nullopt;
    return parsed;
}

/// The same; nothing where it is not JSON, too.
inline std::optional<nlohmann::json> parse_bounded_json(std::string_view text) {
    try {
        return parse_bounded_json(text, json_limits{}, [](auto const&...) {});
    } catch (nlohmann::json::exception const&) {
        return std::nullopt;
    }
}

template <class T>
concept has_json = requires(T const& value, nlohmann::json& made, nlohmann::json const& read) {
    made = value;
    { read.template get<T>() } -> std::same_as<T>;
};

template <class T>
concept has_own_encoding =
    std::integral<T> || std::is_enum_v<T> || std::floating_point<T> || textual<T>;

template <class T>
inline constexpr bool is_bytes = false;
template <byte_like Byte>
inline constexpr bool is_bytes<std::vector<Byte>> = true;

}  // namespace detail

template <class T>
    requires(!detail::has_own_encoding<T> && !detail::is_bytes<T> && !detail::is_secret<T>::value &&
             detail::has_json<T>)
struct encoding<T> {
    /// Throws: nlohmann::json::exception where a text in the value is not UTF-8.
    static std::string encode(T const& value) {
        nlohmann::json made = value;
        return static_cast<char>(detail::encoding_tag::json) + made.dump();
    }
    static std::optional<T> decode(std::string_view in) {
        if (in.empty() || in[0] != static_cast<char>(detail::encoding_tag::json))
            return std::nullopt;
        auto const parsed = detail::parse_bounded_json(in.substr(1));
        if (!parsed) return std::nullopt;
        try {
            return parsed->template get<T>();
        } catch (nlohmann::json::exception const&) {
            return std::nullopt;  // JSON, but not of this type
        }
    }
};

}  // namespace recoup::inline v1
