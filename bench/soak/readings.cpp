// SPDX-License-Identifier: BSL-1.0
#include "soak/readings.hpp"

#include "support/statistics.hpp"

#include <recoup/config/duration_text.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <stdexcept>
#include <utility>

namespace soak {

namespace {

std::string text(char const* form, auto... values) {
    char shown[256];
    std::snprintf(shown, sizeof shown, form, values...);
    return shown;
}

double middle(std::span<interval const> of, auto const& get) {
    std::vector<double> values;
    for (auto const& one : of) values.push_back(static_cast<double>(get(one)));
    return bench::spread_of(values).median;
}

/// By how much, and how many times, the middle of a phase has grown from one third to the other: the
/// middle of all phases, since one alone may have met what else the machine does.
std::pair<double, double> drift(std::span<interval const> first, std::span<interval const> last,
                                auto const& get) {
    auto const by_phase = [&](std::span<interval const> of) {
        std::map<std::string, std::vector<double>> found;
        for (auto const& one : of)
            if (one.judged) found[one.phase].push_back(get(one));
        return found;
    };
    auto const before = by_phase(first);
    std::vector<double> differences;
    std::vector<double> ratios;
    for (auto const& [phase, values] : by_phase(last)) {
        auto const at = before.find(phase);
        if (at == before.end()) continue;
        auto const then = bench::spread_of(at->second).median;
        auto const now = bench::spread_of(values).median;
        differences.push_back(now - then);
        ratios.push_back(then > 0 ? now / then : 1);
    }
    return {bench::spread_of(differences).median, bench::spread_of(ratios).median};
}

}  // namespace

resources read_resources() {
    resources found;
    std::ifstream status{"/proc/self/status"};
    for (std::string line; std::getline(status, line);) {
        long long value = 0;
        if (std::sscanf(line.c_str(), "VmRSS: %lld kB", &value) == 1)
            found.resident_mib = static_cast<double>(value) / 1024;
        if (std::sscanf(line.c_str(), "Threads: %lld", &value) == 1) found.threads = value;
    }
    for (auto const& one : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        static_cast<void>(one);
        ++found.descriptors;
    }
    if (found.resident_mib <= 0 || found.threads == 0)
        throw std::runtime_error{"/proc/self/status does not say what this process takes"};
    return found;
}

std::vector<std::string> judge(std::vector<interval> const& seen, tolerance const& most) {
    std::vector<std::string> broken;
    for (auto const& one : seen) {
        if (!one.judged) continue;
        // Six deviations, and a few: one run in a billion is wrong by chance.
        auto const bound = one.expected_to_fail + 6 * std::sqrt(one.expected_to_fail) + 3;
        if (static_cast<double>(one.failed) > bound)
            broken.push_back(text("%s: %llu of %llu operations failed, the arithmetic allows %.0f",
                                  one.phase.c_str(), static_cast<unsigned long long>(one.failed),
                                  static_cast<unsigned long long>(one.operations), bound));
        if (one.operations == 0)
            broken.push_back(text("%s: no operation came to its end", one.phase.c_str()));
    }
    if (seen.size() < intervals_min) {
        broken.push_back(text("there were %zu intervals, and %zu are needed to see a drift",
                              seen.size(), intervals_min));
        return broken;
    }
    auto const all = std::span{seen};
    auto const first = all.first(seen.size() / 3);
    auto const last = all.last(seen.size() / 3);
    auto const grown = [&](char const* what, double allowed, char const* unit, auto const& get) {
        auto const before = middle(first, get);
        auto const after = middle(last, get);
        if (after - before > allowed)
            broken.push_back(
                text("%s grew from %.1f to %.1f%s between the first third and the "
                     "last; at most %.1f more were expected",
                     what, before, after, unit, allowed));
    };
    auto const resident = [](interval const& one) { return one.after.resident_mib; };
    grown("resident memory",
          std::max(most.resident_mib, most.resident_share * middle(first, resident)), " MiB",
          resident);
    grown("open descriptors", static_cast<double>(most.descriptors), "",
          [](interval const& one) { return one.after.descriptors; });
    grown("threads", static_cast<double>(most.threads), "",
          [](interval const& one) { return one.after.threads; });
    auto const slower = [&](char const* what, double ratio, double apart, auto const& get) {
        auto const [by, times] = drift(first, last, get);
        if (by > apart && times > ratio)
            broken.push_back(
                text("%s of equal work drifted by %.0f us, %.2f times, between the "
                     "first third and the last; at most %.2f times was expected",
                     what, by, times, ratio));
    };
    slower("the median latency", most.p50_ratio, most.p50_us,
           [](interval const& one) { return one.p50_us; });
    slower("the 99th percentile of the latency", most.p99_ratio, most.p99_us,
           [](interval const& one) { return one.p99_us; });
    return broken;
}

std::optional<double> read_seconds(std::string written) {
    if (written.ends_with('m')) written += "in";
    auto const span = recoup::config::parse_duration(written);
    if (!span || *span == recoup::unlimited) return std::nullopt;
    return std::chrono::duration<double>{*span}.count();
}

}  // namespace soak
