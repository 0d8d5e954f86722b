// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/callable.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/thread_mark.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/call_checks.hpp>
#include <recoup/detail/guarded_call.hpp>
#include <recoup/detail/make_policies.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/detail/cache_key.hpp>
#include <recoup/guard/detail/cache_table.hpp>

#include <algorithm>
#include <cstddef>
#include <new>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// What a cache does to one call, plain or a coroutine. `Operation`: what the call would be without it.
template <class Policy, class Operation>
class cached_call {
  public:
    using result_type = typename Operation::result_type;
    using value_type = typename Operation::value_type;
    using key_type = typename Policy::key_type;
    using table_type = cache_table<key_type, typename Policy::value_type>;
    using visit = typename table_type::visit;

    template <class Policies>
    static auto& policy_of(Policies const& policies) noexcept {
        return policies.template get<policy_kind::cache>();
    }
    static constexpr void check() {
        constexpr auto fits = std::is_same_v<value_type, typename Policy::value_type>;
        static_assert(!std::is_void_v<value_type>,
                      "recoup: a cache returns results again, and this callable returns none");
        static_assert(!is_reference_wrapper<value_type>,
                      "recoup: a cache keeps values, and this callable returns a reference, which "
                      "may not last as long: return a value or a std::shared_ptr");
        static_assert(std::is_void_v<value_type> || is_reference_wrapper<value_type> || fits,
                      "recoup: this cache keeps values of another type than the callable returns: "
                      "it is a cache<Key, T> with the T of the callable's recoup::result<T>");
        static_assert(consumes_arguments(Operation::form) || Operation::takes_constants,
                      "recoup: a result from the cache fills no arguments in, which this callable "
                      "takes by reference: take them by value or const&, and return what is found");
    }

    /// A plain call: `operate(policies)` makes it where there is no result for its arguments.
    template <class Policies, class Operate, class... Args>
    static result_type call(Policies const& policies, Operate const& operate, Args&... arguments) {
        check();
        auto outcome = guarded_call<result_type>([&]() -> result_type {
            auto const& policy = policy_of(policies);
            using made = decltype(policy.key_of(std::as_const(arguments)...));
            key_holder<key_type, made> key = policy.key_of(std::as_const(arguments)...);
            auto const hash = hash_of_view(key);
            if (auto const found = policy.table().find(key, hash, Operation::clock_of(policies)))
                [[likely]]
                return serve(policies, kept_result<value_type>::open(*found));
            return miss(policies, operate, key, hash);
        });
        note_end(outcome);
        return outcome;
    }

    /// The same for a coroutine: enters, where there is no result.
    ///
    /// Effects: `outcome` is a result that was found.
    template <class Policies, class... Args>
    static void look(Policies const& policies, visit& own, std::optional<result_type>& outcome,
                     Args const&... arguments) {
        auto const& policy = policy_of(policies);
        using made = decltype(policy.key_of(arguments...));
        key_holder<key_type, made> key = policy.key_of(arguments...);
        auto const hash = hash_of_view(key);
        if (auto const found = policy.table().find(key, hash, Operation::clock_of(policies)))
            outcome.emplace(serve(policies, kept_result<value_type>::open(*found)));
        else
            enter(policies, own, key, hash, nullptr);
    }

    // ---- the parts of it that coroutines have in common

    static std::size_t hash_of_view(key_view<key_type> key) { return detail::key_hash(key); }

    /// What throws before there is an operation, as a function that makes keys, ends the call.
    static void note_end(result_type& outcome) noexcept {
        if (!outcome.has_value() && outcome.assume_error().stopped() == stop_reason::none)
            [[unlikely]]
            failure_access::set_end(outcome.assume_error(), stop_reason::not_retryable, 0);
    }

    template <class Policies>
    static void tell(Policies const& policies, event_kind kind,
                     failure const* what = nullptr) noexcept {
        policies.template each<policy_kind::observer>([&](auto& observer) {
            try {
                observer(event{.kind = kind, .failure = what});
            } catch (...) {}  // an observer that throws harms nobody
        });
    }

    /// Returns a result that another call has made.
    template <class Policies>
    static result_type serve(Policies const& policies, result_type const& found) {
        tell(policies, event_kind::served_from_cache,
             found.has_value() ? nullptr : &found.assume_error());
        return found;
    }

    /// Enters, where there is memory for it.
    template <class Policies>
    static void enter(Policies const& policies, visit& own, key_view<key_type> key,
                      std::size_t hash, void const* runner) {
        try {
            own.enter(key, hash, Operation::clock_of(policies), runner, stop_token_of(policies));
        } catch (std::bad_alloc const&) {}  // it is made as if there were no cache
    }

    template <class Policies>
    static std::stop_token stop_token_of(Policies const& policies) noexcept {
        if constexpr (Policies::template has<policy_kind::stop>)
            return policies.template get<policy_kind::stop>().token;
        else
            return {};
    }

    /// How long the whole call may take.
    template <class Policies>
    static duration total_of(Policies const& policies) noexcept {
        if constexpr (Policies::template has<policy_kind::deadline>)
            return std::max(deadline_of(policies.template get<policy_kind::deadline>()).total,
                            duration{});
        else
            return unlimited;
    }

    /// When a wait that began at `began` is over at the latest.
    template <class Policies>
    static steady_time wait_until(Policies const& policies, visit const& own,
                                  steady_time began) noexcept {
        return saturating_add(began, std::min(own.wait_at_most(), total_of(policies)));
    }

    /// Why a call ends after its wait, without a result and without being made, or `none`.
    template <class Policies>
    static stop_reason why_over(Policies const& policies, visit const& own, duration waited,
                                bool stopping) noexcept {
        if (own.served()) return stop_reason::none;
        if (stopping) return stop_reason::cancelled;
        return waited >= total_of(policies) ? stop_reason::deadline : stop_reason::none;
    }

    /// Ends a call that was never made.
    template <class Policies>
    static result_type give_up(Policies const& policies, stop_reason why) {
        auto what = why == stop_reason::cancelled
                        ? failure{category::cancelled, errc::cancelled}
                        : failure{category::unknown, errc::deadline_exceeded};
        failure_access::set_end(what, why, 0);
        tell(policies, event_kind::operation_started);
        tell(policies, event_kind::operation_failed, &what);
        return result_type{in_place<failure>{}, std::move(what)};
    }

    /// Makes the call, with what is left of its deadline after a wait.
    template <class Policies, class Operate>
    static auto operate_after(visit& own, duration waited, Policies const& policies,
                              Operate const& operate) {
        if (!own.runs()) own.note_made_alone();
        if constexpr (Policies::template has<policy_kind::deadline>) {
            auto const total = total_of(policies);
            if (waited > duration{} && total != unlimited) {
                auto const shorter = merge_policies(policies, recoup::deadline{total - waited});
                return operate(shorter);
            }
        }
        return operate(policies);
    }

    /// Hands the result to others, and puts one that has expired in the place of a failure.
    template <class Policies>
    static void publish(Policies const& policies, visit& own, result_type& outcome) {
        if (!own.runs()) return;
        own.publish(outcome, Operation::clock_of(policies));
        if (auto const* const instead = own.served()) {
            tell(policies, event_kind::served_stale, &outcome.assume_error());
            outcome = *instead;
        }
    }

  private:
    template <class Policies, class Operate>
    [[gnu::noinline]] static result_type miss(Policies const& policies, Operate const& operate,
                                              key_view<key_type> key, std::size_t hash) {
        visit own{policy_of(policies).table()};
        enter(policies, own, key, hash, this_thread_mark());
        auto waited = duration{};
        if (own.waits()) {
            auto& time = Operation::clock_of(policies);
            tell(policies, event_kind::operation_joined);
            auto const began = time.now();
            time.wait_until(wait_until(policies, own, began), own.wake());
            own.woken();
            waited = saturating_between(began, time.now());
            auto const why =
                why_over(policies, own, waited, stop_token_of(policies).stop_requested());
            if (why != stop_reason::none) return give_up(policies, why);
        }
        if (auto const* const found = own.served()) return serve(policies, *found);
        auto outcome = operate_after(own, waited, policies, operate);
        publish(policies, own, outcome);
        return outcome;
    }
};

}  // namespace recoup::inline v1::detail
