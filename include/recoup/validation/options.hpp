// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>
#include <recoup/validation/requirements.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace recoup::inline v1::validation {

/// How a callable is validated: plain data.
struct options {
    requirements wanted{};
    std::uint64_t seed = 1;      ///< equal seeds, equal faults and jitter
    std::uint32_t rounds = 200;  ///< in which bare and decorated calls take turns
    std::uint32_t operations =
        2'000;  ///< calls under faults; no wait between attempts is waited for
    std::uint32_t memory_calls = 20'000;  ///< calls over which memory is looked at
    std::uint32_t recoveries = 40;  ///< calls that fail first and then succeed, with real waits
    double failure_rate = 0.3;      ///< share of the attempts that fail with `transient`
    double permanent_rate =
        0.1;  ///< share of the operations whose every attempt fails with `permanent`
    /// A fault that another attempt may cure, as the callable would show it: a code, a category, or it throws.
    /// Without one it is the code of a connection that was reset. Give your own, to see what the classifier makes
    /// of it.
    std::function<failure()> transient{};
    /// A fault that no attempt cures. Without one it is the code of a permission that was denied.
    std::function<failure()> permanent{};
    /// How long all of it may take. What is over by then has fewer samples, which the verdict says.
    duration time_limit = std::chrono::seconds{30};
    /// Calls that take less are timed many at once, for a clock sees no single one of them.
    duration batch_at_least = std::chrono::microseconds{200};
};

namespace detail {

/// Throws: std::invalid_argument that names the option, its value and what it may be.
inline void check(options const& given) {
    auto const refuse = [](char const* option, std::string const& value, char const* expected) {
        throw std::invalid_argument{std::string{"recoup: validation: "} + option + " is " + value +
                                    ", expected " + expected};
    };
    auto const check_share = [&](char const* option, double share) {
        // Written so that NaN is refused.
        if (!(share >= 0 && share <= 1))
            refuse(option, std::to_string(share), "a share from 0 to 1");
    };
    auto const check_count = [&](char const* option, std::uint32_t count) {
        if (count == 0) refuse(option, "0", "1 or more");
    };
    check_share("failure_rate", given.failure_rate);
    check_share("permanent_rate", given.permanent_rate);
    check_share("wanted.success_at_least", given.wanted.success_at_least);
    check_count("rounds", given.rounds);
    check_count("operations", given.operations);
    check_count("memory_calls", given.memory_calls);
    check_count("recoveries", given.recoveries);
    if (given.time_limit <= duration{})
        refuse("time_limit", std::to_string(given.time_limit.count()) + " ns", "more than 0");
    if (given.batch_at_least < duration{})
        refuse("batch_at_least", std::to_string(given.batch_at_least.count()) + " ns", "0 or more");
}

}  // namespace detail

}  // namespace recoup::inline v1::validation
