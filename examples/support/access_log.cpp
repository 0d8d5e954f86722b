// SPDX-License-Identifier: BSL-1.0
#include "support/access_log.hpp"

#include "support/text_file.hpp"

#include <charconv>
#include <string_view>

#include <nlohmann/json.hpp>

namespace support {

std::string to_json_line(access const& entry) {
    return nlohmann::json{{"method", entry.method},         {"path", entry.path},
                          {"range", entry.range},           {"status", entry.status},
                          {"bytes_sent", entry.bytes_sent}, {"fault", entry.fault}}
               .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) +
           "\n";
}

std::vector<access> read_access_log(std::filesystem::path const& path) {
    std::string const text = read_text(path);
    std::vector<access> entries;
    std::string_view rest = text;
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        auto const line = nlohmann::json::parse(rest.substr(0, end));
        entries.push_back({.method = line.at("method").get<std::string>(),
                           .path = line.at("path").get<std::string>(),
                           .range = line.at("range").get<std::string>(),
                           .status = line.at("status").get<int>(),
                           .bytes_sent = line.at("bytes_sent").get<std::uint64_t>(),
                           .fault = line.value("fault", "none")});
        rest.remove_prefix(end + 1);
    }
    return entries;
}

std::uint64_t first_byte_asked(access const& entry) {
    constexpr std::string_view unit = "bytes=";
    std::string_view range = entry.range;
    if (!range.starts_with(unit)) return 0;
    range.remove_prefix(unit.size());
    std::uint64_t first = 0;
    std::from_chars(range.data(), range.data() + range.size(), first);
    return first;
}

}  // namespace support
