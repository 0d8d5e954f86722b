// SPDX-License-Identifier: BSL-1.0
#include "inspect/value.hpp"

#include "inspect/text.hpp"

#include <recoup/core/encoding.hpp>
#include <recoup/core/redact.hpp>
#include <recoup/core/secrecy.hpp>
#include <recoup/json.hpp>
#include <recoup/store/detail/bytes.hpp>

#include <cstdint>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

namespace inspect {

namespace {

using nlohmann::json;
using recoup::detail::encoding_tag;

/// On one line of a table no more than this is of use.
constexpr std::size_t line_bytes_max = 256;

/// A value as far as it can be told: what kind, and the value as JSON without the secrets in it.
struct decoded {
    char const* encoding = "unknown";
    json value{};
    bool truncated = false;
};

/// The same value with each secret in it that can be told replaced. Its depth was bounded by the parser.
json without_secrets(json const& value) {
    if (value.is_string()) return recoup::redact(value.get_ref<std::string const&>());
    if (value.is_array()) {
        auto clean = json::array();
        for (auto const& each : value) clean.push_back(without_secrets(each));
        return clean;
    }
    if (!value.is_object()) return value;
    auto clean = json::object();
    for (auto const& [name, each] : value.items()) {
        auto const secret = recoup::detail::secrecy_of(name) != recoup::detail::secrecy::none &&
                            !each.is_null() && !each.is_boolean();
        clean[recoup::redact(name)] = secret ? json("***") : without_secrets(each);
    }
    return clean;
}

std::string hexadecimal(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (auto const letter : bytes) {
        auto const byte = static_cast<unsigned char>(letter);
        text += digits[byte >> 4U];
        text += digits[byte & 0x0FU];
    }
    return text;
}

decoded text_of(std::string_view text, std::size_t bytes_max) {
    return {"text", recoup::redacted_prefix(text, bytes_max), text.size() > bytes_max};
}

decoded bytes_of(char const* encoding, std::string_view bytes, std::size_t bytes_max) {
    return {encoding, hexadecimal(bytes.substr(0, bytes_max / 2)), bytes.size() > bytes_max / 2};
}

/// Nothing where it is no JSON, or deeper than can be borne.
std::optional<decoded> json_of(std::string_view text, std::size_t bytes_max) {
    // What is too long to be shown is not built either.
    if (text.size() > bytes_max)
        return decoded{"json", recoup::redacted_prefix(text, bytes_max), true};
    auto parsed = recoup::detail::parse_bounded_json(text);
    if (!parsed) return std::nullopt;
    return decoded{"json", without_secrets(*parsed)};
}

decoded decode(std::string_view encoded, std::size_t bytes_max) {
    if (encoded.empty()) return {"none"};
    auto const body = encoded.substr(1);
    switch (static_cast<encoding_tag>(encoded[0])) {
        case encoding_tag::none:
            if (body.empty()) return {"none"};
            break;
        case encoding_tag::sint:
            if (auto const word = recoup::detail::decode_word(encoding_tag::sint, encoded))
                return {"integer", static_cast<std::int64_t>(*word)};
            break;
        case encoding_tag::uint:
            if (auto const word = recoup::detail::decode_word(encoding_tag::uint, encoded))
                return {"unsigned", *word};
            break;
        case encoding_tag::real:
            if (auto const real = recoup::encoding<double>::decode(encoded)) return {"real", *real};
            break;
        case encoding_tag::text: return text_of(body, bytes_max);
        case encoding_tag::bytes: return bytes_of("bytes", body, bytes_max);
        case encoding_tag::json:
            if (auto read = json_of(body, bytes_max)) return *std::move(read);
            break;
    }
    return bytes_of("unknown", encoded, bytes_max);
}

std::string dumped(json const& value, int indent) {
    return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

bool is_bytes(decoded const& value) {
    return std::string_view{value.encoding} == "bytes" ||
           std::string_view{value.encoding} == "unknown";
}

std::string bytes_line(decoded const& value, std::size_t size) {
    auto line = counted(size, "byte");
    if (std::string_view{value.encoding} == "unknown") line += " in no known encoding";
    return line + (size == 0 ? "" : ": " + value.value.get<std::string>());
}

}  // namespace

std::string value_line(std::string_view encoded) {
    auto const value = decode(encoded, line_bytes_max);
    std::string line;
    if (value.value.is_null() && std::string_view{value.encoding} == "none")
        line = "nothing";
    else if (is_bytes(value))
        line = bytes_line(value, encoded.size() - (*value.encoding == 'b' ? 1 : 0));
    else if (std::string_view{value.encoding} == "text")
        line = '"' + recoup::escape(value.value.get<std::string>()) + '"';
    else if (value.truncated)
        line = recoup::escape(value.value.get<std::string>());
    else
        line = recoup::escape(dumped(value.value, -1));
    return value.truncated ? line + "… (" + bytes_text(encoded.size() - 1) + ")" : line;
}

std::vector<std::string> value_lines(std::string_view encoded, std::size_t bytes_max) {
    auto const value = decode(encoded, bytes_max);
    if (std::string_view{value.encoding} != "json" && std::string_view{value.encoding} != "text") {
        auto line = is_bytes(value)
                        ? bytes_line(value, encoded.size() - (*value.encoding == 'b' ? 1 : 0))
                    : std::string_view{value.encoding} == "none" ? "nothing"
                                                                 : dumped(value.value, -1);
        return {value.truncated ? line + "…" : line};
    }
    auto const text = value.value.is_string() && (value.truncated || *value.encoding == 't')
                          ? value.value.get<std::string>()
                          : dumped(value.value, 2);
    std::vector<std::string> lines;
    for (std::size_t from = 0; from <= text.size();) {
        auto const end = std::min(text.find('\n', from), text.size());
        lines.push_back(recoup::escape(std::string_view{text}.substr(from, end - from)));
        from = end + 1;
    }
    if (*value.encoding == 't') {
        lines.front().insert(0, "\"");
        lines.back() += '"';
    }
    if (value.truncated)
        lines.push_back("… " + bytes_text(encoded.size() - 1) + " in all; see --value-bytes");
    return lines;
}

json value_json(std::string_view encoded, std::size_t bytes_max) {
    auto value = decode(encoded, bytes_max);
    return {{"encoding", value.encoding},
            {"bytes", encoded.size()},
            {"value", std::move(value.value)},
            {"truncated", value.truncated}};
}

std::vector<std::string> arguments_of(std::string_view input) {
    recoup::detail::byte_reader from{input};
    auto const count = from.number<std::uint32_t>();
    std::vector<std::string> arguments;
    for (std::uint32_t i = 0; i != count && i != arguments_max && from.wrong() == nullptr; ++i)
        arguments.emplace_back(from.text(input.size(), "an argument is cut"));
    if (from.wrong() != nullptr || !from.at_end()) return {std::string{input}};
    return arguments;
}

}  // namespace inspect
