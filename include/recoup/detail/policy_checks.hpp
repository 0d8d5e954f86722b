// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/detail/policy_kind.hpp>
#include <recoup/detail/policy_set.hpp>

// Which policies do not go together, in words.

namespace recoup::inline v1::detail {

template <class... Held>
constexpr bool fallbacks_first() {
    bool others = false;
    bool first = true;
    ((held_kind<Held> == policy_kind::fallback ? first = first&& !others : others = true), ...);
    return first;
}

/// One sentence for what cannot work.
template <bool Ordered, class... Held>
constexpr void check_policies() {
    static_assert(((held_kind<Held> != policy_kind::unknown) && ...),
                  "recoup: with_recovery does not know one of these policies: it models none of "
                  "retry_policy, guard, error_classifier, observer or persist(...)");
    static_assert(count_kind<Held...>(policy_kind::retry) <= 1,
                  "recoup: there are two retry policies, which would multiply; keep one");
    static_assert(count_kind<Held...>(policy_kind::deadline) <= 1,
                  "recoup: there are two deadlines; keep the shorter one");
    static_assert(count_kind<Held...>(policy_kind::cache) <= 1,
                  "recoup: there are two caches, of which the inner one would see nothing of the "
                  "outer one's hits; keep one");
    static_assert(count_kind<Held...>(policy_kind::persist) <= 1,
                  "recoup: there are two persist policies; an operation has one record");
    static_assert(count_kind<Held...>(policy_kind::classifier) <= 1,
                  "recoup: there are two classifiers; put all rules into one");
    static_assert(count_kind<Held...>(policy_kind::clock) <= 1,
                  "recoup: there are two clocks; keep one");
    static_assert(count_kind<Held...>(policy_kind::stop) <= 1,
                  "recoup: there are two stop tokens; keep one");
    static_assert(count_kind<Held...>(policy_kind::attempt_timeout) <= 1,
                  "recoup: there are two attempt timeouts; keep the shorter one");
    static_assert(count_kind<Held...>(policy_kind::abandon) <= 1,
                  "recoup: there are two abandon_after; keep the shorter one");
    static_assert(count_kind<Held...>(policy_kind::attempt_timeout) == 0 ||
                      count_kind<Held...>(policy_kind::abandon) == 0,
                  "recoup: attempt_timeout is for an attempt that ends when it is told to, "
                  "abandon_after for one that does not; keep one of them");
    static_assert(count_kind<Held...>(policy_kind::budget) <= 1,
                  "recoup: there are two retry budgets; keep the one that all calls share");
    static_assert(count_kind<Held...>(policy_kind::trace) <= 1,
                  "recoup: there are two traces; a call is part of one");
    static_assert(count_kind<Held...>(policy_kind::threads) <= 1,
                  "recoup: there are two abandon pools; a hedge runs on one");
    static_assert(
        count_kind<Held...>(policy_kind::threads) == 0 ||
            count_kind<Held...>(policy_kind::hedge) != 0,
        "recoup: an abandon_pool does nothing by itself: name a hedge beside it, or give it "
        "to abandon_after");
    static_assert(count_kind<Held...>(policy_kind::hedge) <= 1,
                  "recoup: there are two hedges, which would multiply; keep one");
    static_assert(count_kind<Held...>(policy_kind::hedge) == 0 ||
                      count_kind<Held...>(policy_kind::idempotency) == 0,
                  "recoup: a hedge calls twice at a time what not_idempotent says must not happen "
                  "twice; keep one of them");
    static_assert(count_kind<Held...>(policy_kind::hedge) == 0 ||
                      count_kind<Held...>(policy_kind::persist) == 0,
                  "recoup: persist keeps the progress of one attempt at a time, and a hedge runs "
                  "several; keep one of them");
    static_assert(count_kind<Held...>(policy_kind::hedge) == 0 ||
                      count_kind<Held...>(policy_kind::abandon) == 0,
                  "recoup: a hedge lets go of attempts that lose by itself, and does not go with "
                  "abandon_after; keep one of them");
    if constexpr (Ordered) {
        constexpr auto retry_at = find_policy<Held...>(policy_kind::retry);
        static_assert(count_kind<Held...>(policy_kind::retry) == 1,
                      "recoup: in_order needs a retry policy, for order is what stands outside or "
                      "inside of it");
        static_assert(count_kind<Held...>(policy_kind::deadline) == 0 ||
                          find_policy<Held...>(policy_kind::deadline) < retry_at,
                      "recoup: a deadline bounds the whole operation and stands outside retry");
        static_assert(count_kind<Held...>(policy_kind::cache) == 0 ||
                          find_policy<Held...>(policy_kind::cache) ==
                              count_kind<Held...>(policy_kind::fallback),
                      "recoup: a cache answers in place of the whole operation, and so comes first "
                      "in in_order, behind fallbacks alone");
        static_assert(count_kind<Held...>(policy_kind::persist) == 0 ||
                          find_policy<Held...>(policy_kind::persist) ==
                              count_kind<Held...>(policy_kind::fallback) +
                                  count_kind<Held...>(policy_kind::cache),
                      "recoup: persist remembers the whole operation and stands first in in_order");
        static_assert(count_kind<Held...>(policy_kind::attempt_timeout) == 0 ||
                          find_policy<Held...>(policy_kind::attempt_timeout) == sizeof...(Held) - 1,
                      "recoup: an attempt timeout bounds one attempt and stands last in in_order");
        static_assert(count_kind<Held...>(policy_kind::abandon) == 0 ||
                          find_policy<Held...>(policy_kind::abandon) == sizeof...(Held) - 1,
                      "recoup: abandon_after bounds one attempt and stands last in in_order");
        static_assert(count_kind<Held...>(policy_kind::hedge) == 0 ||
                          find_policy<Held...>(policy_kind::hedge) == retry_at + 1,
                      "recoup: each hedge asks the guards, and so hedge stands right behind retry "
                      "in in_order");
        static_assert(fallbacks_first<Held...>(),
                      "recoup: a fallback stands in for the whole operation, and so comes first in "
                      "in_order");
    }
}

}  // namespace recoup::inline v1::detail
