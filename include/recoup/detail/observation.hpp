// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/event.hpp>
#include <recoup/detail/policy_set.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// In the place of an observer that keeps nothing. Each is a type of its own, so that none takes room.
template <std::size_t Index>
struct nothing_kept {};

/// The observers of one operation, and what they keep of it.
template <class Policies, class Sequence = std::make_index_sequence<Policies::size>>
class observation;

template <class Policies, std::size_t... I>
class observation<Policies, std::index_sequence<I...>> {
    using held_tuple = decltype(Policies::held);
    template <std::size_t Index>
    using holder_at = std::tuple_element_t<Index, held_tuple>;
    template <std::size_t Index>
    using observer_at =
        std::remove_reference_t<decltype(std::declval<holder_at<Index> const&>().get())>;

    template <std::size_t Index>
    static constexpr bool observes = held_kind<holder_at<Index>> == policy_kind::observer;
    template <std::size_t Index>
    static constexpr bool remembers = [] {
        if constexpr (observes<Index>)
            return remembering_observer<observer_at<Index>>;
        else
            return false;
    }();
    template <std::size_t Index>
    static auto kept_by() {
        if constexpr (remembers<Index>)
            return std::type_identity<typename observer_at<Index>::per_operation>{};
        else
            return std::type_identity<nothing_kept<Index>>{};
    }

  public:
    /// Whether one of them keeps anything.
    static constexpr bool any_remembers = (remembers<I> || ...);

    /// Tells all of them, in the order in which they were given.
    [[gnu::always_inline]] inline void tell(Policies const& policies, event const& what) noexcept {
        (tell_one<I>(policies, what), ...);
    }

    [[gnu::always_inline]] inline void attempt_returned(Policies const& policies) noexcept {
        (attempt_returned_to<I>(policies), ...);
    }

    [[gnu::always_inline]] inline void waits(Policies const& policies) noexcept {
        (waits_for<I>(policies), ...);
    }

  private:
    template <std::size_t Index>
    [[gnu::always_inline]] inline void tell_one([[maybe_unused]] Policies const& policies,
                                                [[maybe_unused]] event const& what) noexcept {
        if constexpr (observes<Index>) {
            auto& one = std::get<Index>(policies.held).get();
            try {
                if constexpr (remembers<Index>)
                    one(what, std::get<Index>(kept_));
                else
                    one(what);
            } catch (...) {
                // An observer that throws harms nobody; there is nobody to tell.
            }
        }
    }

    template <std::size_t Index>
    [[gnu::always_inline]] inline void attempt_returned_to(
        [[maybe_unused]] Policies const& policies) noexcept {
        if constexpr (remembers<Index>)
            std::get<Index>(policies.held).get().attempt_returned(std::get<Index>(kept_));
    }

    template <std::size_t Index>
    [[gnu::always_inline]] inline void waits_for(
        [[maybe_unused]] Policies const& policies) noexcept {
        if constexpr (remembers<Index>)
            std::get<Index>(policies.held).get().waits(std::get<Index>(kept_));
    }

    std::tuple<typename decltype(kept_by<I>())::type...> kept_{};
};

}  // namespace recoup::inline v1::detail
