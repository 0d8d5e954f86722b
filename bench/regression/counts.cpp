// SPDX-License-Identifier: BSL-1.0
#include "regression/counts.hpp"

#include "regression/files.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace bench::regression {

namespace {

/// What follows `key` at the beginning of a line.
std::optional<std::string_view> after(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        auto const end = std::min(text.find('\n'), text.size());
        auto const line = text.substr(0, end);
        if (line.starts_with(key)) return line.substr(key.size());
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return std::nullopt;
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t found = 0;
    auto const* const end = text.data() + text.size();
    if (std::from_chars(text.data(), end, found) != std::from_chars_result{end, {}})
        return std::nullopt;
    return found;
}

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> found;
    while (!text.empty()) {
        auto const end = std::min(text.find(' '), text.size());
        if (end != 0) found.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return found;
}

}  // namespace

counts parse_counts(std::string_view text, std::string const& source) {
    auto const fail = [&](std::string const& wrong) {
        throw std::runtime_error{source + ": " + wrong};
    };
    auto const trigger = after(text, "desc: Trigger: ");
    if (!trigger) fail("there is no line 'desc: Trigger: '; expected a file of callgrind's");
    constexpr std::string_view request = "Client Request: ";
    if (!trigger->starts_with(request)) return {};
    // A path, the number of its calls, and the path that it is beside.
    auto const said = words(trigger->substr(request.size()));
    auto const calls = said.size() < 2 ? std::nullopt : whole_number(said[1]);
    if (!calls || *calls == 0 || said.size() > 3)
        fail("the trigger is '" + std::string{*trigger} +
             "'; expected a path, its calls and its twin");
    auto const total = after(text, "summary: ");
    auto const instructions = total ? whole_number(*total) : std::nullopt;
    if (!instructions)
        fail("there is no line 'summary: ' with one number; expected that of instructions");
    if (*instructions == 0) fail("no instruction was counted of " + std::string{said[0]});
    return {{.path = std::string{said[0]},
             .twin = said.size() == 3 ? std::string{said[2]} : std::string{},
             .instructions = static_cast<double>(*instructions) / static_cast<double>(*calls)}};
}

counts read_counts(std::string const& folder) {
    std::map<std::uint64_t, std::string> files;  // callgrind numbers them
    std::error_code failed;
    for (auto const& entry : std::filesystem::directory_iterator{folder, failed}) {
        auto const name = entry.path().filename().string();
        constexpr std::string_view prefix = "counts.";
        if (!name.starts_with(prefix)) continue;
        if (auto const number = whole_number(std::string_view{name}.substr(prefix.size())))
            files.emplace(*number, entry.path().string());
    }
    counts found;
    for (auto const& [number, file] : files)
        for (auto& one : parse_counts(read_file(file), file)) {
            if (std::any_of(found.begin(), found.end(),
                            [&](auto const& other) { return other.path == one.path; }))
                throw std::runtime_error{file + ": " + one.path + " was counted twice"};
            found.push_back(std::move(one));
        }
    if (found.empty())
        throw std::runtime_error{folder + ": there are no counts" +
                                 (failed ? " (" + failed.message() + ")" : "")};
    return found;
}

}  // namespace bench::regression
