// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/detail/permits.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/detail/versions.hpp>
#include <recoup/with_recovery.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace recoup::inline v1 {

/// What a wrapper does, in words and figures. Made by `explain`.
struct explanation {
    std::vector<std::string> stages{};  ///< outermost first
    std::uint32_t most_attempts = 1;    ///< all budgets together; 0: not known
    duration longest_wait = unlimited;  ///< all waits together, without jitter's luck or hints
    duration longest_hint{};          ///< the most that a hint (`Retry-After`) makes each wait last
    std::string recorded{"nothing"};  ///< what survives a crash

    /// One line a stage, then the figures.
    template <class Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                                        explanation const& what) {
        return out << what.text();
    }

    [[nodiscard]] std::string text() const;
};

namespace detail {

/// A span for people: in the largest unit that gives a whole number.
inline std::string span_text(duration span) {
    if (span == unlimited) return "unlimited";
    auto const count = span.count();
    if (count % 3'600'000'000'000 == 0 && count != 0)
        return std::to_string(count / 3'600'000'000'000) + " h";
    if (count % 60'000'000'000 == 0 && count != 0)
        return std::to_string(count / 60'000'000'000) + " min";
    if (count % 1'000'000'000 == 0) return std::to_string(count / 1'000'000'000) + " s";
    if (count % 1'000'000 == 0) return std::to_string(count / 1'000'000) + " ms";
    return std::to_string(count) + " ns";
}

/// The longest that `attempts` attempts can wait between them.
inline duration longest_waits(backoff const& waits, std::uint32_t attempts) noexcept {
    // Summed step by step up to a bound, behind which every delay counts as the longest.
    constexpr std::uint32_t steps_max = 4096;
    auto sum = duration{};
    auto previous = duration{};
    for (std::uint32_t i = 1; i < attempts; ++i) {
        if (i > steps_max) {
            duration::rep rest{};
            if (__builtin_mul_overflow(waits.longest().count(), duration::rep{attempts - i}, &rest))
                return unlimited;
            return saturating_add(sum, duration{rest});
        }
        previous = waits.delay({.retry = i, .previous = previous, .random = UINT64_MAX});
        sum = saturating_add(sum, previous);
    }
    return sum;
}

inline std::string threads_text(std::uint32_t count) {
    return "up to " + std::to_string(count) + (count == 1 ? " thread" : " threads");
}

/// A share, in tenths of a percent, rounded.
inline std::string percent_text(double share) {
    auto const tenths = static_cast<int>(share * 1000 + 0.5);
    auto text = std::to_string(tenths / 10);
    if (tenths % 10 != 0) (text += '.') += std::to_string(tenths % 10);
    return text + " %";
}

/// A template, so that nothing here needs to know a policy that nobody names.
template <class Options>
std::string hedge_text(Options const& options) {
    auto line =
        "hedge: up to " + std::to_string(options.most) + " more beside each attempt, after ";
    if (options.percentile > 0) {
        line += percent_text(options.percentile);
        line += " of recent successes would have ended (";
        line += span_text(options.delay) + " while few are known)";
    } else {
        line += span_text(options.delay);
    }
    return line + ", as far as their budget pays for them";
}

template <class Options>
std::string cache_text(Options const& options) {
    auto line = "cache: up to " + std::to_string(options.capacity) +
                (options.capacity == 1 ? " result for " : " results for ") +
                span_text(options.time_to_live);
    if (options.failures_for > duration{})
        line += ", failures for " + span_text(options.failures_for);
    if (options.stale_if_error > duration{})
        line += ", in place of a failure for " + span_text(options.stale_if_error) + " more";
    if (options.wait_at_most > duration{})
        line += "; equal calls wait for one, up to " + span_text(options.wait_at_most);
    return line;
}

/// What shakes the callable: `chaos`.
template <class Chaos>
std::string chaos_text(Chaos const& by) {
    auto const options = by.options();
    auto line = std::string{by.enabled() ? "chaos: " : "chaos, switched off: "};
    auto const begin = line.size();
    auto const add = [&](double rate, std::string const& what) {
        if (rate > 0) line += (line.size() == begin ? "" : ", ") + percent_text(rate) + what;
    };
    if (!options.schedule.empty())
        line += "a schedule, then by seed " + std::to_string(options.seed);
    add(options.failure_rate, " of attempts fail");
    add(options.throw_rate, " throw");
    add(options.latency_rate, " take " + span_text(options.latency) + " longer");
    add(options.wrong_rate, " give wrong results");
    add(options.crash_rate, " end the process");
    if (line.size() == begin) line += "nothing happens";
    return line;
}

/// The callable, and what is around it that is no policy.
template <class F>
void explain_callable(explanation& made, F const& callable) {
    if constexpr (requires { callable.get().shaken_by(); })
        made.stages.push_back(chaos_text(callable.get().shaken_by()));
    else if constexpr (requires { callable.callable.shaken_by(); })
        made.stages.push_back(chaos_text(callable.callable.shaken_by()));
    else if constexpr (requires { callable.shaken_by(); })
        made.stages.push_back(chaos_text(callable.shaken_by()));
    made.stages.emplace_back("callable");
}

template <class Policy>
void explain_retry(explanation& made, Policy const& policy) {
    if constexpr (!std::same_as<Policy, retry>) {
        made.most_attempts = 0;
        made.stages.emplace_back("retry: a policy of your own");
    } else {
        made.most_attempts = policy.most_attempts();
        made.longest_wait = longest_waits(policy.backoff, policy.max_attempts);
        if (made.most_attempts > 1)
            made.longest_hint = std::max(policy.retry_after_max, duration{});
        auto line = "retry: up to " + std::to_string(made.most_attempts) +
                    (made.most_attempts == 1 ? " attempt" : " attempts");
        for (auto const& rule : policy.per_category) {
            auto const own = rule.budget.max_attempts;
            // A listed category may fail that often beside the shared budget, and wait each time.
            made.longest_wait =
                saturating_add(made.longest_wait, longest_waits(rule.budget.backoff, own));
            line += ", ";
            line += to_string(rule.category);
            line += own == 0 ? ": never" : ": up to " + std::to_string(own);
        }
        made.stages.push_back(std::move(line));
    }
}

}  // namespace detail

inline std::string explanation::text() const {
    std::string lines;
    for (auto const& stage : stages) lines += stage + '\n';
    lines +=
        "at most " +
        (most_attempts == 0 ? std::string{"an unknown number of"} : std::to_string(most_attempts)) +
        (most_attempts == 1 ? " attempt" : " attempts") + ", waits of " +
        detail::span_text(longest_wait) + " in all";
    if (longest_hint > duration{})
        lines += " (up to " + detail::span_text(longest_hint) +
                 " each where the other side asks for it)";
    lines += "; recorded: " + recorded + '\n';
    return lines;
}

/// Says what a wrapper does: its stages from outside in, the most attempts that it makes, the longest
/// time that it waits between them, and what it records.
template <class F, class Policies>
[[nodiscard]] explanation explain(recovered<F, Policies> const& wrapped) {
    using detail::policy_kind;
    auto made = explanation{};
    auto const& policies = wrapped.policies();
    policies.template each<policy_kind::fallback>(
        [&](auto const&) { made.stages.emplace_back("fallback"); });
    policies.template each<policy_kind::cache>(
        [&](auto const& one) { made.stages.push_back(detail::cache_text(one.options())); });
    policies.template each<policy_kind::persist>([&](auto const& one) {
        auto const& options = one.options();
        made.stages.push_back("persist: \"" + options.name + "\", survives " +
                              std::string{to_string(one.store().durability())});
        made.recorded = one.record_text();
    });
    auto bound = unlimited;
    policies.template each<policy_kind::deadline>([&](auto const& one) {
        bound = detail::deadline_of(one).total;
        made.stages.push_back("deadline: " + detail::span_text(bound));
    });
    auto const guards = [&]<bool Outside>(std::bool_constant<Outside>) {
        auto const show = [&]<std::size_t At>(std::integral_constant<std::size_t, At>) {
            auto line = std::string{detail::label_of<detail::guard_at<Policies, At>>()} +
                        (Outside ? ": asked once an operation" : ": asked once an attempt");
            auto const& gate = std::get<At>(policies.held).get();
            if constexpr (requires { gate.longest_wait(); }) {
                if (auto const most = gate.longest_wait(); most > duration{})
                    line += ", waits up to " + detail::span_text(most) + " for its turn";
            }
            made.stages.push_back(std::move(line));
        };
        std::apply([&](auto... position) { (show(position), ...); },
                   typename detail::guard_positions<Policies, Outside>::type{});
    };
    guards(std::true_type{});
    auto waits_when_rejected = false;
    policies.template each<policy_kind::retry>([&](auto const& one) {
        using policy = std::remove_cvref_t<decltype(one)>;
        auto seen = detail::seen_version<policy>{};
        detail::explain_retry(made, seen.of(one));
        if constexpr (requires { seen.of(one).wait_when_rejected; })
            waits_when_rejected = seen.of(one).wait_when_rejected;
        if constexpr (detail::versioned<policy>)
            made.stages.back() += " (version " + std::to_string(seen.lease->number()) + ")";
    });
    if constexpr (Policies::template has<policy_kind::budget>)
        made.stages.back() += ", as far as the retry budget pays for them";
    if constexpr (Policies::template has<policy_kind::idempotency>)
        made.stages.back() += ", where nothing has happened yet";
    policies.template each<policy_kind::hedge>(
        [&](auto const& one) { made.stages.push_back(detail::hedge_text(one.options())); });
    policies.template each<policy_kind::threads>([&](auto const& one) {
        made.stages.back() += "; plain calls run on " + detail::threads_text(one.options().threads);
    });
    guards(std::false_type{});
    policies.template each<policy_kind::attempt_timeout>([&](auto const& one) {
        made.stages.push_back("attempt_timeout: " +
                              detail::span_text(detail::timeout_of(one).each));
    });
    policies.template each<policy_kind::abandon>([&](auto const& one) {
        made.stages.push_back("abandon_after: " + detail::span_text(one.each()) + ", on " +
                              detail::threads_text(one.threads()));
    });
    detail::explain_callable(made, wrapped.wrapped_callable());
    // Nobody knows how long a guard stays shut.
    if (Policies::template has<policy_kind::guard> && waits_when_rejected)
        made.longest_wait = unlimited;
    made.longest_wait = std::min(made.longest_wait, std::max(bound, duration{}));
    made.longest_hint = std::min(made.longest_hint, std::max(bound, duration{}));
    return made;
}

}  // namespace recoup::inline v1
