// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>

#include <string>
#include <system_error>

namespace recoup::inline v1 {

namespace detail {

struct condition_error_category final : std::error_category {
    char const* name() const noexcept override { return "recoup.category"; }
    std::string message(int value) const override {
        auto const known = value >= 0 && value < static_cast<int>(category_count);
        return std::string{to_string(known ? static_cast<category>(value) : category::unknown)};
    }
};

}  // namespace detail

/// The domain of the conditions that `make_error_condition(category)` gives.
inline std::error_category const& condition_category() noexcept {
    static detail::condition_error_category const instance;
    return instance;
}

/// A category as an error condition.
///
/// What the `default_error_condition` of an error category of your own may return, so that the
/// default rules know its codes without a rule. `recoup::http_category()` and its kin do so, and
/// `code == make_error_condition(category::rate_limited)` asks what a code means.
inline std::error_condition make_error_condition(category what) noexcept {
    return {static_cast<int>(what), condition_category()};
}

}  // namespace recoup::inline v1
