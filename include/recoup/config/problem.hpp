// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::config {

/// What is wrong with one place of a configuration.
struct problem {
    std::string path{};  ///< as `retry.per_category.rate_limited.max_attempts`; empty: all of it
    std::string text{};  ///< what is there and what was expected: `is -3, expected 0 to 100`

    /// Both, in one sentence.
    [[nodiscard]] std::string message() const {
        return (path.empty() ? "the document" : path) + ' ' + text;
    }

    friend bool operator==(problem const&, problem const&) = default;
};

/// The most problems that are listed of one document; one more says that there are others.
inline constexpr std::size_t problems_max = 100;

/// A configuration that cannot be read. It says all that is wrong with it, a line each.
class bad_config : public std::invalid_argument {
  public:
    explicit bad_config(std::vector<problem> problems)
        : std::invalid_argument{lines(problems)}, problems_{std::move(problems)} {}

    /// What is wrong, in the order of the document's fields; never empty.
    [[nodiscard]] std::vector<problem> const& problems() const noexcept { return problems_; }

  private:
    static std::string lines(std::vector<problem> const& problems) {
        std::string text{"recoup: config: "};
        for (auto const& one : problems) {
            if (&one != &problems.front()) text += '\n';
            text += one.message();
        }
        return text;
    }

    std::vector<problem> problems_;
};

}  // namespace recoup::inline v1::config
