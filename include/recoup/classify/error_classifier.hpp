// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>

#include <concepts>

namespace recoup::inline v1 {

/// What a classifier says of a failure.
struct classification {
    recoup::category category = recoup::category::unknown;
    /// Whether trying again can help; where it is `unknown` the category decides.
    recoup::recoverability recoverability = recoup::recoverability::unknown;
};

/// Tells what kind of failure it is.
///
/// Beyond the syntax: it reads no clock and does no I/O; equal failures get equal answers. A failure
/// that already has a category (an inner wrapper's, or one the callable chose) is passed in as it
/// is, so that a user's rule can overrule it; a classifier without such a rule returns that category.
/// Thread safety: called concurrently.
template <class C>
concept error_classifier = std::copyable<C> && requires(C const& rules, failure const& what) {
    { rules.classify(what) } noexcept -> std::same_as<classification>;
};

}  // namespace recoup::inline v1
