// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>

// What a retry policy may say beside its verdicts, where it says so: one of a user's own need not.

namespace recoup::inline v1::detail {

template <class Retry>
concept says_waits_when_rejected = requires(Retry const& chosen) {
    { chosen.wait_when_rejected } -> std::convertible_to<bool>;
};
template <class Retry>
concept says_retry_nested = requires(Retry const& chosen) {
    { chosen.retry_nested } -> std::convertible_to<bool>;
};
template <class Retry>
concept says_refill_on_progress = requires(Retry const& chosen) {
    { chosen.refill_on_progress } -> std::convertible_to<bool>;
};

/// Whether an attempt that a guard rejects is waited for.
template <class Retry>
constexpr bool waits_when_rejected([[maybe_unused]] Retry const& chosen) noexcept {
    if constexpr (says_waits_when_rejected<Retry>)
        return chosen.wait_when_rejected;
    else
        return false;
}

/// Whether what was tried again inside of an attempt is tried again outside, too.
template <class Retry>
constexpr bool retries_nested([[maybe_unused]] Retry const& chosen) noexcept {
    if constexpr (says_retry_nested<Retry>)
        return chosen.retry_nested;
    else
        return false;
}

/// Whether an attempt that gets on makes the budget whole again.
template <class Retry>
constexpr bool refills_on_progress([[maybe_unused]] Retry const& chosen) noexcept {
    if constexpr (says_refill_on_progress<Retry>)
        return chosen.refill_on_progress;
    else
        return false;
}

}  // namespace recoup::inline v1::detail
