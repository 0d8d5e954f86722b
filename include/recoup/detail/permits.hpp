// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/guard/guard.hpp>
#include <recoup/guard/rejection.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

template <class Policies, std::size_t At>
using guard_at = typename std::tuple_element_t<At, decltype(Policies::held)>::policy_type;

/// The guards of a set that stand inside retry (`Outside` false) or outside of it, as positions in the order
/// in which they are asked: as written, or by their stages.
template <class Policies, bool Outside, class Sequence = std::make_index_sequence<Policies::size>>
struct guard_positions;

template <class Policies, bool Outside, std::size_t... I>
struct guard_positions<Policies, Outside, std::index_sequence<I...>> {
    template <std::size_t Position, guard_stage... Stage>
    static constexpr auto one() {
        using held = std::tuple_element_t<Position, decltype(Policies::held)>;
        if constexpr (held_kind<held> == policy_kind::guard &&
                      Policies::outside_retry(Position) == Outside) {
            if constexpr (((stage_of<guard_at<Policies, Position>>() == Stage) || ...))
                return std::tuple<std::integral_constant<std::size_t, Position>>{};
            else
                return std::tuple<>{};
        } else {
            return std::tuple<>{};
        }
    }
    template <guard_stage... Stage>
    static constexpr auto all() {
        return std::tuple_cat(one<I, Stage...>()...);
    }
    static constexpr auto in_order() {
        using enum guard_stage;
        if constexpr (Policies::ordered)
            return all<breaker, rate, room>();
        else
            return std::tuple_cat(all<breaker>(), all<rate>(), all<room>());
    }
    using type = decltype(in_order());
};

/// Whether a guard is not bound to another clock. One that is chosen by key is taken to be.
template <class G, class Clock>
concept asked_by = requires(G& gate, Clock& time) {
    { gate.try_acquire(time) } noexcept -> std::same_as<typename G::permit>;
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

    /// Whether one of them may let an attempt wait.
    static constexpr bool may_wait = (waiting_guard<guard_at<Policies, Position::value>> || ...);
    /// Whether one of them looks at the arguments of the call.
    static constexpr bool by_key = (keyed_guard<guard_at<Policies, Position::value>> || ...);
    /// Whether `ask` may stop at a guard that lets an attempt wait: which one there is for a key only the call tells.
    static constexpr bool may_stop = may_wait || by_key;

    /// Whether all of them can be asked by such a clock: a guard of the user's own may know one alone.
    template <class Clock>
    static constexpr bool may_go_by = (asked_by<guard_at<Policies, Position::value>, Clock> && ...);

    /// Asks the guards, outermost first, and stops at the first that rejects. `call`: the operation, for
    /// guards that may wait (`give_up_at()`, `stop_token()`) or that look at `arguments()`.
    ///
    /// Returns: null, or what the guard that rejected says of it.
    template <class Clock, class Call>
    [[nodiscard]] guard_rejection const* acquire(Policies const& policies, Clock& clock,
                                                 Call& call) noexcept {
        guard_rejection const* refused = nullptr;
        static_cast<void>(
            ((refused = acquire_one<Position::value>(policies, clock, call), !refused) && ...));
        return refused;
    }

    /// The same, where nobody waits for a turn.
    template <class Clock, class Call>
    [[nodiscard]] guard_rejection const* try_acquire(Policies const& policies, Clock& clock,
                                                     [[maybe_unused]] Call& call) noexcept {
        guard_rejection const* refused = nullptr;
        static_cast<void>(((refused = keep<Position::value>(
                                gate_at<Position::value>(policies, call).try_acquire(clock)),
                            !refused) &&
                           ...));
        return refused;
    }

    /// How far an attempt has come that asks the guards one after the other.
    struct asked {
        std::size_t at = 0;  ///< the number of the guard that did not admit it; `count`: all have
        guard_rejection const* refused = nullptr;

        /// Whether that guard may let it wait for its turn.
        [[nodiscard]] bool waits() const noexcept { return at != count && refused == nullptr; }
    };

    /// As `acquire`, from the guard of this number on, for those who wait by themselves.
    template <class Clock, class Call>
    [[nodiscard]] asked ask(Policies const& policies, Clock& clock, Call& call,
                            std::size_t from = 0) noexcept {
        auto seen = asked{from};
        auto number = std::size_t{0};
        static_cast<void>(
            ((number++ < from || ask_one<Position::value>(policies, clock, call, seen)) && ...));
        return seen;
    }

    /// The positions of its guards, and one of these at a time: for who asks them one by one.
    using positions = std::tuple<Position...>;
    template <std::size_t At, class Call>
    static auto& gate(Policies const& policies, Call& call) noexcept {
        return gate_at<At>(policies, call);
    }
    /// Returns: null, or what the guard says where it rejected.
    template <std::size_t At, class Permit>
    guard_rejection const* keep(Permit given) noexcept {
        auto& permit = std::get<slot_at<At>>(held_).permit;
        permit.emplace(std::move(given));
        if (*permit) [[likely]]
            return nullptr;
        release();
        return &rejection_at<At>;
    }

    /// Has the only guard, which did not admit the attempt at once, let it wait for its turn.
    template <class Clock, class Call>
    [[nodiscard]] guard_rejection const* queue_for_only(Policies const& policies, Clock& clock,
                                                        Call& call) noexcept {
        static_assert(count == 1);
        return (queue_for<Position::value>(policies, clock, call), ...);
    }

    /// What the only guard says where it rejects.
    static constexpr guard_rejection only_rejection() noexcept {
        if constexpr (count == 1)
            return (rejection_at<Position::value>, ...);
        else
            return {};
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
    template <class Clock, class Call>
    static void operation_failed(Policies const& policies, category what, Clock& clock,
                                 [[maybe_unused]] Call& call) noexcept {
        [[maybe_unused]] auto const tell = [&](auto& gate) {
            if constexpr (requires { gate.operation_failed(what, clock); })
                gate.operation_failed(what, clock);
        };
        (tell(gate_at<Position::value>(policies, call)), ...);
    }

    /// The longest wait that any guard asks for.
    template <class Clock, class Call>
    static duration retry_in(Policies const& policies, Clock& clock,
                             [[maybe_unused]] Call& call) noexcept {
        auto longest = duration{};
        ((longest = std::max(longest, gate_at<Position::value>(policies, call).retry_in(clock))),
         ...);
        return longest;
    }

  private:
    /// The guard itself, or the one that it has for this call.
    template <std::size_t At, class Call>
    static auto& gate_at(Policies const& policies, [[maybe_unused]] Call& call) noexcept {
        auto& gate = std::get<At>(policies.held).get();
        if constexpr (keyed_guard<guard_at<Policies, At>>)
            return std::apply(
                [&](auto const&... argument) -> auto& { return gate.guard_for(argument...); },
                call.arguments());
        else
            return gate;
    }

    /// By position, for two guards may be of one type.
    template <std::size_t At>
    struct slot_at {
        std::optional<typename guard_at<Policies, At>::permit> permit;
    };

    template <std::size_t At, class Clock, class Call>
    guard_rejection const* acquire_one(Policies const& policies, Clock& clock,
                                       Call& call) noexcept {
        auto& gate = gate_at<At>(policies, call);
        auto permit = gate.try_acquire(clock);
        if constexpr (waiting_guard<std::remove_cvref_t<decltype(gate)>>)
            if (!permit && may_let_wait(gate)) [[unlikely]]
                return queue_for<At>(policies, clock, call);
        return keep<At>(std::move(permit));
    }

    template <std::size_t At, class Clock, class Call>
    bool ask_one(Policies const& policies, Clock& clock, Call& call, asked& seen) noexcept {
        auto& gate = gate_at<At>(policies, call);
        auto permit = gate.try_acquire(clock);
        if constexpr (waiting_guard<std::remove_cvref_t<decltype(gate)>>)
            if (!permit && may_let_wait(gate)) [[unlikely]]
                return false;
        seen.refused = keep<At>(std::move(permit));
        if (seen.refused) return false;
        ++seen.at;
        return true;
    }

    template <std::size_t At, class Clock, class Call>
    [[gnu::noinline]] guard_rejection const* queue_for(Policies const& policies, Clock& clock,
                                                       Call& call) noexcept {
        return keep<At>(recoup::acquire(gate_at<At>(policies, call), clock, call.give_up_at(),
                                        call.stop_token()));
    }

    template <std::size_t At>
    static constexpr guard_rejection rejection_at = rejection_of<guard_at<Policies, At>>();

    std::tuple<slot_at<Position::value>...> held_;
};

}  // namespace recoup::inline v1::detail
