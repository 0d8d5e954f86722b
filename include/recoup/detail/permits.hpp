// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/detail/policy_set.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// The guards of a set that stand inside retry (`Outside` false) or outside of it, as positions.
template <class Policies, bool Outside, class Sequence = std::make_index_sequence<Policies::size>>
struct guard_positions;

template <class Policies, bool Outside, std::size_t... I>
struct guard_positions<Policies, Outside, std::index_sequence<I...>> {
    template <std::size_t Position>
    static constexpr auto one() {
        using held = std::tuple_element_t<Position, decltype(Policies::held)>;
        if constexpr (held_kind<held> == policy_kind::guard &&
                      Policies::outside_retry(Position) == Outside)
            return std::tuple<std::integral_constant<std::size_t, Position>>{};
        else
            return std::tuple<>{};
    }
    using type = decltype(std::tuple_cat(one<I>()...));
};

/// The permits of one attempt (or one operation) from all guards of a scope: all or none.
template <class Policies, bool Outside,
          class Positions = typename guard_positions<Policies, Outside>::type>
class permits;

template <class Policies, bool Outside, class... Position>
class permits<Policies, Outside, std::tuple<Position...>> {
  public:
    static constexpr std::size_t count = sizeof...(Position);
    static constexpr bool any = count != 0;

    /// Asks the guards, outermost first, and stops at the first that rejects.
    template <class Clock>
    bool acquire(Policies const& policies, Clock& clock) noexcept {
        return (acquire_one<Position::value>(policies, clock) && ...);
    }

    /// Takes over the permit of the only guard.
    template <class Permit>
    void adopt(Permit&& given) noexcept {
        static_assert(count == 1);
        std::get<0>(held_).permit.emplace(std::forward<Permit>(given));
    }

    template <class Clock>
    void succeeded(Clock& clock) noexcept {
        std::apply([&](auto&... slot) { (slot.permit->succeeded(clock), ...); }, held_);
    }

    template <class Clock>
    void failed(category what, bool operation_over, Clock& clock) noexcept {
        std::apply(
            [&](auto&... slot) {
                ((slot.permit ? slot.permit->failed(what, operation_over, clock) : void()), ...);
            },
            held_);
        release();
    }

    void release() noexcept {
        std::apply([](auto&... slot) { (slot.permit.reset(), ...); }, held_);
    }

    /// Tells the guards that want to know that the operation ended in failure between attempts: they
    /// were told of the last attempt that another one would follow.
    template <class Clock>
    static void operation_failed(Policies const& policies, category what, Clock& clock) noexcept {
        [[maybe_unused]] auto const tell = [&](auto& gate) {
            if constexpr (requires { gate.operation_failed(what, clock); })
                gate.operation_failed(what, clock);
        };
        (tell(std::get<Position::value>(policies.held).get()), ...);
    }

    /// The longest wait that any guard asks for.
    template <class Clock>
    static duration retry_in(Policies const& policies, Clock& clock) noexcept {
        auto longest = duration{};
        ((longest =
              std::max(longest, std::get<Position::value>(policies.held).get().retry_in(clock))),
         ...);
        return longest;
    }

  private:
    /// By position, for two guards may be of one type.
    template <std::size_t At>
    struct slot_at {
        using guard_type = typename std::tuple_element_t<At, decltype(Policies::held)>::policy_type;
        std::optional<typename guard_type::permit> permit;
    };

    template <std::size_t At, class Clock>
    bool acquire_one(Policies const& policies, Clock& clock) noexcept {
        auto& permit = std::get<slot_at<At>>(held_).permit;
        permit.emplace(std::get<At>(policies.held).get().try_acquire(clock));
        if (*permit) [[likely]]
            return true;
        release();
        return false;
    }

    std::tuple<slot_at<Position::value>...> held_;
};

}  // namespace recoup::inline v1::detail
