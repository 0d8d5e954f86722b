// SPDX-License-Identifier: BSL-1.0
#include "launcher_demo/report.hpp"

#include <array>
#include <cstdio>

namespace demo {

namespace {

constexpr std::uint64_t checkpoint_bytes = 1024 * 1024;  // the launcher's default

std::string joined(std::map<std::string, std::uint32_t> const& counts) {
    std::string text;
    for (auto const& [name, count] : counts)
        text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + name;
    return text.empty() ? "none" : text;
}

std::string resumption(file_result const& file) {
    if (file.finished_before_kill) return "was finished";
    return file.resumed_at ? std::to_string(*file.resumed_at) : "-";
}

template <class... Values>
std::string formatted(char const* format, Values... values) {
    std::array<char, 400> text{};
    std::snprintf(text.data(), text.size(), format, values...);
    return text.data();
}

double megabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

}  // namespace

std::string report(scenario_result const& result) {
    std::string text =
        formatted("%-26s %9s %11s %12s %13s %8s %13s  %s\n", "model", "size MB", "fetched MB",
                  "damaged MB", "twice MB", "attempts", "resumed at", "SHA-256");
    for (file_result const& file : result.files)
        text += formatted(
            "%-26s %9.2f %11.2f %12.2f %6.2f (%3.1f %%) %8u %13s  %s\n", file.model.name.c_str(),
            megabytes(file.model.size), megabytes(file.bytes_fetched),
            megabytes(file.model.size * file.mismatches), megabytes(file.fetched_twice()),
            100 * static_cast<double>(file.fetched_twice()) / static_cast<double>(file.model.size),
            file.attempts, resumption(file).c_str(), file.checksum_right ? "right" : "WRONG");
    text += "\nfailed attempts by category\n";
    for (file_result const& file : result.files)
        text += formatted("    %-26s %s\n", file.model.name.c_str(), joined(file.failures).c_str());
    text += "faults that the mirrors injected\n    " + joined(result.faults_injected) + "\n";
    text += formatted("time: %.1f s until the kill, %.1f s after it, %.1f s in all\n",
                      result.before_kill.count(), result.after_kill.count(),
                      result.before_kill.count() + result.after_kill.count());
    return text;
}

std::vector<std::string> flaws(scenario_result const& result) {
    std::vector<std::string> found;
    if (result.exit_code != 0)
        found.push_back("the resumed launcher ended with exit code " +
                        std::to_string(result.exit_code));
    bool continued = false;
    for (file_result const& file : result.files) {
        std::string const& name = file.model.name;
        if (!file.checksum_right) found.push_back(name + " has a wrong checksum or is missing");
        // Less than two checkpoint intervals may not have seen a checkpoint yet.
        if (file.finished_before_kill || file.part_at_kill < 2 * checkpoint_bytes) continue;
        if (!file.resumed_at || *file.resumed_at == 0 || !file.resumption_seen)
            found.push_back(name + " had " + std::to_string(file.part_at_kill) +
                            " bytes at the kill and started over");
        else
            continued = true;
    }
    if (!continued) found.push_back("no file was unfinished at the kill and continued after it");
    return found;
}

}  // namespace demo
