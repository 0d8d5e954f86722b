// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/rules.hpp>
#include <recoup/config/detail/place.hpp>
#include <recoup/config/detail/value.hpp>
#include <recoup/config/policy_document.hpp>
#include <recoup/config/problem.hpp>
#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/concurrency_limit.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/hedge.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/reloadable.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/retry/retry_budget.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace recoup::inline v1 {

template <class Key, class T>
class cache;         // guard/cache.hpp
class abandon_pool;  // guard/abandon_pool.hpp

namespace config::detail {

/// What a part of a document is called, and where it is.
template <class Options>
struct part {
    std::string_view name;
    std::optional<Options> policy_document::* in;
};

/// Which part of a document is whose: `nullptr` where none is.
template <class P>
inline constexpr auto part_of = nullptr;
template <>
inline constexpr auto part_of<circuit_breaker> =
    part{"circuit_breaker", &policy_document::circuit_breaker};
template <>
inline constexpr auto part_of<rate_limiter> = part{"rate_limit", &policy_document::rate_limit};
template <>
inline constexpr auto part_of<bulkhead> = part{"bulkhead", &policy_document::bulkhead};
template <>
inline constexpr auto part_of<concurrency_limit> =
    part{"concurrency_limit", &policy_document::concurrency_limit};
template <>
inline constexpr auto part_of<retry_budget> = part{"retry_budget", &policy_document::retry_budget};
template <>
inline constexpr auto part_of<reloadable<retry>> = part{"retry", &policy_document::retry};
template <>
inline constexpr auto part_of<reloadable<deadline>> = part{"deadline", &policy_document::deadline};
template <>
inline constexpr auto part_of<reloadable<attempt_timeout>> =
    part{"attempt_timeout", &policy_document::attempt_timeout};
template <>
inline constexpr auto part_of<reloadable<abandon_limit>> =
    part{"abandon_after", &policy_document::abandon_after};
template <>
inline constexpr auto part_of<reloadable<not_idempotent>> =
    part{"not_idempotent", &policy_document::not_idempotent};
template <>
inline constexpr auto part_of<abandon_pool> = part{"abandon_pool", &policy_document::abandon_pool};
template <class Key, class T>
inline constexpr auto part_of<cache<Key, T>> = part{"cache", &policy_document::cache};
template <>
inline constexpr auto part_of<hedge> = part{"hedge", &policy_document::hedge};
template <>
inline constexpr auto part_of<reloadable<classifier>> =
    part{"classifier", &policy_document::classifier};

/// How one running policy goes on with its part of a document.
template <class P>
struct appliance_of {
    static constexpr auto own = part_of<P>;
    static constexpr bool known = !std::same_as<decltype(own), std::nullptr_t const>;
    static constexpr std::string_view name = [] {
        if constexpr (known)
            return own.name;
        else
            return std::string_view{};
    }();

    /// Effects: adds what keeps it from that to `problems`.
    static void check(policy_document const& from, P const& running, place const& document) {
        if constexpr (known) {
            auto const& to = from.*own.in;
            if (!to) return;
            say_refusal(document.child(name), [&] {
                if constexpr (requires { running.check_change(*to); })
                    running.check_change(*to);
                else if constexpr (requires { recoup::detail::checked(*to); })
                    static_cast<void>(recoup::detail::checked(*to));
            });
            if constexpr (requires { running.check_replace(); }) running.check_replace();
        }
    }

    static void replace(policy_document const& from, P& running) {
        if constexpr (requires { running.current(); }) {
            auto const& to = from.*own.in;
            if (!to) return;
            if constexpr (requires { to->classifier(); })
                running.replace(to->classifier());
            else
                running.replace(*to);
        }
    }

    template <class Clock>
    static void change(policy_document const& from, P& running, Clock& time) {
        if constexpr (!requires { running.current(); }) {
            auto const& to = from.*own.in;
            if (!to) return;
            if constexpr (requires { running.change(*to, time); })
                running.change(*to, time);
            else
                running.change(*to);
        }
    }
};
template <class P>
struct appliance_of<std::shared_ptr<P>> {
    using of = appliance_of<P>;
    static constexpr std::string_view name = of::name;
    static constexpr bool known = of::known;
    static void check(policy_document const& from, std::shared_ptr<P> const& running,
                      place const& document) {
        of::check(from, *running, document);
    }
    static void replace(policy_document const& from, std::shared_ptr<P> const& running) {
        of::replace(from, *running);
    }
    template <class Clock>
    static void change(policy_document const& from, std::shared_ptr<P> const& running,
                       Clock& time) {
        of::change(from, *running, time);
    }
};
template <class P>
struct appliance_of<P const> : appliance_of<P> {};

/// Lists the names of what a document names.
struct name_lister {
    std::vector<std::string_view> names{};
    template <class T>
    void operator()(char const* name, std::optional<T> const& one) {
        if (one) names.emplace_back(name);
    }
};

/// What a document names and is none of `Running`.
template <class... Running>
std::vector<std::string_view> names_beside(policy_document document) {
    auto listed = name_lister{};
    describe(listed, document);
    std::erase_if(listed.names, [](std::string_view one) {
        return ((appliance_of<Running>::name == one) || ...);
    });
    return listed.names;
}

}  // namespace config::detail

}  // namespace recoup::inline v1
