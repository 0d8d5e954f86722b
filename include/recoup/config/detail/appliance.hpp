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

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace recoup::inline v1 {

template <class Key, class T>
class cache;         // guard/cache.hpp
class abandon_pool;  // guard/abandon_pool.hpp

namespace config::detail {

/// Which part of a document is whose.
template <class P>
struct part_of {
    static constexpr std::string_view name{};
};
template <>
struct part_of<circuit_breaker> {
    static constexpr std::string_view name = "circuit_breaker";
    static auto& in(policy_document const& from) noexcept { return from.circuit_breaker; }
};
template <>
struct part_of<rate_limiter> {
    static constexpr std::string_view name = "rate_limit";
    static auto& in(policy_document const& from) noexcept { return from.rate_limit; }
};
template <>
struct part_of<bulkhead> {
    static constexpr std::string_view name = "bulkhead";
    static auto& in(policy_document const& from) noexcept { return from.bulkhead; }
};
template <>
struct part_of<concurrency_limit> {
    static constexpr std::string_view name = "concurrency_limit";
    static auto& in(policy_document const& from) noexcept { return from.concurrency_limit; }
};
template <>
struct part_of<retry_budget> {
    static constexpr std::string_view name = "retry_budget";
    static auto& in(policy_document const& from) noexcept { return from.retry_budget; }
};
template <>
struct part_of<reloadable<retry>> {
    static constexpr std::string_view name = "retry";
    static auto& in(policy_document const& from) noexcept { return from.retry; }
};
template <>
struct part_of<reloadable<deadline>> {
    static constexpr std::string_view name = "deadline";
    static auto& in(policy_document const& from) noexcept { return from.deadline; }
};
template <>
struct part_of<reloadable<attempt_timeout>> {
    static constexpr std::string_view name = "attempt_timeout";
    static auto& in(policy_document const& from) noexcept { return from.attempt_timeout; }
};
template <>
struct part_of<reloadable<abandon_limit>> {
    static constexpr std::string_view name = "abandon_after";
    static auto& in(policy_document const& from) noexcept { return from.abandon_after; }
};
template <>
struct part_of<reloadable<not_idempotent>> {
    static constexpr std::string_view name = "not_idempotent";
    static auto& in(policy_document const& from) noexcept { return from.not_idempotent; }
};
template <>
struct part_of<abandon_pool> {
    static constexpr std::string_view name = "abandon_pool";
    static auto& in(policy_document const& from) noexcept { return from.abandon_pool; }
};
template <class Key, class T>
struct part_of<cache<Key, T>> {
    static constexpr std::string_view name = "cache";
    static auto& in(policy_document const& from) noexcept { return from.cache; }
};
template <>
struct part_of<hedge> {
    static constexpr std::string_view name = "hedge";
    static auto& in(policy_document const& from) noexcept { return from.hedge; }
};
template <>
struct part_of<reloadable<classifier>> {
    static constexpr std::string_view name = "classifier";
    static auto& in(policy_document const& from) noexcept { return from.classifier; }
};

/// How one running policy goes on with its part of a document.
template <class P>
struct appliance_of {
    using part = part_of<P>;
    static constexpr std::string_view name = part::name;
    static constexpr bool known = !name.empty();

    /// Effects: adds what keeps it from that to `problems`.
    static void check(policy_document const& from, P const& running, place const& document) {
        if constexpr (known) {
            auto const& to = part::in(from);
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
            auto const& to = part::in(from);
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
            auto const& to = part::in(from);
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
