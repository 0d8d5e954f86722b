// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/stop_reason.hpp>

#include <algorithm>
#include <concepts>
#include <initializer_list>
#include <iterator>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

/// What a fallback does not stand in for: the caller wants no answer any more.
inline constexpr category_set wants_no_fallback{category::cancelled};

namespace detail {

/// Which failures a fallback stands in for.
struct fallback_scope {
    category_set left_alone = wants_no_fallback;
    category_set only{};  ///< empty: all others

    [[nodiscard]] bool covers(failure const& what) const noexcept {
        if (what.stopped() == stop_reason::cancelled || left_alone.contains(what.category()))
            return false;
        return only.empty() || only.contains(what.category());
    }
};

}  // namespace detail

/// Gives something else in place of a failure. Made by `fallback`.
template <class What>
struct fallback_choice {
    using is_fallback = void;
    What what;
    detail::fallback_scope scope{};

    /// Only for failures of these categories.
    [[nodiscard]] fallback_choice on(category_set categories) && {
        scope.only = categories;
        return std::move(*this);
    }
};

/// Calls again with something else as the first argument. Made by `fallback_to`.
template <class Candidate>
struct fallback_candidates {
    using is_fallback = void;
    std::vector<Candidate> candidates;
    detail::fallback_scope scope{};

    /// Only after failures of these categories.
    [[nodiscard]] fallback_candidates on(category_set categories) && {
        scope.only = categories;
        return std::move(*this);
    }
};

/// In place of a failure that nothing has cured: a value, or what a callable gives, which is called with the
/// failure and the call's arguments, or with one of these, or with nothing, as it takes them.
///
/// It is outermost: it stands in for what retry, deadline and guards have given up. It does not for a call
/// that was cancelled. Where a callable fails itself the next fallback is asked, and at the end the failure
/// that it was about is returned. Observers see `fell_back`. For a coroutine it may be a coroutine, too.
/// Example: `with_recovery(fetch_news, recoup::fallback([] { return cached_news(); }))`.
template <class What>
[[nodiscard]] auto fallback(What&& what) {
    // A literal is a text, not a pointer to one.
    if constexpr (std::is_convertible_v<What, char const*>)
        return fallback_choice<std::string>{std::string{what}};
    else
        return fallback_choice<std::decay_t<What>>{std::forward<What>(what)};
}

/// In place of a failure that nothing has cured: the same call, with all of its policies, and with one
/// candidate after the other as its first argument, until one gives a value; mirrors, say. The last failure
/// is returned where none does.
/// Example: `with_recovery(fetch, recoup::fallback_to(mirrors))("https://first.example/model")`.
template <std::ranges::input_range Range>
    requires(!std::convertible_to<Range, char const*> && !std::convertible_to<Range, std::string>)
[[nodiscard]] auto fallback_to(Range&& candidates) {
    auto held = fallback_candidates<std::ranges::range_value_t<Range>>{};
    std::ranges::copy(candidates, std::back_inserter(held.candidates));
    return held;
}
template <class Candidate>
[[nodiscard]] auto fallback_to(std::initializer_list<Candidate> candidates) {
    return fallback_candidates<Candidate>{candidates};
}
[[nodiscard]] inline auto fallback_to(std::initializer_list<char const*> candidates) {
    return fallback_candidates<std::string>{{candidates.begin(), candidates.end()}};
}

}  // namespace recoup::inline v1
