// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/category_of.hpp>
#include <recoup/classify/detail/exception_category.hpp>
#include <recoup/classify/error_classifier.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/failure.hpp>

namespace recoup::inline v1 {

/// The rules that hold where nobody gave any; what `default_rules()` says, without state.
///
/// A failure that has a category keeps it. Else its error code tells, else its exception, else the
/// exceptions nested in that, from the outside in; what none of them tells is `unknown`.
/// Thread safety: stateless.
/// Complexity: constant and without an allocation for codes; an exception is thrown again once for
/// each level looked at.
struct default_classifier {
    [[nodiscard]] static classification classify(failure const& what) noexcept {
        if (detail::failure_access::classified(what)) return {.category = what.category()};
        auto const found = detail::category_by_code(what);
        if (found == category::unknown && what.exception())
            return {.category = detail::category_of_exception(what.exception())};
        return {.category = found};
    }
};

static_assert(error_classifier<default_classifier>);

}  // namespace recoup::inline v1
