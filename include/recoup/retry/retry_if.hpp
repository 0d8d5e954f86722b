// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/errc.hpp>
#include <recoup/core/result.hpp>

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// Calls some returned values failures. Made by `retry_if`.
template <class Predicate>
struct value_check {
    Predicate predicate;

    /// The failure that `value` counts as, if it does.
    template <class T>
    [[nodiscard]] std::optional<failure> inspect(T const& value) const {
        using answer = std::remove_cvref_t<std::invoke_result_t<Predicate const&, T const&>>;
        if constexpr (std::same_as<answer, bool>) {
            if (predicate(value)) return failure{errc::value_rejected};
            return std::nullopt;
        } else if constexpr (std::same_as<answer, std::optional<category>>) {
            if (auto const what = predicate(value)) return failure{*what, errc::value_rejected};
            return std::nullopt;
        } else {
            static_assert(
                std::same_as<answer, std::optional<failure>>,
                "recoup: the predicate of retry_if returns bool, std::optional<category> or "
                "std::optional<failure>");
            return predicate(value);
        }
    }
};

/// Treats a returned value as a failed attempt where `predicate(value)` says so.
///
/// The predicate returns `bool` (a failure of no known category), `std::optional<category>` or
/// `std::optional<failure>`. The last rejected value is dropped: put what is worth keeping into
/// the failure.
/// Example: `retry_if([](response const& r) { return r.status == 503; })`.
template <class Predicate>
[[nodiscard]] value_check<std::decay_t<Predicate>> retry_if(Predicate&& predicate) {
    return {std::forward<Predicate>(predicate)};
}

}  // namespace recoup::inline v1
