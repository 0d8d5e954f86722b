// SPDX-License-Identifier: BSL-1.0
#include "regression/baseline.hpp"

#include "regression/figures.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace bench::regression {

namespace {

using json = nlohmann::ordered_json;

constexpr auto schema_version = 1;

/// An object of the file, and where it is.
class fields {
  public:
    fields(json const& of, std::string where) : of_{of}, where_{std::move(where)} {
        if (!of.is_object()) fail(where_.empty() ? "the whole" : where_, of, "an object");
    }

    [[nodiscard]] fields object(std::string const& name) const {
        return {at(name, "an object"), path(name)};
    }

    /// Finite and not below 0.
    [[nodiscard]] double number(std::string const& name) const {
        auto const& found = at(name, "a number");
        if (!found.is_number() || !std::isfinite(found.get<double>()) || found.get<double>() < 0)
            fail(path(name), found, "a number of 0 or more");
        return found.get<double>();
    }

    void expect_no_more_than(std::vector<std::string> const& known) const {
        for (auto const& [name, value] : of_.items())
            if (std::find(known.begin(), known.end(), name) == known.end())
                throw std::runtime_error{path(name) +
                                         " is not known; expected one of: " + joined(known)};
    }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (auto const& [name, value] : of_.items()) found.push_back(name);
        return found;
    }

  private:
    [[nodiscard]] json const& at(std::string const& name, char const* expected) const {
        auto const found = of_.find(name);
        if (found == of_.end())
            throw std::runtime_error{path(name) + " is missing; expected " + expected};
        return *found;
    }

    /// Names of toolchains have dots, and those of paths slashes.
    [[nodiscard]] std::string path(std::string const& name) const {
        auto const plain = name.find_first_of(" ./") == std::string::npos;
        if (plain) return where_.empty() ? name : where_ + '.' + name;
        return where_ + "[\"" + name + "\"]";
    }

    [[noreturn]] static void fail(std::string const& path, json const& is, char const* expected) {
        throw std::runtime_error{path + " is " + is.dump() + "; expected " + expected};
    }

    static std::string joined(std::vector<std::string> const& names) {
        std::string made;
        for (auto const& one : names) made += (made.empty() ? "" : ", ") + one;
        return made;
    }

    json const& of_;
    std::string where_;
};

tolerance tolerance_of(fields const& from) {
    from.expect_no_more_than({"percent", "instructions", "ratio_percent", "other_ratio_percent"});
    return {.percent = from.number("percent"),
            .instructions = from.number("instructions"),
            .ratio_percent = from.number("ratio_percent"),
            .other_ratio_percent = from.number("other_ratio_percent")};
}

baseline baseline_of(fields const& from) {
    from.expect_no_more_than({"schema_version", "tolerance", "instructions_per_call"});
    if (auto const version = from.number("schema_version"); version != schema_version)
        throw std::runtime_error{"schema_version is " + shown(version) + "; expected " +
                                 std::to_string(schema_version)};
    baseline made{.allowed = tolerance_of(from.object("tolerance"))};
    auto const toolchains = from.object("instructions_per_call");
    for (auto const& toolchain : toolchains.names()) {
        auto const paths = toolchains.object(toolchain);
        toolchain_counts one{.toolchain = toolchain};
        for (auto const& path : paths.names())
            one.instructions.emplace_back(path, paths.number(path));
        made.toolchains.push_back(std::move(one));
    }
    return made;
}

double rounded(double instructions) { return std::round(instructions * 100) / 100; }

}  // namespace

std::optional<double> toolchain_counts::find(std::string_view path) const {
    for (auto const& [name, count] : instructions)
        if (name == path) return count;
    return std::nullopt;
}

toolchain_counts const* baseline::find(std::string_view toolchain) const {
    for (auto const& one : toolchains)
        if (one.toolchain == toolchain) return &one;
    return nullptr;
}

baseline parse_baseline(std::string_view text, std::string const& source) try {
    return baseline_of({json::parse(text), ""});
} catch (std::exception const& caught) {
    throw std::runtime_error{source + ": " + caught.what()};
}

std::string to_text(baseline const& what) {
    auto toolchains = json::object();
    for (auto const& one : what.toolchains) {
        auto& paths = toolchains[one.toolchain] = json::object();
        for (auto const& [path, instructions] : one.instructions) paths[path] = instructions;
    }
    json const made = {{"schema_version", schema_version},
                       {"tolerance",
                        {{"percent", what.allowed.percent},
                         {"instructions", what.allowed.instructions},
                         {"ratio_percent", what.allowed.ratio_percent},
                         {"other_ratio_percent", what.allowed.other_ratio_percent}}},
                       {"instructions_per_call", toolchains}};
    return made.dump(2) + '\n';
}

std::vector<std::string> accept(baseline& into, std::string const& toolchain, counts const& found) {
    toolchain_counts before{.toolchain = toolchain};
    if (auto const* const known = into.find(toolchain)) before = *known;
    toolchain_counts now{.toolchain = toolchain};
    std::vector<std::string> changes;
    for (auto const& one : found) {
        auto const instructions = rounded(one.instructions);
        now.instructions.emplace_back(one.path, instructions);
        auto const was = before.find(one.path);
        if (!was)
            changes.push_back(one.path + ": " + shown(instructions) + ", new");
        else if (*was != instructions)
            changes.push_back(one.path + ": " + shown(*was) + " → " + shown(instructions) + ", " +
                              change_text(*was, instructions));
    }
    for (auto const& [path, was] : before.instructions)
        if (!now.find(path)) changes.push_back(path + ": " + shown(was) + ", is gone");
    auto const place = std::find_if(into.toolchains.begin(), into.toolchains.end(),
                                    [&](auto const& one) { return one.toolchain == toolchain; });
    if (place == into.toolchains.end())
        into.toolchains.push_back(std::move(now));
    else
        *place = std::move(now);
    return changes;
}

}  // namespace bench::regression
