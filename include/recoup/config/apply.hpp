// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config/detail/appliance.hpp>
#include <recoup/config/detail/place.hpp>
#include <recoup/config/policy_document.hpp>
#include <recoup/config/problem.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/on.hpp>
#include <recoup/detail/policy_set.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace recoup::inline v1::config {

/// Has policies go on, while calls run, with what a document says that was read anew: all of them, or, where one
/// cannot, none.
///
/// `path`: what the document is called in messages, as in `read_text`.
/// `time`: where the calls take their time from.
/// `running`: a `circuit_breaker`, `rate_limiter`, `bulkhead`, `concurrency_limit`, `retry_budget`, `hedge`, `cache`
/// or `abandon_pool`, each as its `change` says; a `reloadable` retry, deadline, attempt_timeout, abandon_limit,
/// not_idempotent or classifier. Also as a `std::shared_ptr`. What the document does not name stays as it is; of
/// what it names all is as the document says, or has its default. A classifier goes on with the document's rules
/// behind the default ones.
/// Returns: what the document names and is none of `running`, in the order of the document: to be looked at where
/// that is not left out on purpose.
/// Throws: bad_config, with paths as in the document, where one cannot be changed to that; std::length_error where
/// 64 versions of a `reloadable` are in use; std::bad_alloc. Then nothing has changed; but for memory that runs
/// out in the middle.
/// Thread safety: it may be called while calls are made, which meet no lock of it. Of several at a time each
/// policy has the options of one, but two policies may have those of different ones.
/// Example: `apply(read_text<policy_document>(text, "downloads"), "downloads", breaker, limiter, again);`
template <class Clock, class... Running>
std::vector<std::string_view> apply(policy_document const& document, std::string_view path,
                                    clock_choice<Clock> time, Running&... running) {
    static_assert(
        (detail::appliance_of<Running>::known && ...),
        "recoup: apply changes a circuit_breaker, rate_limiter, bulkhead, concurrency_limit, "
        "retry_budget, hedge, cache or abandon_pool, or what is reloadable; this is none of them");
    auto problems = std::vector<problem>{};
    auto const whole = detail::place{std::string{path}, problems};
    (detail::appliance_of<Running>::check(document, running, whole), ...);
    if (!problems.empty()) throw bad_config{std::move(problems)};
    // What may still find no room comes first.
    (detail::appliance_of<Running>::replace(document, running), ...);
    (detail::appliance_of<Running>::change(document, running, *time.port), ...);
    return detail::names_beside<Running...>(document);
}

/// The same on the machine's clock.
template <class... Running>
    requires(!recoup::detail::is_clock_choice<Running> && ...)
std::vector<std::string_view> apply(policy_document const& document, std::string_view path,
                                    Running&... running) {
    return apply(document, path, on(recoup::detail::machine_clock), running...);
}

/// The same of a document without a name.
template <class Clock, class... Running>
std::vector<std::string_view> apply(policy_document const& document, clock_choice<Clock> time,
                                    Running&... running) {
    return apply(document, std::string_view{}, time, running...);
}

template <class... Running>
    requires((!recoup::detail::is_clock_choice<Running> &&
              !std::convertible_to<Running, std::string_view>) &&
             ...)
std::vector<std::string_view> apply(policy_document const& document, Running&... running) {
    return apply(document, std::string_view{}, running...);
}

}  // namespace recoup::inline v1::config
