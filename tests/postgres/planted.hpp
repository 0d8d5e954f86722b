// SPDX-License-Identifier: BSL-1.0
#pragma once

// Mistakes of postgres_store, to see that its tests notice them. What libpq is asked is asked through
// planted.cpp, which can change the words of a statement on its way, and what is told of changed rows.

#include <cstddef>
#include <string>

namespace recoup_test {

/// As long as it lives, statements that are prepared have `instead` where they had `words`.
class planted_words {
  public:
    planted_words(std::string words, std::string instead);
    planted_words(planted_words const&) = delete;
    planted_words& operator=(planted_words const&) = delete;
    ~planted_words();

    /// How many statements were changed: a mistake that was not made proves nothing.
    [[nodiscard]] std::size_t made() const;

  private:
    std::size_t at_;
};

/// As long as it lives, each statement is said to have changed one row.
class planted_counts {
  public:
    planted_counts();
    planted_counts(planted_counts const&) = delete;
    planted_counts& operator=(planted_counts const&) = delete;
    ~planted_counts();
};

}  // namespace recoup_test
