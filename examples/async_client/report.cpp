// SPDX-License-Identifier: BSL-1.0
#include "async_client/report.hpp"

#include <array>
#include <cstdio>

namespace async_client {

namespace {

template <class... Values>
std::string formatted(char const* format, Values... values) {
    std::array<char, 300> text{};
    std::snprintf(text.data(), text.size(), format, values...);
    return text.data();
}

std::string joined(std::map<std::string, std::uint64_t> const& counts) {
    std::string text;
    for (auto const& [name, count] : counts)
        text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + name;
    return text.empty() ? "none" : text;
}

void require_failures(phase const& one, std::string const& category,
                      std::vector<std::string>& into) {
    if (!one.failures.contains(category))
        into.push_back("while the server was " + one.name + ", no attempt failed as " + category);
}

}  // namespace

std::string report(scenario_result const& result) {
    std::string text =
        formatted("%-8s %9s %14s  %s\n", "server", "answered", "back after", "failed attempts");
    for (auto const& one : result.phases)
        text +=
            formatted("%-8s %9llu %11lld ms  %s\n", one.name.c_str(),
                      static_cast<unsigned long long>(one.answered),
                      static_cast<long long>(one.back_after.count()), joined(one.failures).c_str());
    text += formatted(
        "requests that failed: %llu, answered wrongly: %llu; the longest took %lld ms; at most %u "
        "attempts at a time\n",
        static_cast<unsigned long long>(result.failed),
        static_cast<unsigned long long>(result.wrong),
        static_cast<long long>(result.longest.count()), result.most_at_once);
    return text;
}

std::vector<std::string> flaws(scenario_result const& result) {
    std::vector<std::string> found;
    if (result.failed != 0)
        found.push_back(std::to_string(result.failed) +
                        " requests failed, the first one with: " + result.first_failure);
    if (result.wrong != 0)
        found.push_back(std::to_string(result.wrong) + " requests were answered wrongly");
    if (result.most_at_once > result.at_once)
        found.push_back(std::to_string(result.most_at_once) + " attempts ran at a time, of " +
                        std::to_string(result.at_once) + " that the bulkhead admits");
    for (auto const& one : result.phases) {
        if (one.name == "killed") require_failures(one, "network_connection", found);
        if (one.name == "frozen") require_failures(one, "network_timeout", found);
    }
    return found;
}

}  // namespace async_client
