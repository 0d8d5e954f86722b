// SPDX-License-Identifier: BSL-1.0
#include "report/documentation.hpp"

#include <algorithm>
#include <cstddef>
#include <sstream>
#include <utility>

namespace bench::report_page {

namespace {

constexpr auto depth_max = 16;

/// A row of a table of the documentation.
struct field {
    std::string path{};
    std::vector<std::string> parts{};  ///< `*` is any rest of a name, `[]` each item of a list
    std::string type{};
    std::string present{};
};

std::string trimmed(std::string text) {
    auto const from = text.find_first_not_of(" `");
    if (from == std::string::npos) return {};
    return text.substr(from, text.find_last_not_of(" `") - from + 1);
}

std::vector<std::string> split(std::string const& path) {
    std::vector<std::string> parts;
    std::istringstream from{path};
    for (std::string part; std::getline(from, part, '.');) {
        auto const list = part.size() > 2 && part.ends_with("[]");
        parts.push_back(list ? part.substr(0, part.size() - 2) : part);
        if (list) parts.emplace_back("[]");
    }
    return parts;
}

std::vector<field> read(std::string const& documentation) {
    std::vector<field> fields;
    std::istringstream lines{documentation};
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("| `", 0) != 0) continue;
        std::vector<std::string> cells;
        std::istringstream row{line.substr(1)};
        for (std::string cell; std::getline(row, cell, '|');) cells.push_back(trimmed(cell));
        if (cells.size() < 5) continue;
        fields.push_back(
            {.path = cells[0], .parts = split(cells[0]), .type = cells[1], .present = cells[3]});
    }
    return fields;
}

bool is_a(json const& value, std::string const& type) {
    if (type == "spread") {
        if (!value.is_object() || value.size() != 4) return false;
        for (auto const* name : {"median", "min", "max", "samples"})
            if (!value.contains(name) || !value[name].is_number()) return false;
        return true;
    }
    if (type == "number") return value.is_number();
    if (type == "text") return value.is_string();
    if (type == "yes or no") return value.is_boolean();
    if (type == "yes, no or null") return value.is_boolean() || value.is_null();
    if (type == "object") return value.is_object();
    if (type == "list") return value.is_array();
    return false;
}

bool fits(std::string const& pattern, std::string const& part) {
    if (pattern == part) return true;
    return pattern.ends_with('*') && part != "[]" &&
           part.compare(0, pattern.size() - 1, pattern, 0, pattern.size() - 1) == 0;
}

bool fits(field const& one, std::vector<std::string> const& parts) {
    return std::equal(one.parts.begin(), one.parts.end(), parts.begin(), parts.end(),
                      [](auto const& pattern, auto const& part) { return fits(pattern, part); });
}

/// How exact a path is: a name beats the beginning of one, and that beats a `*`.
std::pair<std::ptrdiff_t, std::size_t> exactness(field const& one) {
    auto const names = std::count_if(one.parts.begin(), one.parts.end(),
                                     [](auto const& part) { return !part.ends_with('*'); });
    return {names, one.path.size()};
}

field const* find(std::vector<field> const& fields, std::vector<std::string> const& parts) {
    field const* found = nullptr;
    for (auto const& one : fields)
        if (fits(one, parts) && (found == nullptr || exactness(one) > exactness(*found)))
            found = &one;
    return found;
}

std::string path_of(std::vector<std::string> const& parts) {
    std::string made;
    for (auto const& one : parts) {
        if (one == "[]")
            made += one;
        else
            made += (made.empty() ? "" : ".") + one;
    }
    return made;
}

class comparison {
  public:
    comparison(std::vector<field> fields, bool complete)
        : fields_{std::move(fields)}, complete_{complete} {}

    void compare(json const& value, std::vector<std::string>& parts) {
        if (parts.size() > depth_max) return say("is nested too deeply", parts);
        if (!parts.empty()) {
            auto const* one = find(fields_, parts);
            if (one == nullptr) return say("is not documented", parts);
            if (!is_a(value, one->type)) return say("is documented as: " + one->type, parts);
            if (one->type == "spread") return;
        }
        if (value.is_object()) {
            for (auto const& [name, inner] : value.items()) {
                parts.push_back(name);
                compare(inner, parts);
                parts.pop_back();
            }
            expect_children(value, parts);
        } else if (value.is_array()) {
            for (auto const& inner : value) {
                parts.emplace_back("[]");
                if (find(fields_, parts) != nullptr || !inner.is_object())
                    compare(inner, parts);
                else  // Items that are objects need no row of their own.
                    compare_item(inner, parts);
                parts.pop_back();
            }
        }
    }

    [[nodiscard]] std::vector<std::string> found() && { return std::move(found_); }

  private:
    void compare_item(json const& item, std::vector<std::string>& parts) {
        for (auto const& [name, inner] : item.items()) {
            parts.push_back(name);
            compare(inner, parts);
            parts.pop_back();
        }
        expect_children(item, parts);
    }

    /// Whatever is documented to be in `value` is.
    void expect_children(json const& value, std::vector<std::string> const& parts) {
        auto const* own = find(fields_, parts);
        auto const below = [](field const& one, std::vector<std::string> const& parent) {
            return one.parts.size() == parent.size() + 1 &&
                   std::equal(parent.begin(), parent.end(), one.parts.begin());
        };
        auto const only_own =
            own != nullptr && std::any_of(fields_.begin(), fields_.end(),
                                          [&](field const& one) { return below(one, own->parts); });
        for (auto const& one : fields_) {
            if (one.parts.size() != parts.size() + 1 || one.parts.back().ends_with('*')) continue;
            if (only_own && !below(one, own->parts)) continue;
            auto child = parts;
            child.push_back(one.parts.back());
            // Of two rows for one place, the more exact one counts.
            if (!fits(one, child) || find(fields_, child) != &one) continue;
            if (one.present == "always" || (one.present == "full run" && complete_))
                if (!value.contains(one.parts.back())) say("is documented, and not there", child);
        }
    }

    void say(std::string const& what, std::vector<std::string> const& parts) {
        auto line = path_of(parts) + " " + what;
        if (std::find(found_.begin(), found_.end(), line) == found_.end())
            found_.push_back(std::move(line));
    }

    std::vector<field> fields_;
    bool complete_;
    std::vector<std::string> found_{};
};

}  // namespace

std::vector<std::string> differences(json const& report, std::string const& documentation) {
    auto fields = read(documentation);
    if (fields.empty()) return {"the documentation has no table of fields"};
    for (auto const& one : fields)
        if (one.present != "always" && one.present != "full run" && one.present != "sometimes")
            return {one.path + " is documented to be there: '" + one.present +
                    "'; expected always, full run or sometimes"};
    auto const& complete = at(report, {"machine", "complete"});
    comparison made{std::move(fields), complete.is_boolean() && complete.get<bool>()};
    std::vector<std::string> parts;
    made.compare(report, parts);
    return std::move(made).found();
}

}  // namespace bench::report_page
