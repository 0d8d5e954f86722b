// SPDX-License-Identifier: BSL-1.0
#include "fault_server/fault.hpp"

#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace fault_server {

namespace {

constexpr std::array<std::pair<fault, std::string_view>, 10> names{{
    {fault::none, "none"},
    {fault::reset, "reset"},
    {fault::stall, "stall"},
    {fault::truncate, "truncate"},
    {fault::unavailable, "unavailable"},
    {fault::not_found, "not-found"},
    {fault::wrong_bytes, "wrong-bytes"},
    {fault::wrong_range, "wrong-range"},
    {fault::wrong_size, "wrong-size"},
    {fault::redirect_loop, "redirect-loop"},
}};

// Paths come from whoever asks: what is remembered of them is bounded.
constexpr std::size_t paths_max = 10'000;

std::uint64_t mix(std::uint64_t z) noexcept {  // the finaliser of SplitMix64
    z += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
}

std::uint64_t hash(std::string_view text) noexcept {  // FNV-1a, the same on every platform
    std::uint64_t value = 0xcbf29ce484222325U;
    for (char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return value;
}

double fraction(std::uint64_t bits) noexcept { return static_cast<double>(bits >> 11U) * 0x1p-53; }

[[noreturn]] void reject(std::string_view text, std::string const& why) {
    throw std::invalid_argument("fault '" + std::string(text) + "': " + why);
}

}  // namespace

std::string_view to_string(fault kind) noexcept {
    for (auto const& [value, name] : names)
        if (value == kind) return name;
    return "none";
}

fault_rule parse_fault_rule(std::string_view text) {
    auto const equals = text.find('=');
    if (equals == std::string_view::npos) reject(text, "expected KIND=PROBABILITY[@PATH]");
    fault_rule rule;
    std::string_view const kind = text.substr(0, equals);
    for (auto const& [value, name] : names)
        if (name == kind) rule.kind = value;
    if (rule.kind == fault::none) reject(text, "there is no kind '" + std::string(kind) + "'");

    std::string_view const rest = text.substr(equals + 1);
    auto const at = rest.find('@');
    std::string_view const number = rest.substr(0, at);
    auto const [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), rule.probability);
    if (error != std::errc{} || end != number.data() + number.size() ||
        !(rule.probability >= 0 && rule.probability <= 1))
        reject(text, "a probability lies between 0 and 1");
    if (at != std::string_view::npos) {
        rule.path = rest.substr(at + 1);
        if (!rule.path.starts_with('/')) reject(text, "a path starts with '/'");
    }
    return rule;
}

fault_plan::fault_plan(std::uint64_t seed, std::vector<fault_rule> rules)
    : seed_(seed), rules_(std::move(rules)) {
    for (fault_rule const& chosen : rules_) {
        double sum = 0;
        for (fault_rule const& rule : rules_)
            if (rule.path.empty() || rule.path == chosen.path) sum += rule.probability;
        if (sum > 1 + 1e-9) throw std::invalid_argument("the probabilities of the faults exceed 1");
    }
}

injection fault_plan::next(std::string_view path) {
    auto known = requests_.find(path);
    if (known == requests_.end()) {
        if (requests_.size() >= paths_max) requests_.clear();
        known = requests_.emplace(path, 0).first;
    }
    std::uint64_t const bits = mix(mix(seed_ ^ hash(path)) + known->second++);
    double left = fraction(bits);
    for (fault_rule const& rule : rules_) {
        if (!rule.path.empty() && rule.path != path) continue;
        if (left < rule.probability) return {.kind = rule.kind, .where = fraction(mix(bits))};
        left -= rule.probability;
    }
    return {};
}

}  // namespace fault_server
