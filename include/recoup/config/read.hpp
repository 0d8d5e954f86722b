// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config/detail/parse.hpp>
#include <recoup/config/detail/place.hpp>
#include <recoup/config/detail/value.hpp>
#include <recoup/config/problem.hpp>
#include <recoup/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace recoup::inline v1::config {

/// Makes a policy of JSON, and says all that is wrong with it.
///
/// What a document leaves out has its default; what it names and no policy knows is a mistake. `path` is what
/// the document is called in messages.
/// Effects: each mistake is added to `problems`.
/// Returns: nothing where there was one.
template <class Policy>
[[nodiscard]] std::optional<Policy> read(nlohmann::json const& from, std::string_view path,
                                         std::vector<problem>& problems) {
    auto found = std::vector<problem>{};
    auto made = std::optional<Policy>{std::in_place};
    detail::value<Policy>::read(from, detail::place{std::string{path}, found}, *made);
    if (!found.empty()) made.reset();
    problems.insert(problems.end(), found.begin(), found.end());
    return made;
}

/// The same. Throws: bad_config with all that is wrong.
template <class Policy>
[[nodiscard]] Policy read(nlohmann::json const& from, std::string_view path = {}) {
    auto problems = std::vector<problem>{};
    auto made = read<Policy>(from, path, problems);
    if (!made) throw bad_config{std::move(problems)};
    return *std::move(made);
}

/// Makes a policy of the text of a document, whose depth and size are bounded before anything is built of it.
/// A name that is given twice in one object is a mistake, too.
///
/// Effects: each mistake is added to `problems`.
/// Returns: nothing where there was one.
template <class Policy>
[[nodiscard]] std::optional<Policy> read_text(std::string_view text, std::string_view path,
                                              std::vector<problem>& problems) {
    auto found = std::vector<problem>{};
    auto const parsed = detail::parse(text, path, found);
    auto made = parsed ? read<Policy>(*parsed, path, found) : std::optional<Policy>{};
    if (!found.empty()) made.reset();
    problems.insert(problems.end(), found.begin(), found.end());
    return made;
}

/// The same. Throws: bad_config with all that is wrong.
/// Example: `auto again = recoup::config::read_text<recoup::retry>(R"({"max_attempts": 5})", "retry");`
template <class Policy>
[[nodiscard]] Policy read_text(std::string_view text, std::string_view path = {}) {
    auto problems = std::vector<problem>{};
    auto made = read_text<Policy>(text, path, problems);
    if (!made) throw bad_config{std::move(problems)};
    return *std::move(made);
}

/// A policy as JSON, with all its fields, from which `read` makes an equal one.
///
/// Throws: bad_config where `read` would refuse it: a backoff of your own, a negative span of time.
template <class Policy>
[[nodiscard]] nlohmann::json write(Policy const& from, std::string_view path = {}) {
    auto made = detail::value<Policy>::write(from);
    static_cast<void>(read<Policy>(made, path));
    return made;
}

}  // namespace recoup::inline v1::config
