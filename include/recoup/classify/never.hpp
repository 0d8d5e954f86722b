// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace recoup::inline v1 {

/// The type of `never`; it converts to whatever has a `static never()`.
struct never_t {
    template <class Budget>
        requires requires { Budget::never(); }
    operator Budget() const {
        return Budget::never();
    }
};

/// Not at all: `default_rules().unknown(never)`, or as the budget of a category:
/// `retry{.per_category = {{category::quota_exceeded, never}}}`.
inline constexpr never_t never{};

}  // namespace recoup::inline v1
