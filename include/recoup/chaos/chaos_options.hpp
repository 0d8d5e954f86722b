// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/fault_script.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace recoup::inline v1 {

/// What `chaos` does to attempts: plain data. Rates are shares of all attempts, from 0 to 1.
///
/// An attempt fails, throws, gives a wrong result or crashes, or none of these: their rates add up to 1 at the
/// most. Whether it is slow is drawn by itself, so that an attempt may be slow and then fail.
struct chaos_options {
    double failure_rate = 0;  ///< attempts that fail with `failure_as`; the callable is not called
    category failure_as = category::network_connection;
    double throw_rate = 0;    ///< attempts that throw a std::system_error (connection reset)
    double latency_rate = 0;  ///< attempts before which `latency` is waited
    duration latency{};
    double wrong_rate = 0;   ///< attempts whose result goes through the function given with `wrong`
    double crash_rate = 0;   ///< attempts that end the process; needs `may_crash`
    std::uint64_t seed = 1;  ///< equal seeds, equal faults
    /// What becomes of the first attempts, word by word, as `fail,ok*3,slow 200ms,wrong,crash`: the words of
    /// `testing::fault_plan`, and `slow` with a time, `wrong` and `crash`. Behind its end the rates hold.
    std::string schedule{};
    bool enabled = true;  ///< whether it begins at once; see `chaos::enable`
    /// Whether it may end the process. Never read from a configuration: only code can say so.
    bool may_crash = false;

    friend bool operator==(chaos_options const&, chaos_options const&) = default;
};

namespace detail {

/// Returns: the schedule of `options`.
/// Throws: std::invalid_argument that names the option, its value and what it may be.
inline fault_script checked_schedule(chaos_options const& options) {
    auto const refuse = [](char const* option, std::string const& value,
                           std::string const& expected) {
        throw std::invalid_argument{std::string{"recoup: chaos: "} + option + " is " + value +
                                    ", expected " + expected};
    };
    auto const check = [&](char const* option, double rate) {
        // Written so that NaN is refused.
        if (!(rate >= 0 && rate <= 1)) refuse(option, std::to_string(rate), "a share from 0 to 1");
    };
    check("failure_rate", options.failure_rate);
    check("throw_rate", options.throw_rate);
    check("latency_rate", options.latency_rate);
    check("wrong_rate", options.wrong_rate);
    check("crash_rate", options.crash_rate);
    auto const sum =
        options.failure_rate + options.throw_rate + options.wrong_rate + options.crash_rate;
    // What adds up to 1 in writing may come out a little above it.
    if (sum > 1 + 1e-9)
        refuse("failure_rate", std::to_string(options.failure_rate),
               "with throw_rate, wrong_rate and crash_rate at most 1 in all");
    if (options.latency < duration{})
        refuse("latency", std::to_string(options.latency.count()) + " ns", "0 or more");
    if (options.schedule.empty()) return {};
    return script_reader{options.schedule, "chaos: schedule", true}.read();
}

/// Throws: std::invalid_argument where they would crash and may not.
inline void check_crash(chaos_options const& options, fault_script const& schedule) {
    auto crashes = options.crash_rate > 0;
    for (auto const& one : schedule.entries)
        crashes = crashes || one.what.kind == fault_kind::crash;
    if (crashes && !options.may_crash)
        throw std::invalid_argument{
            "recoup: chaos: a crash ends this process: set may_crash where that is wanted"};
}

}  // namespace detail

}  // namespace recoup::inline v1
